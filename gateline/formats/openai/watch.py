"""OpenAI's event streams on their way through: watched, not rewritten. Knows events and JSON, no HTTP.

Every event is parsed, so that a malformed one ends the stream instead of passing for an answer. What passes are the
bytes that came, but for one thing: usage was asked of the upstream for the ledger, and a client that did not ask for
it does not get it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import msgspec
from msgspec import UNSET, Raw, UnsetType

from gateline.formats.openai.error import write_stream_error
from gateline.formats.openai.stencil import Stencil, stencil_of
from gateline.formats.openai.usage import UsageObject, read_usage
from gateline.formats.tier import at_told_tier
from gateline.formats.typed import UNREAD
from gateline.formats.vendor_error import explain
from gateline.model.errors import GatewayError, UpstreamBroken, UpstreamError
from gateline.model.usage import Usage
from gateline.wire.bound import MAX_EVENT
from gateline.wire.sse import EventSplitter, event_data, event_name, plain_data, write_event

DONE = b"data: [DONE]\n\n"

_ABSENT = Raw(b"")  # Raw takes no part in unions: null arrives as the bytes of null
_EMPTY = frozenset({b"null", b'""', b"[]", b"{}"})
_KEY = b'"usage"'
_NULLS = frozenset({b":null}", b":null,"})
_LESSONS = 16  # events of as many stencils, and no more is learned from: such a stream has none that lasts
# A comma or brace ahead of the quote proves that the quote is not inside a string: there it would have ended it.
_ANY_USAGE = re.compile(rb'[{,]\s*"usage"\s*:')
_NULL_USAGE = re.compile(rb'([{,])\s*"usage"\s*:\s*null\s*([,}])')


class _Delta(msgspec.Struct):
    content: Raw = _ABSENT
    tool_calls: Raw = _ABSENT
    function_call: Raw = _ABSENT
    reasoning_content: Raw = _ABSENT
    reasoning: Raw = _ABSENT
    refusal: Raw = _ABSENT
    audio: Raw = _ABSENT


class _FirstChoice(msgspec.Struct):
    delta: _Delta | None = None
    text: str | None = None
    finish_reason: str | None = None

    def has_content(self) -> bool:
        if self.text:
            return True
        delta = self.delta
        return delta is not None and any(
            value is not _ABSENT and bytes(value) not in _EMPTY
            for value in (
                delta.content,
                delta.tool_calls,
                delta.reasoning_content,
                delta.reasoning,
                delta.refusal,
                delta.function_call,
                delta.audio,
            )
        )


class _Choice(msgspec.Struct):
    finish_reason: str | None = None


class _FirstChunk(msgspec.Struct):
    choices: list[_FirstChoice] | None = None
    usage: UsageObject | UnsetType | None = UNSET
    error: Raw = _ABSENT


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: UsageObject | UnsetType | None = UNSET
    error: Raw = _ABSENT


_decode_first = msgspec.json.Decoder(_FirstChunk).decode
_decode_chunk = msgspec.json.Decoder(_Chunk).decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode


class StreamCodec:
    """Follows one stream of one attempt.

    visible: an event with content, a tool call, reasoning, a refusal or completion text has come.
    usage: the last usage the upstream sent. finished: a finish_reason has come.
    done: `[DONE]` has come; it is kept in `last`, for the end of the pipeline to write once the record is noted.
    error: the stream is broken or reported an error; nothing of it passes from there on. Write an error event.
    """

    __slots__ = (
        "_keep_usage",
        "_last_stencil",
        "_lessons",
        "_secret",
        "_splitter",
        "_usual",
        "done",
        "error",
        "finished",
        "last",
        "usage",
        "visible",
    )

    def __init__(self, include_usage: bool, *, secret: str = "") -> None:
        """`include_usage`: the client asked for usage itself, so all bytes pass as they are. `secret`: the credential
        that was sent, which no error may show."""
        self._keep_usage = include_usage
        self._secret = secret
        self._splitter = EventSplitter()
        self._last_stencil: Stencil | None = None  # of the last event that was read
        self._usual: Stencil | None = None  # of the last two, while the next may be another
        self._lessons = _LESSONS
        self.visible = False
        self.finished = False
        self.done = False
        self.last = b""
        self.usage: Usage | None = None
        self.error: UpstreamError | None = None

    def feed(self, data: bytes) -> bytes:
        """The bytes to relay now: whole events only, without `[DONE]`. Empty after `done` or `error`."""
        usual = self._usual
        if usual is not None and self._splitter.is_between:
            relayed = usual.relay(data)
            if relayed is not None:
                return relayed
        return self._feed(data)

    def _feed(self, data: bytes) -> bytes:
        if self.done or self.error is not None:
            return b""
        splitter = self._splitter
        stop = len(data) - 2
        if (
            splitter.is_between
            and data[:7] == b"data: {"
            and data.find(b"\n") == stop <= MAX_EVENT - 2
            and data[-1:] == b"\n"
            and data.find(b"\r") < 0
        ):
            relayed = self._object(data, data[6:stop])
        else:
            relayed = b"".join(self._events(data))
        if self.done or self.error is not None:
            self._usual = None
        return relayed

    def _events(self, data: bytes) -> Iterator[bytes]:
        """What passes for each event that `data` completes."""
        try:
            events = self._splitter.feed(data)
        except UpstreamBroken as error:
            self.error = error
            return
        for event in events:
            relayed = self._usual.relay(event) if self._usual is not None else None
            yield self._event(event) if relayed is None else relayed
            if self.done or self.error is not None:
                return

    def end(self) -> str | None:
        """At the upstream's end: None if the stream was whole, else what is wrong with it, as `error` says too.

        An upstream that closes right behind the line `data: [DONE]`, without its blank line, has ended its stream.
        """
        if self.error is None and not self.done:
            if (event_data(self._splitter.rest()) or b"").strip() == b"[DONE]":
                self._close(DONE)
            else:
                self.error = UpstreamBroken("the upstream's stream broke off before its end")
        return None if self.error is None else str(self.error)

    @property
    def is_between(self) -> bool:
        """Whether no event is half there."""
        return self._splitter.is_between

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        """One event that ends a broken stream. No `[DONE]` may follow it: that would say the answer is whole."""
        return write_stream_error(error, request_id)

    def _event(self, event: bytes) -> bytes:
        data = plain_data(event)
        if data is None or data[:1] != b"{":
            found = event_data(event)
            data = b"" if found is None else found.strip()
            if event_name(event) == b"error":
                return self._fail(data)
            if not data:
                return event
            if data == b"[DONE]":
                self._close(event)
                return b""
        return self._object(event, data)

    def _close(self, last: bytes) -> None:
        if not self.visible and not self.finished:
            self.error = UpstreamBroken("the upstream's stream ended without an answer")
            return
        self.done = True
        self.last = last

    def _object(self, event: bytes, data: bytes) -> bytes:
        """An event whose data should be a JSON object."""
        try:
            chunk = _decode_chunk(data) if self.visible else _decode_first(data)
        except UNREAD:
            return self._unusual(event, data)
        if chunk.error is not _ABSENT and bytes(chunk.error) != b"null":
            return self._fail(data)
        choices = chunk.choices
        if choices:
            self._note(choices)
        usage = chunk.usage
        if usage is UNSET or usage is None:
            relayed = event if usage is UNSET or self._keep_usage else _without_null_usage(event, data)
            if self._lessons and self.visible and not self.finished:
                self._learn(event, relayed)
            return relayed
        self.usage = at_told_tier(usage.counts(), data) or self.usage
        return event if choices or self._keep_usage else b""

    def _learn(self, event: bytes, relayed: bytes) -> None:
        """Of two events in a row with one stencil, the stencil is what a third will be held against."""
        self._lessons -= 1
        last, stencil = self._last_stencil, stencil_of(event, relayed)
        self._last_stencil = stencil
        if last is not None and stencil is not None and (last.before, last.behind) == (stencil.before, stencil.behind):
            self._usual = stencil
            self._lessons = _LESSONS

    def _note(self, choices: Sequence[_FirstChoice | _Choice]) -> None:
        for choice in choices:
            if choice.finish_reason is not None:
                self.finished = True
            if not self.visible and isinstance(choice, _FirstChoice) and choice.has_content():
                self.visible = True

    def _unusual(self, event: bytes, data: bytes) -> bytes:
        """Not typed as OpenAI does it, or with half an emoji that the next event completes (msgspec refuses both):
        what can be read is read, and the bytes pass."""
        chunk = _loads(data)
        if not isinstance(chunk, dict):
            self.error = UpstreamBroken("the upstream sent an event that is not a JSON object")
            return b""
        if chunk.get("error") is not None:
            return self._fail(data)
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict):
                self.finished = self.finished or choice.get("finish_reason") is not None
                self.visible = self.visible or bool(choice.get("delta") or choice.get("text"))
        if "usage" not in chunk:
            return event
        self.usage = read_usage(data) or self.usage
        if self._keep_usage:
            return event
        if chunk["usage"] is None:
            return _without_null_usage(event, data)
        return event if choices else b""

    def _fail(self, data: bytes) -> bytes:
        detail = explain(_loads(data), 502, secret=self._secret)
        self.error = UpstreamError(detail.message, code=detail.code, param=detail.param)
        return b""


def _without_null_usage(event: bytes, data: bytes) -> bytes:
    """The event without its top-level `"usage":null`, every other byte as it was.

    The caller has decoded a null at the top level. If the key is written exactly once, that is the one; an
    escaped letter could hide a second spelling of it. Otherwise the object is written again from its members.
    """
    before, _, behind = event.partition(_KEY)
    plain = event.find(b"\\") < 0 or (event.find(b"\\u006") < 0 and event.find(b"\\u007") < 0)
    if plain and before[-1:] == b"," and behind[:6] in _NULLS and behind.find(_KEY) < 0:
        return before[:-1] + behind[5:]
    match = _NULL_USAGE.search(event)
    if match is not None and plain and len(_ANY_USAGE.findall(event)) == 1:
        start, end = match.end(1), match.start(2)
        if match[1] == b",":
            start -= 1
        elif match[2] == b",":
            end += 1
        return event[:start] + event[end:]
    try:
        fields = _decode_fields(data)
    except UNREAD:
        return event
    fields.pop("usage", None)
    return write_event(msgspec.json.encode(fields), event_name(event) or None)


def _loads(data: bytes) -> Any:
    """JSON as most clients read it, None for what they cannot read."""
    try:
        return json.loads(data.decode("utf-8", "replace"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
