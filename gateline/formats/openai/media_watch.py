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
from gateline.formats.typed import UNREAD
from gateline.formats.vendor_error import explain
from gateline.model.errors import GatewayError, UpstreamBroken, UpstreamError
from gateline.model.usage import Usage
from gateline.wire.sse import EventSplitter, event_data, event_name, named_data, plain_data, write_event

MAX_EVENT = 32 * 1024 * 1024  # bytes: a picture stands whole in one event

_ABSENT = Raw(b"")
_LAST = frozenset({
    "image_generation.completed", "image_edit.completed", "transcript.text.done", "speech.audio.done",
})  # fmt: skip


class _Event(msgspec.Struct):
    type: str = ""
    usage: Raw = _ABSENT
    error: Raw = _ABSENT


_decode_event = msgspec.json.Decoder(_Event).decode


class MediaCodec:
    """See `contract.Codec`. `last` is the event that ends the stream. `results`: so many of those are expected, one a
    picture; a stream that ends in good order after fewer is whole too."""

    __slots__ = ("_expected", "_left", "_secret", "_splitter", "_usage", "done", "error", "last", "usage", "visible")

    def __init__(self, usage: MediaUsage, secret: str, results: int = 1) -> None:
        self._usage = usage
        self._secret = secret
        self._expected = self._left = results
        self._splitter = EventSplitter(MAX_EVENT)
        self.visible = False
        self.done = False
        self.last = b""
        self.usage: Usage | None = None
        self.error: UpstreamError | None = None

    def feed(self, data: bytes) -> bytes:
        if self.done or self.error is not None:
            return b""
        try:
            found = self._splitter.feed(data)
        except UpstreamBroken as error:
            self.error = error
            return b""
        relayed: list[bytes] = []
        for event in found:
            if self._passes(event):
                relayed.append(event)
            if self.done or self.error is not None:
                break
        return relayed[0] if len(relayed) == 1 else b"".join(relayed)

    def end(self) -> None:
        if self.done or self.error is not None:
            return
        if self._left < self._expected:
            self.done = True
        else:
            self.error = UpstreamBroken("the upstream's stream broke off before its end")

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        """Named and typed as the API's own, and in the one shape that every SDK takes for an error."""
        return write_event(b'{"type":"error",' + write_error(error, request_id)[1:], b"error")

    def _passes(self, event: bytes) -> bool:
        data = plain_data(event) or named_data(event) or event_data(event)
        if data is None or not data.strip():
            return True
        if data.strip() == b"[DONE]":
            self.done = True
            self.last = event
            return False
        try:
            found = _decode_event(data)
        except UNREAD:
            self.error = UpstreamBroken("the upstream sent an event that is not a JSON object")
            return False
        kind = found.type or event_name(event).decode("ascii", "replace")
        if kind == "error" or (found.error is not _ABSENT and bytes(found.error) != b"null"):
            self._fail(data)
            return False
        if found.usage is not _ABSENT:
            # vLLM streams transcripts as chat chunks, with a chat's usage.
            self.usage = self._usage.read(data) or read_usage(data) or self.usage
        if kind in _LAST:
            self._left -= 1
            if self._left <= 0:
                self.done = True
                self.last = event
                return False
        self.visible = True
        return True

    def _fail(self, data: bytes) -> None:
        try:
            found = msgspec.json.decode(data)
        except UNREAD:
            found = None
        detail = explain(found, 502, secret=self._secret)
        self.error = UpstreamError(detail.message, code=detail.code, param=detail.param)
