"""Converse's event streams on their way through: watched, not rewritten.

Every message's checksum is looked at, so that a malformed one ends the stream instead of passing for an answer. What
passes are the bytes that came. What is said in them is read until something of it can be seen, and at the end.
"""

from __future__ import annotations

from gateline.formats.bedrock.error import message_error, write_stream_error
from gateline.formats.bedrock.event import EVENT, KIND, Event, read_event
from gateline.formats.bedrock.usage import told_usage
from gateline.formats.streamed import StreamedWatch
from gateline.model.call import Call
from gateline.model.errors import GatewayError
from gateline.wire.eventstream import Message, MessageSplitter


class StreamCodec(StreamedWatch[Message]):
    """See `contract.Codec`. A stream ends with `metadata`, which has the usage and follows `messageStop`: both are kept
    in `last`. One that ends between them is whole, its usage unknown."""

    __slots__ = ("_held", "_used")

    def __init__(self, call: Call, secret: str = "") -> None:
        super().__init__(MessageSplitter(), secret)
        self._held = b""  # `messageStop`
        self._used = False

    def _end(self, rest: bytes) -> None:
        self.done, self.last = bool(self._held) and not rest, self._held

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        return write_stream_error(error, request_id)

    def _pass(self, message: Message) -> bytes:
        headers = message.headers
        if headers.get(":message-type") != EVENT:
            raise message_error(message, self._secret)
        kind = headers.get(KIND)
        if kind == "messageStop":
            self._held = self._held or message.raw
        elif kind == "metadata":
            event = read_event(message.payload)
            self.usage = told_usage(event.usage, event.service_tier)
            self._used = True
            if not self._held:
                return message.raw  # it came ahead of the message's end
            self._held += message.raw
        else:
            if kind in {"contentBlockDelta", "contentBlockStart"}:
                event = read_event(message.payload)  # each: a malformed one must not pass for a part of the answer
                if not self.visible:
                    self.visible = _is_visible(event)
            return message.raw
        if self._used:
            self.done, self.last = True, self._held
        return b""


def _is_visible(event: Event) -> bool:
    if event.start is not None and event.start.tool_use is not None:
        return True
    delta = event.delta
    if delta is None:
        return False
    thought = delta.reasoning_content
    return bool(delta.text or delta.tool_use or delta.citation or (thought is not None and thought.text))
