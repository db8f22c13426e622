"""The events of Anthropic's streams as they come: one struct with the fields of all kinds.

What kind an event is stands in its data too, so that its name need not be read.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from gateline.formats.anthropic.block import ABSENT, Block
from gateline.formats.anthropic.citation import Location
from gateline.formats.typed import UNREAD
from gateline.formats.vendor_error import explain
from gateline.model.errors import UpstreamBroken, UpstreamError
from gateline.wire.sse import event_data

_DATA = b"\ndata: "


class StopDetails(msgspec.Struct):
    explanation: str | None = None


class Delta(msgspec.Struct):
    """Of a block, or of the message."""

    type: str = ""
    text: str = ""
    partial_json: str = ""
    thinking: str = ""
    signature: str = ""
    citation: Location | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: StopDetails | None = None


class Started(msgspec.Struct):
    id: str = ""
    model: str = ""
    usage: Raw = ABSENT


class Event(msgspec.Struct):
    type: str = ""
    index: int = 0
    delta: Delta | None = None
    content_block: Block | None = None
    message: Started | None = None
    usage: Raw = ABSENT
    error: Raw = ABSENT


_decode = msgspec.json.Decoder(Event).decode
_decode_any = msgspec.json.Decoder().decode


def data_of(event: bytes) -> bytes | None:
    """The event's data; None when it has none. Nearly all are a name and one line of data."""
    at = event.find(_DATA)
    if at > 0 and event[:7] == b"event: " and event.find(b"\r") < 0:
        end = len(event) - 2
        if event.find(b"\n", at + 1) == end and event.find(b"\n") == at:
            return event[at + 7 : end]
    return event_data(event)


def read_event(data: bytes) -> Event:
    """Raises UpstreamBroken."""
    try:
        return _decode(data)
    except UNREAD:
        raise UpstreamBroken("Anthropic sent an event that is not its format's.") from None


def event_error(error: Raw, secret: str) -> UpstreamError:
    """What an error event says, with the vendor's word for it as the reason."""
    try:
        found = {"error": _decode_any(error)}
    except UNREAD:
        found = {}
    detail = explain(found, 502, secret=secret)
    return UpstreamError(detail.message, code=detail.code or detail.type)
