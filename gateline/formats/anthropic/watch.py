"""Anthropic's event streams on their way through: watched, not rewritten. Knows events and JSON, no HTTP.

Every event is parsed, so that a malformed one ends the stream instead of passing for an answer. What passes are the
bytes that came.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from gateline.formats.anthropic.block import ABSENT
from gateline.formats.anthropic.error import write_stream_error
from gateline.formats.anthropic.event import data_of, event_error
from gateline.formats.anthropic.usage import UsageObject, read_object
from gateline.formats.streamed import StreamedWatch
from gateline.formats.typed import UNREAD
from gateline.model.errors import GatewayError, UpstreamBroken
from gateline.wire.sse import EventSplitter

# The kinds of blocks of which a client sees nothing until something comes of them.
_SILENT = frozenset({"text", "thinking", "redacted_thinking"})


class _Delta(msgspec.Struct):
    text: str = ""
    partial_json: str = ""
    thinking: str = ""
    citation: Raw = ABSENT


class _Block(msgspec.Struct):
    type: str = ""


class _Message(msgspec.Struct):
    usage: Raw = ABSENT


class _FirstEvent(msgspec.Struct):
    type: str = ""
    delta: _Delta | None = None
    content_block: _Block | None = None
    message: _Message | None = None
    usage: Raw = ABSENT
    error: Raw = ABSENT

    def has_content(self) -> bool:
        delta, block = self.delta, self.content_block
        if block is not None:
            return block.type not in _SILENT
        if delta is None:
            return False
        return bool(delta.text or delta.partial_json or delta.thinking) or delta.citation is not ABSENT


class _Event(msgspec.Struct):
    type: str = ""
    usage: Raw = ABSENT
    error: Raw = ABSENT


_decode_first = msgspec.json.Decoder(_FirstEvent).decode
_decode_event = msgspec.json.Decoder(_Event).decode


class StreamCodec(StreamedWatch[bytes]):
    """See `contract.Codec`. `message_stop` is what ends a stream, and kept in `last`."""

    __slots__ = ("_usage",)

    def __init__(self, secret: str = "") -> None:
        super().__init__(EventSplitter(), secret)
        self._usage = UsageObject()

    def _end(self, rest: bytes) -> None:
        """An upstream that closes right behind the last line, without its blank line, has ended its stream."""
        self._pass(rest + b"\n\n")

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        return write_stream_error(error, request_id)

    def _pass(self, raw: bytes) -> bytes:
        data = data_of(raw)
        if not data:
            return raw
        found: _Event | _FirstEvent
        try:
            found = _decode_event(data) if self.visible else _decode_first(data)
        except UNREAD:
            raise UpstreamBroken("the upstream sent an event that is not its format's") from None
        kind = found.type
        if kind == "content_block_delta" and self.visible:
            return raw
        if kind == "error" or (not kind and found.error is not ABSENT):
            raise event_error(found.error, self._secret)
        if kind == "message_stop":
            self.done, self.last = True, raw
            return b""
        if isinstance(found, _FirstEvent):
            self.visible = found.has_content()
            if found.message is not None:
                self._count(found.message.usage)
        self._count(found.usage)
        return raw

    def _count(self, raw: Raw) -> None:
        usage = read_object(raw)
        if usage is not None:
            self._usage.note(usage)
            self.usage = self._usage.counts()
