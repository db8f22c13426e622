"""Who is alive, as the supervisor tells it: workers, their restarts, engines and their states."""

from __future__ import annotations

from typing import Any


class Roster:
    """`alive` holds the indexes of living workers; `restarts` counts, by worker, how often one was started again."""

    def __init__(self, workers: int) -> None:
        self.alive: set[int] = set(range(workers))
        self.restarts: dict[int, int] = dict.fromkeys(range(workers), 0)
        self.engines: dict[str, Any] = {}

    def worker_died(self, worker: int) -> None:
        self.alive.discard(worker)
        self.restarts[worker] = self.restarts.get(worker, 0) + 1

    def worker_started(self, worker: int) -> None:
        self.alive.add(worker)
        self.restarts.setdefault(worker, 0)
