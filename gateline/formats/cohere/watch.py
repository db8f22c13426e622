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
from gateline.formats.streamed import StreamedWatch
from gateline.formats.typed import UNREAD
from gateline.model.call import Call
from gateline.model.errors import GatewayError, UpstreamBroken
from gateline.wire.sse import EventSplitter, event_data


class _Event(msgspec.Struct):
    type: str = ""


_decode = msgspec.json.Decoder(_Event).decode


class StreamCodec(StreamedWatch[bytes]):
    """See `contract.Codec`. A stream ends with `[DONE]` behind the message's end; both are kept in `last`, and nothing
    that came between them. One that ends there is whole."""

    __slots__ = ("_held",)

    def __init__(self, call: Call, secret: str = "") -> None:
        super().__init__(EventSplitter(), secret)
        self._held = b""  # the message's end

    def _end(self, rest: bytes) -> None:
        """An upstream that closes right behind the last line, without its blank line, has ended its stream."""
        if rest.strip():
            self._pass(rest + b"\n\n")
        if not self.done:
            self.done, self.last = bool(self._held), self._held

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        return write_stream_error(error, request_id)

    def _pass(self, raw: bytes) -> bytes:
        data = event_data(raw)
        if not data:
            return b"" if self._held else raw
        if data.strip() == DONE:
            if not self._held:
                raise UpstreamBroken("the upstream's stream ended before its message did")
            self.done, self.last = True, self._held + raw
            return b""
        try:
            kind = _decode(data).type
        except UNREAD:
            raise UpstreamBroken("the upstream sent an event that is not its format's") from None
        if kind == "message-end":
            self._close(data)
            self._held = raw
        elif not self.visible or not kind:
            self._look(data)
        return b"" if self._held else raw

    def _close(self, data: bytes) -> None:
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
