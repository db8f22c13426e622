"""Gemini's streams on their way through, server-sent events or an array: watched, not rewritten.

The stream has no terminator. So whatever may be its last event, one that comes after all finish reasons, is held back
until the next or the end: the end of the pipeline writes it once the record is noted.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from gateline.formats.gemini.candidate import Index
from gateline.formats.gemini.content import ABSENT
from gateline.formats.gemini.error import write_array_error, write_stream_error
from gateline.formats.gemini.events import Events, data_of
from gateline.formats.gemini.reader import loads, reported, usage_of
from gateline.formats.typed import UNREAD
from gateline.formats.vendor_error import reported_error
from gateline.model.call import Call
from gateline.model.errors import GatewayError, UpstreamBroken, UpstreamError
from gateline.model.usage import Usage
from gateline.wire.jsonarray import CLOSE, ElementSplitter, write_element
from gateline.wire.sse import event_data

_EMPTY = frozenset({b"[]", b'[{"text":""}]', b'[{"text": ""}]', b"null"})


class _Content(msgspec.Struct):
    parts: Raw = ABSENT


class _Candidate(msgspec.Struct, rename="camel"):
    content: _Content | None = None
    finish_reason: str | None = None
    index: Index | None = None


class _Feedback(msgspec.Struct, rename="camel"):
    block_reason: str | None = None


class _Event(msgspec.Struct, rename="camel"):
    candidates: list[_Candidate] | None = None
    prompt_feedback: _Feedback | None = None
    usage_metadata: Raw = ABSENT
    error: Raw = ABSENT


_decode = msgspec.json.Decoder(_Event).decode


class StreamCodec:
    """See `contract.Codec`."""

    __slots__ = (
        "_elements",
        "_events",
        "_finished",
        "_held",
        "_is_blocked",
        "_is_first",
        "_is_known",
        "_open",
        "_secret",
        "done",
        "error",
        "last",
        "usage",
        "visible",
    )

    def __init__(self, call: Call, secret: str) -> None:
        del call  # nothing of it changes what passes
        self._secret = secret
        self._events = Events()
        self._elements: ElementSplitter | None = None  # once the first byte says that it is an array
        self._is_known = False
        self._is_first = True
        self._open: set[int] = set()  # candidates that are to go on
        self._finished: set[int] = set()
        self._is_blocked = False
        self._held = b""
        self.visible = False
        self.done = False
        self.last = b""
        self.usage: Usage | None = None
        self.error: UpstreamError | None = None

    def feed(self, data: bytes) -> bytes:
        if self.error is not None or self.done:
            return b""
        if not self._is_known:
            first = data.lstrip()[:1]
            self._is_known = bool(first)
            if first == b"[":
                self._elements = ElementSplitter()
        relayed = []
        try:
            if self._elements is None:
                for event in self._events.feed(data):
                    relayed.append(self._pass(event, data_of(event)))
                    if self.error is not None:
                        break
            else:
                for element in self._elements.feed(data):
                    relayed.append(self._pass(None, element))
                    if self.error is not None:
                        break
        except UpstreamBroken as error:
            self.error = error
        return b"".join(relayed)

    def end(self) -> None:
        if self.error is not None or self.done:
            return
        if self._elements is None:
            rest = self._events.rest()
            is_cut = bool(rest)
            if rest:
                self.error = reported(loads(event_data(rest) or rest), self._secret)
        else:
            is_cut = not self._elements.is_closed
        if self.error is not None:
            return
        if is_cut or self._open or not (self._finished or self._is_blocked):
            self.error = UpstreamBroken("the upstream's stream broke off before its end")
            return
        self.done = True
        self.last = self._held + (CLOSE if self._elements is not None else b"")

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        if self._elements is None:
            return write_stream_error(error, request_id)
        return write_array_error(error, request_id, is_first=self._is_first)

    def _pass(self, event: bytes | None, data: bytes) -> bytes:
        """What passes for an event, or an element of an array (None)."""
        if not data:
            return event or b""  # a comment
        is_end = self._read(data)
        if self.error is not None:
            return b""
        passing = write_element(self._is_first, data) if event is None else event
        self._is_first = False
        held, self._held = self._held, passing if is_end else b""
        return held if is_end else held + passing

    def _read(self, data: bytes) -> bool:
        """Whether the event may be the last."""
        try:
            event = _decode(data)
        except UNREAD:
            self.error = UpstreamBroken("the upstream sent an event that is not of its format")
            return False
        if event.error is not ABSENT and bytes(event.error) != b"null":
            self.error = reported(loads(data), self._secret) or UpstreamError("the upstream reported an error")
            return False
        for candidate in event.candidates or ():
            index = candidate.index or 0
            if candidate.finish_reason is not None:
                self._finished.add(index)
                self._open.discard(index)
            elif index not in self._finished:
                self._open.add(index)
            if not self.visible and candidate.content is not None and bytes(candidate.content.parts) not in _EMPTY:
                self.visible = candidate.content.parts is not ABSENT
        if event.prompt_feedback is not None and event.prompt_feedback.block_reason:
            self._is_blocked = True
        usage = usage_of(event.usage_metadata)
        if usage is not None:
            self.usage = usage
        return not self._open and (bool(self._finished) or self._is_blocked)


def reported_reply(body: bytes, secret: str) -> UpstreamError | None:
    failed = reported_error(body, secret=secret)
    return None if failed is None else UpstreamError(failed.message, code=failed.code, param=failed.param)
