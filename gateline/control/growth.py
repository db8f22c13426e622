"""Whether the workers have written to their journals, seen in shared memory: an idle gateway opens no file to know."""

from __future__ import annotations

import time

from gateline.store.columns import JOURNAL_BYTES, WORKER_RESTARTS, Columns


class Growth:
    """True when the journals have grown, or a worker has died, since the last question, and every `at_most` seconds.

    Workers count what they have written at their tick: the answer is up to 0.1 s late, never wrong for longer.
    """

    def __init__(self, columns: Columns, at_most: float) -> None:
        self._columns = columns
        self._at_most = at_most
        self._seen: list[tuple[int, int]] = []
        self._answered = 0.0

    def __call__(self) -> bool:
        cells = map(self._columns.worker, range(self._columns.workers))
        seen = [(each[JOURNAL_BYTES], each[WORKER_RESTARTS]) for each in cells]
        now = time.monotonic()
        if seen == self._seen and now - self._answered < self._at_most:
            return False
        self._seen = seen
        self._answered = now
        return True
