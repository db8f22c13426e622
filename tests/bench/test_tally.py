"""Percentiles against known samples, counters against their sums."""

from __future__ import annotations

import random
from array import array

import pytest

from gateline.bench.plan import Tick
from gateline.bench.record import UNIT_NS
from gateline.bench.tally import Spread, Tally


def test_percentiles_are_true_to_a_thousandth() -> None:
    """Against the sorted samples themselves, over five decades, in several parts."""
    rng = random.Random(5)
    values = [int(10 ** rng.uniform(1, 6)) for _ in range(50_000)]
    spread = Spread()
    for start in range(0, len(values), 7_000):
        spread.add(array("I", values[start : start + 7_000]).tobytes())
    values.sort()
    assert spread.count == len(values)
    for percent in (50.0, 90.0, 99.0, 99.9):
        exact = values[int(len(values) * percent / 100) - 1] * UNIT_NS / 1e6
        assert spread.at(percent) == pytest.approx(exact, rel=2e-3)
    assert spread.most() == pytest.approx(values[-1] * UNIT_NS / 1e6, rel=1e-3)


def test_a_constant_is_every_percentile() -> None:
    """A thousand answers of 1 ms: each figure is 1 ms."""
    spread = Spread()
    spread.add(array("I", [10_000] * 1000).tobytes())
    summary = spread.summary()
    assert summary["count"] == 1000
    assert [summary[name] for name in ("p50", "p90", "p99", "p99.9", "max")] == pytest.approx([1.0] * 5, rel=1e-3)


def test_ticks_of_several_workers_add_up() -> None:
    """Counters are summed; open requests and CPU time are each worker's latest."""
    tally = Tally()
    tally.add(0, Tick(done=3, errors={"reset": 1}, statuses={200: 3}, open=5, cpu_ns=10))
    tally.add(1, Tick(done=4, errors={"reset": 1, "timeout": 2}, open=6, cpu_ns=20))
    tally.add(0, Tick(done=1, statuses={200: 1}, open=1, cpu_ns=30))
    assert (tally.done, tally.open, tally.cpu_ns, tally.failed) == (8, 7, 50, 4)
    assert tally.errors == {"reset": 2, "timeout": 2}
    assert tally.statuses == {200: 4}
