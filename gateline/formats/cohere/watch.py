"""Cohere's event streams on their way through: watched, not rewritten.

Every event is parsed, so that a malformed one ends the stream instead of passing for an answer. What passes are the
bytes that came.
"""

from __future__ import annotations

import msgspec

from gateline.formats.cohere.error import event_error, write_stream_error
from gateline.formats.cohere.event import DONE, ContentDelta, read_event
from gateline.formats.cohere.finish import read_finish
from gateline.formats.cohere.message import QuotedCitation, ToolCall
from gateline.formats.typed import UNREAD
from gateline.model.call import Call
from gateline.model.errors import GatewayError, UpstreamBroken, UpstreamError
from gateline.model.usage import Usage
from gateline.wire.sse import EventSplitter, event_data


class _Event(msgspec.Struct):
    type: str = ""


_decode = msgspec.json.Decoder(_Event).decode


class StreamCodec:
    """See `contract.Codec`. A stream ends with `[DONE]` behind the message's end; both are kept in `last`. One that
    ends between them is whole."""

    __slots__ = ("_held", "_secret", "_splitter", "done", "error", "last", "usage", "visible")

    def __init__(self, call: Call, secret: str = "") -> None:
        self._secret = secret
        self._splitter = EventSplitter()
        self._held = b""  # from the message's end on
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
                if self._passes(event_data(event)):
                    relayed.append(event)
                else:
                    self._held += event
                if self.done:
                    self.last = self._held
                    break
        except UpstreamError as error:
            self.error = error
        return b"".join(relayed)

    def end(self) -> None:
        """An upstream that closes right behind the last line, without its blank line, has ended its stream."""
        if self.done or self.error is not None:
            return
        rest = self._splitter.rest()
        try:
            if rest.strip() and not self._passes(event_data(rest)):
                self._held += rest + b"\n\n"
        except UpstreamError as error:
            self.error = error
            return
        if self._held:
            self.done, self.last = True, self._held
        else:
            self.error = UpstreamBroken("the upstream's stream broke off before its end")

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        return write_stream_error(error, request_id)

    def _passes(self, data: bytes | None) -> bool:
        """False for what is kept for the end. Raises UpstreamError."""
        if not data:
            return not self._held
        if data.strip() == DONE:
            if not self._held:
                raise UpstreamBroken("the upstream's stream ended before its message did")
            self.done = True
            return False
        try:
            kind = _decode(data).type
        except UNREAD:
            raise UpstreamBroken("the upstream sent an event that is not its format's") from None
        if kind == "message-end":
            self._end(data)
            return False
        if not self.visible or not kind:
            self._look(data)
        return not self._held

    def _end(self, data: bytes) -> None:
        delta = read_event(data).delta
        if delta is None:
            return
        if delta.error:
            raise event_error(delta.error, self._secret)
        read_finish(delta.finish_reason or "")
        self.usage = None if delta.usage is None else delta.usage.counts()

    def _look(self, data: bytes) -> None:
        event = read_event(data)
        if not event.type and event.message is not None:
            raise event_error({"message": event.message}, self._secret)
        message = None if event.delta is None else event.delta.message
        if message is None:
            return
        content = message.content
        self.visible = (
            (isinstance(content, ContentDelta) and bool(content.text or content.thinking))
            or bool(message.tool_plan)
            or isinstance(message.tool_calls, ToolCall)
            or isinstance(message.citations, QuotedCitation)
        )
