"""Server-sent events (WHATWG HTML, section 9.2): bytes <-> whole events, however the stream was cut.

An event is kept as the bytes it came in, with its blank line, so that relaying it changes nothing.
"""

from __future__ import annotations

import re

from gateline.model.errors import UpstreamBroken
from gateline.wire.bound import MAX_EVENT

# A line end followed by an empty line. After "\n\r" one more byte decides whether a "\n" belongs to it; "\r\r" never
# waits (a stream with bare CR would lag one event behind), and an LF right behind it is dropped instead.
_END = re.compile(rb"\n\n|\n\r\n|\n\r(?=[^\n])|\r\r")
_BOM = b"\xef\xbb\xbf"


class EventSplitter:
    """Collects bytes and gives back whole events of at most `MAX_EVENT` bytes. Blank lines ahead of an event count as
    its own.

    is_between: nothing is held back, the usual state: a whole event with its LF ends need not go through `feed`.
    """

    __slots__ = ("_pending", "_scanned", "_skip_lf", "is_between")

    def __init__(self) -> None:
        self._pending = bytearray()
        self._scanned = 0
        self._skip_lf = False
        self.is_between = True

    def feed(self, data: bytes) -> list[bytes]:
        """Raises UpstreamBroken when an event grows over its bound."""
        # `find` and not `in`, which first takes what it looks for for a number, and of one byte where that will do.
        if self.is_between and data.find(b"\r") < 0:
            last = len(data) - 2
            if 0 < last <= MAX_EVENT - 2:
                if data.find(b"\n") == last and data[-1:] == b"\n":
                    return [data]
                events = data.split(b"\n\n")
                if not events.pop():
                    return [event + b"\n\n" for event in events]
        return self._collect(data)

    def rest(self) -> bytes:
        """The bytes that have come of an event that is not whole yet."""
        return bytes(self._pending)

    def _collect(self, data: bytes) -> list[bytes]:
        pending = self._pending
        if self._skip_lf and data:
            self._skip_lf = False
            if data[:1] == b"\n":
                data = data[1:]
        pending += data
        events: list[bytes] = []
        start = 0
        scan = max(self._scanned - 2, 0)
        while (found := _END.search(pending, scan)) is not None:
            end = scan = found.end()
            if end - start > MAX_EVENT:
                raise _too_large()
            events.append(bytes(pending[start:end]))
            start = end
            if pending[end - 2 : end] == b"\r\r":
                if end == len(pending):
                    self._skip_lf = True
                elif pending[end] == 0x0A:
                    start = scan = end + 1
        found = None  # a match holds the buffer, and a held buffer cannot shrink
        del pending[:start]
        self._scanned = len(pending)
        self.is_between = not pending and not self._skip_lf
        if len(pending) > MAX_EVENT:
            raise _too_large()
        return events


def plain_data(event: bytes) -> bytes | None:
    """The data of an event that is one `data:` line and nothing else, as nearly all are; None for every other."""
    end = len(event) - 2
    if event[:6] == b"data: " and event.find(b"\n") == end and event.find(b"\r") < 0:
        return event[6:end]
    return None


def named_data(event: bytes) -> bytes | None:
    """The data of an event that is an `event:` line and one `data:` line, as vendors write who name their events; None
    for every other."""
    start, end = event.find(b"\n"), len(event) - 2
    if event[:7] == b"event: " and event[start : start + 7] == b"\ndata: " and event.find(b"\r") < 0:
        return event[start + 7 : end] if event.find(b"\n", start + 7) == end else None
    return None


def event_data(event: bytes) -> bytes | None:
    """The event's data, its `data:` lines joined by LF; None when it has none (a comment, a bare `event:`)."""
    data = plain_data(event)
    if data is None:
        data = named_data(event)
    if data is not None:
        return data
    found = [value for name, value in _fields(event) if name == b"data"]
    return b"\n".join(found) if found else None


def event_name(event: bytes) -> bytes:
    """The value of the last `event:` line; empty when there is none."""
    if event[:6] == b"data: " and b"\nevent" not in event and b"\revent" not in event:
        return b""
    named = b""
    for name, value in _fields(event):
        if name == b"event":
            named = value
    return named


def write_event(data: bytes, event: bytes | None = None) -> bytes:
    """One event, whatever line ends `data` holds: each of its lines becomes a `data:` line.

    Raises ValueError when `event` holds a line end, which would let it write lines of its own.
    """
    head = b""
    if event is not None:
        if b"\n" in event or b"\r" in event:
            raise ValueError("an event's name cannot hold a line end")
        head = b"event: " + event + b"\n"
    if b"\n" not in data and b"\r" not in data:
        return head + b"data: " + data + b"\n\n"
    lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    return head + b"".join([b"data: " + line + b"\n" for line in lines]) + b"\n"


def _fields(event: bytes) -> list[tuple[bytes, bytes]]:
    fields: list[tuple[bytes, bytes]] = []
    for line in event.removeprefix(_BOM).splitlines():
        name, _, value = line.partition(b":")
        fields.append((name, value[1:] if value[:1] == b" " else value))
    return fields


def _too_large() -> UpstreamBroken:
    return UpstreamBroken(f"the upstream sent an event over {MAX_EVENT} bytes")
