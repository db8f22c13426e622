"""Streams followed to their end, event by event, whether events are those of an event stream, messages or lines: what
all formats do alike. Knows no format.

A format says what its events mean. It raises UpstreamError for one that reports an error, UpstreamBroken for one that
is not its own; what came ahead of that stands.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from gateline.formats.contract import MOST_TOOLS
from gateline.model.chatreply import Delta
from gateline.model.errors import UpstreamBroken, UpstreamError
from gateline.model.usage import Usage

Event = TypeVar("Event")
Event_co = TypeVar("Event_co", covariant=True)


class Splitter(Protocol[Event_co]):
    """See `wire/sse.py`, `wire/eventstream.py`, `wire/ndjson.py`."""

    def feed(self, data: bytes) -> Sequence[Event_co]:
        """The events that `data` completes. Raises UpstreamBroken."""

    def rest(self) -> bytes:
        """What has come of an event that is not whole yet."""


class StreamedReader(ABC, Generic[Event]):
    """See `contract.Reader`."""

    __slots__ = ("_secret", "_splitter", "_tools", "done", "error")

    def __init__(self, splitter: Splitter[Event], secret: str) -> None:
        self._secret = secret
        self._splitter = splitter
        self._tools = 0  # tool uses so far
        self.done = False
        self.error: UpstreamError | None = None

    def feed(self, data: bytes) -> list[Delta]:
        deltas: list[Delta] = []
        if self.done or self.error is not None:
            return deltas
        try:
            for event in self._splitter.feed(data):
                self._take(event, deltas)
                if self.done:
                    break
        except UpstreamError as error:
            self.error = error
        return deltas

    def end(self) -> list[Delta]:
        deltas: list[Delta] = []
        if self.done or self.error is not None:
            return deltas
        try:
            self._end(self._splitter.rest(), deltas)
        except UpstreamBroken:
            pass  # of bytes that were cut
        except UpstreamError as error:
            self.error = error
        if not self.done and self.error is None:
            self.error = broken_off()
        return deltas

    @abstractmethod
    def _take(self, event: Event, deltas: list[Delta]) -> None:
        """Adds what an event tells; sets `done` with the last one."""

    def _end(self, rest: bytes, deltas: list[Delta]) -> None:
        """The bytes have ended, `rest` in no event: sets `done` if the stream is whole all the same."""

    def _next_tool(self) -> int:
        """The number of a tool use that begins, from 0."""
        number = self._tools
        if number >= MOST_TOOLS:
            raise UpstreamBroken("the upstream called more tools than any answer does")
        self._tools = number + 1
        return number


class StreamedWatch(ABC, Generic[Event]):
    """See `contract.Codec`."""

    __slots__ = ("_secret", "_splitter", "done", "error", "last", "usage", "visible")

    def __init__(self, splitter: Splitter[Event], secret: str) -> None:
        self._secret = secret
        self._splitter = splitter
        self.visible = False
        self.done = False
        self.last = b""
        self.usage: Usage | None = None
        self.error: UpstreamError | None = None

    def feed(self, data: bytes) -> bytes:
        if self.done or self.error is not None:
            return b""
        relayed: list[bytes] = []
        try:
            for event in self._splitter.feed(data):
                passed = self._pass(event)
                if passed:
                    relayed.append(passed)
                if self.done:
                    break
        except UpstreamError as error:
            self.error = error
        return relayed[0] if len(relayed) == 1 else b"".join(relayed)

    def end(self) -> None:
        if self.done or self.error is not None:
            return
        try:
            self._end(self._splitter.rest())
        except UpstreamBroken:
            pass
        except UpstreamError as error:
            self.error = error
        if not self.done and self.error is None:
            self.error = broken_off()

    @abstractmethod
    def _pass(self, event: Event) -> bytes:
        """What passes of an event now; sets `done` and `last` with the last one."""

    def _end(self, rest: bytes) -> None:
        """As of a reader."""


def broken_off() -> UpstreamBroken:
    return UpstreamBroken("the upstream's stream broke off before its end")
