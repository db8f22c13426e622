"""Google's server-sent events, which are one `data:` line each and end in CR LF: such are taken as they come."""

from __future__ import annotations

from gateline.wire.bound import MAX_EVENT
from gateline.wire.sse import EventSplitter, event_data

_END = b"\r\n\r\n"


class Events:
    """Collects bytes and gives back whole events, each with its blank line."""

    __slots__ = ("_splitter",)

    def __init__(self) -> None:
        self._splitter = EventSplitter()

    def feed(self, data: bytes) -> list[bytes]:
        """Raises UpstreamBroken when an event grows over `MAX_EVENT`."""
        splitter = self._splitter
        if splitter.is_between and data[-4:] == _END and len(data) <= MAX_EVENT:
            last = len(data) - 4
            if data.find(b"\r") == last and data.find(b"\n") == last + 1:
                return [data]
            events = data.split(_END)
            events.pop()
            if all(event.find(b"\n") < 0 and event.find(b"\r") < 0 for event in events):
                return [event + _END for event in events]
        return splitter.feed(data)

    def rest(self) -> bytes:
        """What has come of an event that is not whole yet, less the space around it."""
        return self._splitter.rest().strip()


def data_of(event: bytes) -> bytes:
    """The event's data; empty when it has none, as a comment."""
    if event[:6] == b"data: " and event[-4:] == _END and event.find(b"\n") == len(event) - 3:
        return event[6:-4].strip()
    return (event_data(event) or b"").strip()
