from __future__ import annotations

import pytest

from gateline.control.growth import Growth
from gateline.store import columns


def test_only_what_was_written_or_a_death_or_a_long_silence_is_growth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look tells what happened since the one before; without news the answer is yes every `at_most` seconds."""
    now = [100.0]
    monkeypatch.setattr("gateline.control.growth.time.monotonic", lambda: now[0])
    shared = columns.Columns(bytearray(columns.size(2)), 2)
    growth = Growth(shared, at_most=5.0)
    assert [growth(), growth()] == [True, False]
    shared.worker(1)[columns.JOURNAL_BYTES] += 10
    assert [growth(), growth()] == [True, False]
    shared.worker(0)[columns.WORKER_RESTARTS] += 1
    assert [growth(), growth()] == [True, False]
    now[0] += 5.0
    assert [growth(), growth()] == [True, False]


def test_a_new_count_that_began_again_is_growth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers whose counts change places do not cancel each other out."""
    monkeypatch.setattr("gateline.control.growth.time.monotonic", lambda: 100.0)
    shared = columns.Columns(bytearray(columns.size(2)), 2)
    shared.worker(0)[columns.JOURNAL_BYTES] = 10
    growth = Growth(shared, at_most=5.0)
    assert growth()
    shared.worker(0)[columns.JOURNAL_BYTES], shared.worker(1)[columns.JOURNAL_BYTES] = 0, 10
    assert growth()
