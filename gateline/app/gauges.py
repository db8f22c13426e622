"""A worker's own gauges and counters, written into its shared columns at every tick."""

from __future__ import annotations

from gateline.store.columns import LOOP_LAG_BUCKETS, LOOP_LAG_MAX_NS, LOOP_LAG_SUM_NS, bucket_of


class Gauges:
    """Gauges are set. Counters are added as far as they have grown: the columns outlive this process, and a counter of
    the place must never go back."""

    def __init__(self, cells: memoryview[int]) -> None:
        self._cells = cells
        self._counted: dict[int, int] = {}

    def update(self, gauges: dict[int, int], counters: dict[int, int], lag: int) -> None:
        """`lag` is how late the tick came, in nanoseconds. The worst one fades over the next seconds."""
        cells = self._cells
        for field, value in gauges.items():
            cells[field] = value
        for field, value in counters.items():
            cells[field] += value - self._counted.get(field, 0)
            self._counted[field] = value
        cells[LOOP_LAG_MAX_NS] = max(lag, cells[LOOP_LAG_MAX_NS] * 9 // 10)
        cells[LOOP_LAG_SUM_NS] += lag
        cells[LOOP_LAG_BUCKETS + bucket_of(lag)] += 1
