"""One timer for all paced streams of a process: each gets its turn once a revolution."""

from __future__ import annotations

import asyncio
from typing import Protocol

_TICK = 0.001
_MAX_LATE_TICKS = 100


class Turning(Protocol):
    def turn(self) -> bool:
        """Does one thing; False to leave the wheel."""
        ...


class Wheel:
    """A revolution takes `interval` seconds, cut into ticks of about a millisecond. What joins takes its first turn
    one whole interval later. When the loop was late, the ticks it missed are made up for, at most 100 at once."""

    def __init__(self, interval: float) -> None:
        self._slots: list[list[Turning]] = [[] for _ in range(max(1, round(interval / _TICK)))]
        self._tick = interval / len(self._slots)
        self._at = 0
        self._loop = asyncio.get_running_loop()
        self._riders = 0
        self._due = 0.0

    def join(self, rider: Turning) -> None:
        self._slots[self._at].append(rider)
        self._riders += 1
        if self._riders == 1:
            self._due = self._loop.time() + self._tick
            self._loop.call_at(self._due, self._turn)

    def _turn(self) -> None:
        now = self._loop.time()
        ticks = min(int((now - self._due) / self._tick) + 1, _MAX_LATE_TICKS)
        for _ in range(ticks):
            self._at = (self._at + 1) % len(self._slots)
            riders = self._slots[self._at]
            if riders:
                staying = [rider for rider in riders if rider.turn()]
                self._riders -= len(riders) - len(staying)
                self._slots[self._at] = staying
        self._due += ticks * self._tick
        if now - self._due > self._tick * _MAX_LATE_TICKS:
            self._due = now
        if self._riders:
            self._loop.call_at(self._due, self._turn)
