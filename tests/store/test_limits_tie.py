"""Two workers race for the last place of a key: the one with the lower number has it, the other gives way."""

from __future__ import annotations

import mmap
import threading
from pathlib import Path
from typing import Any

from gateline.store.limits import Limits, size

SECOND = 1_000_000_000
DEADLINE = 30.0


class Race:
    """Workers 0 and 1 of one machine. Each has announced its call and seen the other's before either decides."""

    def __init__(self, folder: Path, *patience_ns: int) -> None:
        shared = mmap.mmap(-1, size(2))
        self.workers = [Limits(shared, place, 2, folder / "lock", patience_ns[place]) for place in range(2)]
        self._announced, self._seen = (threading.Barrier(2, timeout=DEADLINE) for _ in range(2))
        self.allowed: dict[int, bool] = {}

    def run(self, limit: int) -> dict[int, bool]:
        threads = [threading.Thread(target=self._admit, args=(place, limit)) for place in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE)
        return self.allowed

    def _admit(self, place: int, limit: int) -> None:
        worker: Any = self.workers[place]
        load = worker._load_calls

        def look(*where: Any) -> Any:
            worker._load_calls = load  # only after the first look the other is waited for
            self._announced.wait()
            seen = load(*where)
            self._seen.wait()
            return seen

        worker._load_calls = look
        self.allowed[place] = worker.admit(7, None, limit, 1_000 * SECOND).allowed


def test_the_lower_worker_wins_the_last_place(tmp_path: Path) -> None:
    """Both see each other's announcement. The higher one gives way at once, however patient it is; the lower one looks
    again and has the place."""
    race = Race(tmp_path, 5 * SECOND, 20 * SECOND)
    assert race.run(limit=1) == {0: True, 1: False}
    assert [worker.calls(7) for worker in race.workers] == [1, 1]
    race.workers[0].leave(7)
    assert race.workers[1].admit(7, None, 1, 1_001 * SECOND).allowed


def test_with_places_for_both_both_are_let_in(tmp_path: Path) -> None:
    race = Race(tmp_path, SECOND, SECOND)
    assert race.run(limit=2) == {0: True, 1: True}
    assert race.workers[0].calls(7) == 2
