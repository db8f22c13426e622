"""Who is alive, as the supervisor tells it: workers, their restarts, engines and their states."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class Roster:
    """`alive` holds the indexes of living workers; `restarts` counts, by worker, how often one was started again."""

    def __init__(self, alive: Iterable[int]) -> None:
        self.alive: set[int] = set(alive)
        self.restarts: dict[int, int] = dict.fromkeys(self.alive, 0)
        self.engines: dict[str, Any] = {}

    def worker_died(self, worker: int) -> None:
        self.alive.discard(worker)
        self.restarts[worker] = self.restarts.get(worker, 0) + 1

    def worker_left(self, worker: int) -> None:
        """It ended as it was told to, and its successor sits elsewhere."""
        self.alive.discard(worker)
        self.restarts.pop(worker, None)

    def worker_started(self, worker: int) -> None:
        self.alive.add(worker)
        self.restarts.setdefault(worker, 0)
