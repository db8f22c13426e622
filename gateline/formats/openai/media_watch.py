"""Streams of pictures, transcripts and speech on their way through, byte for byte. Knows events and JSON, no HTTP.

Their events have a type, and the last one says that it is: `....completed` or `....done`. There is no `[DONE]` in
OpenAI's documentation of them; servers that send it mean the same.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from gateline.formats.openai.error import write_error
from gateline.formats.openai.media_usage import MediaUsage
from gateline.formats.openai.usage import read_usage
from gateline.formats.streamed import StreamedWatch
from gateline.formats.typed import UNREAD
from gateline.formats.vendor_error import stream_error
from gateline.model.errors import GatewayError, UpstreamBroken
from gateline.wire.sse import EventSplitter, event_data, event_name, named_data, plain_data, write_event

_ABSENT = Raw(b"")
_LAST = frozenset({
    "image_generation.completed", "image_edit.completed", "transcript.text.done", "speech.audio.done",
})  # fmt: skip


class _Event(msgspec.Struct):
    type: str = ""
    usage: Raw = _ABSENT
    error: Raw = _ABSENT


_decode_event = msgspec.json.Decoder(_Event).decode


class MediaCodec(StreamedWatch[bytes]):
    """See `contract.Codec`. `last` is the event that ends the stream. `results`: so many of those are expected, one a
    picture; a stream that ends in good order after fewer is whole too."""

    __slots__ = ("_expected", "_left", "_usage")

    def __init__(self, usage: MediaUsage, secret: str, results: int = 1) -> None:
        super().__init__(EventSplitter(), secret)
        self._usage = usage
        self._expected = self._left = results

    def _end(self, rest: bytes) -> None:
        self.done = self._left < self._expected

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        """Named and typed as the API's own, and in the one shape that every SDK takes for an error."""
        return write_event(b'{"type":"error",' + write_error(error, request_id)[1:], b"error")

    def _pass(self, raw: bytes) -> bytes:
        data = plain_data(raw) or named_data(raw) or event_data(raw)
        if data is None or not data.strip():
            return raw
        if data.strip() == b"[DONE]":
            return self._finish(raw)
        try:
            found = _decode_event(data)
        except UNREAD:
            raise UpstreamBroken("the upstream sent an event that is not a JSON object") from None
        kind = found.type or event_name(raw).decode("ascii", "replace")
        if kind == "error" or (found.error is not _ABSENT and bytes(found.error) != b"null"):
            raise stream_error(data, self._secret)
        if found.usage is not _ABSENT:
            # vLLM streams transcripts as chat chunks, with a chat's usage.
            self.usage = self._usage.read(data) or read_usage(data) or self.usage
        if kind in _LAST:
            self._left -= 1
            if self._left <= 0:
                return self._finish(raw)
        self.visible = True
        return raw

    def _finish(self, raw: bytes) -> bytes:
        self.done, self.last = True, raw
        return b""
