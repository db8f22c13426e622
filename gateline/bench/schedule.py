"""When each request is to be sent, decided before the first one is. Pure: the time is an argument.

A request that could not be sent in time keeps its decided time, and its latency counts from there: a slow server
cannot hide by making the generator wait (coordinated omission).
"""

from __future__ import annotations

from typing import Protocol

from gateline.bench.plan import Send

_NS = 1_000_000_000


class Schedule(Protocol):
    """`next_at` is the decided time, in ns after the start, of the request to be sent next, None when there is none
    left; `take` moves on and returns its sizes, None for the usual ones."""

    def next_at(self) -> int | None: ...

    def take(self) -> Send | None: ...

    def left(self) -> int: ...


class FixedRate:
    """Request i at (i + phase) / rate seconds, exact to the nanosecond over any length."""

    def __init__(self, rate: float, count: int, phase: float = 0.0) -> None:
        self._rate = rate
        self._phase = phase
        self._count = count
        self._next = 0

    def next_at(self) -> int | None:
        return int((self._next + self._phase) * _NS / self._rate) if self._next < self._count else None

    def take(self) -> Send | None:
        self._next += 1
        return None

    def left(self) -> int:
        return self._count - self._next


class Replay:
    """The times and sizes of a trace."""

    def __init__(self, sends: list[Send]) -> None:
        self._sends = sorted(sends, key=lambda send: send.at_ns)
        self._next = 0

    def next_at(self) -> int | None:
        return self._sends[self._next].at_ns if self._next < len(self._sends) else None

    def take(self) -> Send | None:
        self._next += 1
        return self._sends[self._next - 1]

    def left(self) -> int:
        return len(self._sends) - self._next


def fixed_rate(rate: float, *, duration: float | None, requests: int | None, phase: float = 0.0) -> FixedRate:
    """As many as fit into `duration` seconds, or `requests`, whichever are fewer."""
    fitting = None if duration is None else int(duration * rate)
    counts = [count for count in (fitting, requests) if count is not None]
    return FixedRate(rate, min(counts), phase)
