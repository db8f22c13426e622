"""A response's stream on its way through, byte for byte. Knows events and JSON, no HTTP."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from gateline.formats.responses import events
from gateline.formats.responses.usage import UsageObject
from gateline.formats.streamed import StreamedWatch
from gateline.formats.tier import at_tier
from gateline.formats.typed import UNREAD
from gateline.formats.vendor_error import stream_error, writable
from gateline.model.errors import GatewayError, UpstreamBroken, UpstreamError
from gateline.wire.sse import EventSplitter, event_data, event_name, named_data

_ABSENT = Raw(b"")
# What comes ahead of anything that a client would see.
_UNSEEN = frozenset({
    "response.created", "response.queued", "response.in_progress",
    "response.output_item.added", "response.content_part.added", "response.reasoning_summary_part.added",
})  # fmt: skip
_WHOLE = frozenset({"response.completed", "response.incomplete"})
_FAILED = frozenset({"error", "response.failed", "response.cancelled"})


class _Event(msgspec.Struct):
    type: str = ""
    sequence_number: int = -1


class _Response(msgspec.Struct):
    usage: UsageObject | None = None
    service_tier: str | None = None
    error: Raw = _ABSENT


class _Last(msgspec.Struct):
    response: _Response | None = None


_decode_event = msgspec.json.Decoder(_Event).decode
_decode_last = msgspec.json.Decoder(_Last).decode


class ResponseCodec(StreamedWatch[bytes]):
    """See `contract.Codec`. `last` is the event that ends the stream, and holds the whole response: what a store of
    responses keeps."""

    __slots__ = ("_number",)

    def __init__(self, secret: str) -> None:
        super().__init__(EventSplitter(), secret)
        self._number = -1

    def _end(self, rest: bytes) -> None:
        """A vendor that closes right behind the last line, without its blank line, has ended its stream."""
        self._pass(rest + b"\n\n")

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        message = writable(str(error))
        if error.status >= 500 and request_id:
            message = f"{message} (request id {request_id})"
        param = error.param and writable(error.param)
        shown = events.ErrorObject(error.type, error.reason, message, param)
        return events.written(events.Error(error.reason, message, param, shown, self._number + 1))

    def _pass(self, raw: bytes) -> bytes:
        data = named_data(raw) or event_data(raw)
        if data is None:
            return raw
        if data == b"[DONE]" or not data.strip():
            return b""
        try:
            found = _decode_event(data)
        except UNREAD:
            raise UpstreamBroken("the upstream sent an event that is not a JSON object") from None
        kind = found.type or event_name(raw).decode("ascii", "replace")
        if found.sequence_number >= 0:
            self._number = found.sequence_number
        if kind in _WHOLE:
            self._note(data)
            self.done, self.last = True, raw
            return b""
        if kind in _FAILED:
            raise self._failed(data)
        if not self.visible and kind not in _UNSEEN:
            self.visible = True
        return raw

    def _note(self, data: bytes) -> _Response | None:
        """The response in an event that ends the stream, its usage noted; None where that is not its format's: then the
        usage is unknown, and the client has its answer all the same."""
        try:
            response = _decode_last(data).response
        except UNREAD:
            return None
        if response is not None and response.usage is not None:
            self.usage = at_tier(response.usage.counts(), response.service_tier)
        return response

    def _failed(self, data: bytes) -> UpstreamError:
        response = self._note(data)
        if response is not None:
            data = b'{"error":%b}' % (response.error or b"null")
        return stream_error(data, self._secret)
