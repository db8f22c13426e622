"""Counts of one row of the metric columns, kept here between ticks: a list costs a tenth of shared memory to count in.

The tick adds them to the columns. A killed worker takes along what it counted since its last tick, a tenth of a second;
the ledger loses nothing.
"""

from __future__ import annotations

from gateline.store.columns import ROW_WIDTH, row_base


class Tally:
    """`counts` by the row fields of `store.columns`."""

    __slots__ = ("_base", "_dirty", "counts", "is_dirty")

    def __init__(self, row: int, dirty: list[Tally]) -> None:
        self._base = row_base(row)
        self._dirty = dirty
        self.counts = [0] * ROW_WIDTH
        self.is_dirty = False

    def touch(self) -> list[int]:
        """The counts, to be added to; the next `flush` takes them."""
        if not self.is_dirty:
            self.is_dirty = True
            self._dirty.append(self)
        return self.counts

    def flush(self, cells: memoryview[int]) -> None:
        base, counts = self._base, self.counts
        for field, count in enumerate(counts):
            if count:
                cells[base + field] += count
                counts[field] = 0
        self.is_dirty = False


class Tallies:
    """All tallies of a worker: those that were touched are flushed, and none is kept twice for one row."""

    def __init__(self, cells: memoryview[int]) -> None:
        self._cells = cells
        self._dirty: list[Tally] = []
        self._rows: dict[int, Tally] = {}

    def row(self, row: int) -> Tally:
        tally = self._rows.get(row)
        if tally is None:
            tally = self._rows[row] = Tally(row, self._dirty)
        return tally

    def flush(self) -> None:
        """Adds to the columns what was counted since the last time. Called by the tick and at the end."""
        for tally in self._dirty:
            tally.flush(self._cells)
        self._dirty.clear()
