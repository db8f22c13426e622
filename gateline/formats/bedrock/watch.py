"""Converse's event streams on their way through: watched, not rewritten.

Every message's checksum is looked at, so that a malformed one ends the stream instead of passing for an answer. What
passes are the bytes that came. What is said in them is read until something of it can be seen, and at the end.
"""

from __future__ import annotations

from gateline.formats.bedrock.error import message_error, write_stream_error
from gateline.formats.bedrock.event import EVENT, KIND, Event, read_event
from gateline.model.call import Call
from gateline.model.errors import GatewayError, UpstreamBroken, UpstreamError
from gateline.model.usage import Usage
from gateline.wire.eventstream import Message, MessageSplitter


class StreamCodec:
    """See `contract.Codec`. A stream ends with `metadata`, which has the usage and follows `messageStop`: both are kept
    in `last`. One that ends between them is whole, its usage unknown."""

    __slots__ = ("_held", "_secret", "_splitter", "_used", "done", "error", "last", "usage", "visible")

    def __init__(self, call: Call, secret: str = "") -> None:
        self._secret = secret
        self._splitter = MessageSplitter()
        self._held = b""  # `messageStop`
        self._used = False
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
            for message in self._splitter.feed(data):
                if self._passes(message):
                    relayed.append(message.raw)
                if self.done:
                    break
        except UpstreamError as error:
            self.error = error
        return b"".join(relayed)

    def end(self) -> None:
        if self.done or self.error is not None:
            return
        if self._held and self._splitter.is_between:
            self.done, self.last = True, self._held
        else:
            self.error = UpstreamBroken("the upstream's stream broke off before its end")

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        return write_stream_error(error, request_id)

    def _passes(self, message: Message) -> bool:
        """False for what is kept for the end. Raises UpstreamError."""
        headers = message.headers
        if headers.get(":message-type") != EVENT:
            raise message_error(message, self._secret)
        kind = headers.get(KIND)
        if kind in {"contentBlockDelta", "contentBlockStart"}:
            event = read_event(message.payload)  # each: a malformed one must not pass for a part of the answer
            if not self.visible:
                self.visible = _is_visible(event)
        elif kind == "messageStop":
            self._held += message.raw
        elif kind == "metadata":
            usage = read_event(message.payload).usage
            self.usage = None if usage is None else usage.counts()
            self._used = True
            if not self._held:
                return True  # it came ahead of the message's end
            self._held += message.raw
        else:
            return True
        if not self._held:
            return True
        if self._used:
            self.done, self.last = True, self._held
        return False


def _is_visible(event: Event) -> bool:
    if event.start is not None and event.start.tool_use is not None:
        return True
    delta = event.delta
    if delta is None:
        return False
    thought = delta.reasoning_content
    return bool(delta.text or delta.tool_use or delta.citation or (thought is not None and thought.text))
