"""Ollama's streams on their way through: watched, not rewritten. Knows lines and JSON, no HTTP.

Every line is parsed, so that a malformed one ends the stream instead of passing for an answer. What passes are the
bytes that came.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from gateline.formats.ollama.error import raise_reported, write_stream_error
from gateline.formats.ollama.message import ABSENT
from gateline.formats.ollama.usage import usage_of_reply
from gateline.formats.streamed import StreamedWatch
from gateline.formats.typed import UNREAD
from gateline.model.errors import GatewayError, UpstreamBroken
from gateline.wire.ndjson import LineSplitter

_EMPTY = frozenset({b"", b"null", b"[]"})


class _Said(msgspec.Struct):
    content: str | None = None
    thinking: str | None = None
    tool_calls: Raw = ABSENT


class _FirstLine(msgspec.Struct):
    message: _Said | None = None
    response: str | None = None
    thinking: str | None = None
    done: bool = False
    error: Raw = ABSENT

    def has_content(self) -> bool:
        if self.response or self.thinking:
            return True
        said = self.message
        if said is None:
            return False
        return bool(said.content or said.thinking) or bytes(said.tool_calls) not in _EMPTY


class _Line(msgspec.Struct):
    done: bool = False
    error: Raw = ABSENT


_decode_first = msgspec.json.Decoder(_FirstLine).decode
_decode_line = msgspec.json.Decoder(_Line).decode


class StreamCodec(StreamedWatch[bytes]):
    """See `contract.Codec`. The line that says `done` is what ends a stream, and kept in `last`; clients read lines, so
    it gets its end if it has none."""

    __slots__ = ()

    def __init__(self, secret: str = "") -> None:
        super().__init__(LineSplitter(), secret)

    def _end(self, rest: bytes) -> None:
        if rest:
            self._pass(rest + b"\n")

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        return write_stream_error(error, request_id)

    def _pass(self, raw: bytes) -> bytes:
        found: _Line | _FirstLine
        try:
            found = _decode_line(raw) if self.visible else _decode_first(raw)
        except UNREAD:
            raise UpstreamBroken("the upstream sent a line that is not its format's") from None
        raise_reported(found.error, self._secret)
        if isinstance(found, _FirstLine):
            self.visible = found.has_content()
        if not found.done:
            return raw
        self.done, self.last = True, raw
        self.usage = usage_of_reply(raw)
        return b""
