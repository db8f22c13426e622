"""One coarse tick for all deadlines of a worker: no request sets a timer of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from email.utils import formatdate
from time import monotonic, monotonic_ns, time, time_ns

TICK = 0.1  # seconds


class Clock:
    """`now` is the monotonic time of the last tick, in seconds; `date` a ready `Date` header line; `epoch` what to add
    to a monotonic nanosecond reading to get UTC nanoseconds. `lag` is how late the last tick came, in nanoseconds."""

    def __init__(self) -> None:
        self.now = monotonic()
        self.epoch = time_ns() - monotonic_ns()
        self.date = b""
        self.lag = 0
        self._date_second = 0
        self._hooks: list[Callable[[float], None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    def every_tick(self, hook: Callable[[float], None]) -> None:
        self._hooks.append(hook)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due = loop.time()
        self._tick()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _tick(self) -> None:
        loop_now = self._loop.time()
        self.lag = max(0, int((loop_now - self._due) * 1e9))
        self.now = monotonic()
        self.epoch = time_ns() - monotonic_ns()
        second = int(time())
        if second != self._date_second:
            self._date_second = second
            self.date = b"date: " + formatdate(second, usegmt=True).encode() + b"\r\n"
        # First: a hook that fails costs this tick its other hooks, never the ticks to come.
        self._due = loop_now + TICK
        self._timer = self._loop.call_later(TICK, self._tick)
        for hook in self._hooks:
            hook(self.now)
