"""The events of Cohere's streams as they come: one struct with the fields of all kinds."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from gateline.formats.cohere.message import LogprobItem, QuotedCitation, ToolCall
from gateline.formats.cohere.usage import UsageObject
from gateline.formats.typed import UNREAD
from gateline.model.errors import UpstreamBroken

DONE = b"[DONE]"


class ContentDelta(msgspec.Struct):
    type: str = ""
    text: str = ""
    thinking: str = ""
    signature: str | None = None


class Message(msgspec.Struct):
    """At the message's start the members are empty lists."""

    content: ContentDelta | list[Raw] | None = None
    tool_plan: str | None = None
    tool_calls: ToolCall | list[Raw] | None = None
    citations: QuotedCitation | list[Raw] | None = None


class Delta(msgspec.Struct):
    message: Message | None = None
    finish_reason: str | None = None
    usage: UsageObject | None = None
    error: str | None = None


class Event(msgspec.Struct):
    """`message` is that of an error object, which has no type."""

    type: str = ""
    id: str | None = None
    index: int | None = None
    delta: Delta | None = None
    logprobs: LogprobItem | list[LogprobItem] | None = None
    message: str | None = None


_decode = msgspec.json.Decoder(Event).decode


def read_event(data: bytes) -> Event:
    """Raises UpstreamBroken."""
    try:
        return _decode(data)
    except UNREAD:
        raise UpstreamBroken("Cohere sent an event that is not its format's.") from None
