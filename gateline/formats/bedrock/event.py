"""The events of Converse's streams as they come: one struct with the fields of all kinds. Which kind it is stands in
the message's headers."""

from __future__ import annotations

import msgspec

from gateline.formats.bedrock.block import SourcedQuote
from gateline.formats.bedrock.configuration import Tier
from gateline.formats.bedrock.usage import TokenUsage
from gateline.formats.typed import UNREAD
from gateline.model.errors import UpstreamBroken

KIND = ":event-type"
EVENT = "event"


class ReasoningDelta(msgspec.Struct, rename="camel"):
    text: str = ""
    signature: str = ""
    redacted_content: str = ""


class ToolDelta(msgspec.Struct):
    input: str = ""


class Delta(msgspec.Struct, rename="camel"):
    text: str = ""
    tool_use: ToolDelta | None = None
    reasoning_content: ReasoningDelta | None = None
    citation: SourcedQuote | None = None


class ToolStart(msgspec.Struct, rename="camel"):
    tool_use_id: str = ""
    name: str = ""
    type: str | None = None


class Start(msgspec.Struct, rename="camel"):
    tool_use: ToolStart | None = None


class Event(msgspec.Struct, rename="camel"):
    content_block_index: int = 0
    start: Start | None = None
    delta: Delta | None = None
    stop_reason: str = ""
    usage: TokenUsage | None = None
    service_tier: Tier | None = None


_decode = msgspec.json.Decoder(Event).decode


def read_event(payload: bytes) -> Event:
    """Raises UpstreamBroken."""
    try:
        return _decode(payload)
    except UNREAD:
        raise UpstreamBroken("Bedrock sent an event that is not its format's.") from None
