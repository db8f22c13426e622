"""All workers' ticks added up: exact counters, and an HDR histogram for each kind of sample."""

from __future__ import annotations

from array import array
from collections import Counter

from hdrh.histogram import HdrHistogram

from gateline.bench.plan import Tick
from gateline.bench.record import UNIT_NS

_MOST = 2**32  # units; what a sample holds
_DIGITS = 3  # significant ones: a percentile is true to 0.1 %
_WAITING = 4_194_304  # samples, 16 MiB, that may wait to be sorted in
QUANTILES = (50.0, 90.0, 99.0, 99.9)


class Spread:
    """One kind of sample. Times in milliseconds.

    Samples are sorted in when somebody asks: while a load runs, each costs the core that it may share with the
    generator ten times what keeping it costs.
    """

    def __init__(self) -> None:
        self._sorted = HdrHistogram(1, _MOST, _DIGITS)
        self._waiting = array("I")

    def add(self, samples: bytes) -> None:
        """`samples` as in a `Tick`."""
        self._waiting.frombytes(samples)
        if len(self._waiting) > _WAITING:
            self._sort()

    def _sort(self) -> HdrHistogram:
        """All there is; equal samples are recorded together."""
        if self._waiting:
            for value, count in Counter(self._waiting).items():
                self._sorted.record_value(max(value, 1), count)
            self._waiting = array("I")
        return self._sorted

    @property
    def count(self) -> int:
        return int(self._sort().get_total_count())

    def at(self, percent: float) -> float:
        return float(self._sort().get_value_at_percentile(percent)) * UNIT_NS / 1e6

    def most(self) -> float:
        return float(self._sort().get_max_value()) * UNIT_NS / 1e6

    def summary(self) -> dict[str, float]:
        named = {f"p{quantile:g}": round(self.at(quantile), 4) for quantile in QUANTILES}
        return {"count": self.count, **named, "max": round(self.most(), 4)}


class Tally:
    """`errors` and `statuses` by kind; `spreads` by name of sample."""

    def __init__(self) -> None:
        self.done = self.sent = self.bytes_in = self.bytes_out = self.tokens = self.events = 0
        self.open = 0
        self.cpu_ns = 0
        self.errors: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.spreads: dict[str, Spread] = {}
        self._open: dict[int, int] = {}
        self._cpu: dict[int, int] = {}

    def add(self, worker: int, tick: Tick) -> None:
        self.done += tick.done
        self.sent += tick.sent
        self.bytes_in += tick.bytes_in
        self.bytes_out += tick.bytes_out
        self.tokens += tick.tokens
        self.events += tick.events
        self.errors.update(tick.errors)
        self.statuses.update(tick.statuses)
        self._open[worker] = tick.open
        self._cpu[worker] = tick.cpu_ns
        self.open = sum(self._open.values())
        self.cpu_ns = sum(self._cpu.values())
        for name, samples in tick.samples.items():
            self.spread(name).add(samples)

    def spread(self, name: str) -> Spread:
        known = self.spreads.get(name)
        if known is None:
            known = self.spreads[name] = Spread()
        return known

    @property
    def failed(self) -> int:
        return self.errors.total()
