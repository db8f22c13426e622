"""A response's stream on its way through, byte for byte. Knows events and JSON, no HTTP."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from gateline.formats.responses import events
from gateline.formats.responses.reader import MAX_EVENT
from gateline.formats.responses.usage import UsageObject
from gateline.formats.typed import UNREAD
from gateline.formats.vendor_error import explain, writable
from gateline.model.errors import GatewayError, UpstreamBroken, UpstreamError
from gateline.model.usage import Usage
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
    error: Raw = _ABSENT


class _Last(msgspec.Struct):
    response: _Response | None = None


_decode_event = msgspec.json.Decoder(_Event).decode
_decode_last = msgspec.json.Decoder(_Last).decode


class ResponseCodec:
    """See `contract.Codec`. `last` is the event that ends the stream, and holds the whole response: what a store of
    responses keeps."""

    __slots__ = ("_number", "_secret", "_splitter", "done", "error", "last", "usage", "visible")

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._splitter = EventSplitter(MAX_EVENT)
        self._number = -1
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
        if not self.done and self.error is None:
            self.error = UpstreamBroken("the upstream's stream broke off before its end")

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        message = writable(str(error))
        if error.status >= 500 and request_id:
            message = f"{message} (request id {request_id})"
        param = error.param and writable(error.param)
        shown = events.ErrorObject(error.type, error.reason, message, param)
        return events.written(events.Error(error.reason, message, param, shown, self._number + 1))

    def _passes(self, event: bytes) -> bool:
        data = named_data(event) or event_data(event)
        if data is None:
            return True
        if data == b"[DONE]" or not data.strip():
            return False
        try:
            found = _decode_event(data)
        except UNREAD:
            self.error = UpstreamBroken("the upstream sent an event that is not a JSON object")
            return False
        kind = found.type or event_name(event).decode("ascii", "replace")
        if found.sequence_number >= 0:
            self._number = found.sequence_number
        if kind in _WHOLE:
            self._finish(event, data)
            return False
        if kind in _FAILED:
            self._fail(data)
            return False
        if not self.visible and kind not in _UNSEEN:
            self.visible = True
        return True

    def _finish(self, event: bytes, data: bytes) -> None:
        try:
            response = _decode_last(data).response
        except UNREAD:
            response = None  # its usage is unknown, and the client has its answer all the same
        if response is not None and response.usage is not None:
            self.usage = response.usage.counts()
        self.last = event
        self.done = True

    def _fail(self, data: bytes) -> None:
        try:
            response = _decode_last(data).response
            if response is not None and response.usage is not None:
                self.usage = response.usage.counts()
            found = msgspec.json.decode(data if response is None else b'{"error":%b}' % (response.error or b"null"))
        except UNREAD:
            found = None
        detail = explain(found, 502, secret=self._secret)
        self.error = UpstreamError(detail.message, code=detail.code, param=detail.param)
