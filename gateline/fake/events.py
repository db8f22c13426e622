"""The log of what happened, in order: requests, chunks, cancellations. A test waits on it instead of on time."""

from __future__ import annotations

import asyncio
from collections import deque
from time import monotonic_ns

import msgspec

MAX_EVENTS = 65_536


class Event(msgspec.Struct, frozen=True):
    """`seq` counts from 1 and never repeats, `at_ns` is CLOCK_MONOTONIC, `request` the invoice's number, `id` the
    `x-request-id` received or given. `event`: accepted, head, chunk, fault, cancelled, done; `n`: the chunk's number.
    """

    seq: int
    at_ns: int
    event: str
    request: int
    id: str
    n: int = 0
    detail: str = ""


class EventLog:
    """A bounded ring; what fell off its end is counted, `counts` by event stay exact."""

    def __init__(self, size: int = MAX_EVENTS) -> None:
        self._ring: deque[Event] = deque(maxlen=size)
        self._seq = 0
        self._news = asyncio.Event()
        self.counts: dict[str, int] = {}

    def add(self, event: str, request: int, request_id: str, n: int = 0, detail: str = "") -> None:
        self._seq += 1
        self._ring.append(Event(self._seq, monotonic_ns(), event, request, request_id, n, detail))
        self.counts[event] = self.counts.get(event, 0) + 1
        self._news.set()

    def since(self, after: int) -> list[Event]:
        """Events with a number above `after` that the ring still has."""
        skip = len(self._ring) - (self._seq - after)
        if skip <= 0:
            return list(self._ring)
        return [self._ring[index] for index in range(skip, len(self._ring))]

    def lost(self, after: int) -> int:
        """How many events above `after` the ring has dropped."""
        oldest = self._ring[0].seq if self._ring else self._seq + 1
        return max(oldest - after - 1, 0)

    @property
    def last(self) -> int:
        return self._seq

    async def wait(self, after: int, seconds: float) -> list[Event]:
        """Events after `after`, at once if there are any, else when one comes; empty when `seconds` have passed."""
        try:
            async with asyncio.timeout(seconds):
                while self._seq <= after:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            pass
        return self.since(after)

    def clear(self) -> None:
        """Forgets; the numbers go on, so that a reader's place stays true."""
        self._ring.clear()
        self.counts.clear()
