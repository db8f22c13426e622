"""OpenAI's event streams on their way through: watched, not rewritten. Knows events and JSON, no HTTP.

Every event is parsed, so that a malformed one ends the stream instead of passing for an answer. What passes are the
bytes that came, but for one thing: usage was asked of the upstream for the ledger, and a client that did not ask for
it does not get it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, NoReturn

import msgspec
from msgspec import UNSET, Raw, UnsetType

from gateline.formats.openai_error import explain
from gateline.formats.openai_usage import UsageObject, read_usage
from gateline.model.errors import UpstreamBroken, UpstreamError
from gateline.model.usage import Usage
from gateline.wire.sse import EventSplitter, event_data, event_name, plain_data, write_event

DONE = b"data: [DONE]\n\n"

_ABSENT = Raw(b"")  # Raw takes no part in unions: null arrives as the bytes of null
_EMPTY = frozenset({b"null", b'""', b"[]", b"{}"})
_KEY = b'"usage"'
_USUAL = frozenset({b',"usage":null}', b',"usage":null,'})
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
_UNREAD = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class StreamCodec:
    """Follows one stream of one attempt.

    visible: an event with content, a tool call, reasoning, a refusal or completion text has come.
    usage: the last usage the upstream sent. finished: a finish_reason has come.
    done: `[DONE]` has come; it is kept in `last`, for the end of the pipeline to write once the record is noted.
    error: the stream is broken or reported an error; nothing of it passes from there on. Write an error event.
    """

    __slots__ = ("_keep_usage", "_secret", "_splitter", "done", "error", "finished", "last", "usage", "visible")

    def __init__(self, include_usage: bool, *, secret: str = "") -> None:
        """`include_usage`: the client asked for usage itself, so all bytes pass as they are. `secret`: the credential
        that was sent, which no error may show."""
        self._keep_usage = include_usage
        self._secret = secret
        self._splitter = EventSplitter()
        self.visible = False
        self.finished = False
        self.done = False
        self.last = b""
        self.usage: Usage | None = None
        self.error: UpstreamError | None = None

    def feed(self, data: bytes) -> bytes:
        """The bytes to relay now: whole events only, without `[DONE]`. Empty after `done` or `error`."""
        if self.done or self.error is not None:
            return b""
        try:
            events = self._splitter.feed(data)
        except UpstreamBroken as error:
            self.error = error
            return b""
        if len(events) == 1:
            return self._event(events[0])
        relayed: list[bytes] = []
        for event in events:
            relayed.append(self._event(event))
            if self.done or self.error is not None:
                break
        return b"".join(relayed)

    def end(self) -> str | None:
        """At the upstream's end: None if the stream was whole, else what is wrong with it, as `error` says too.

        An upstream that closes right behind the line `data: [DONE]`, without its blank line, has ended its stream.
        """
        if self.error is None and not self.done:
            if (event_data(self._splitter.rest()) or b"").strip() == b"[DONE]":
                self.done = True
                self.last = DONE
            else:
                self.error = UpstreamBroken("the upstream's stream broke off before its end")
        return None if self.error is None else str(self.error)

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
                self.done = True
                self.last = event
                return b""
        try:
            chunk = _decode_chunk(data) if self.visible else _decode_first(data)
        except _UNREAD:
            return self._unusual(event, data)
        if chunk.error is not _ABSENT and bytes(chunk.error) != b"null":
            return self._fail(data)
        choices = chunk.choices
        if choices:
            self._note(choices)
        usage = chunk.usage
        if usage is UNSET:
            return event
        if usage is None:
            return event if self._keep_usage else _without_null_usage(event, data)
        self.usage = usage.counts() or self.usage
        return event if choices or self._keep_usage else b""

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
    key = event.find(_KEY)
    plain = event.find(b"\\") < 0 or (event.find(b"\\u006") < 0 and event.find(b"\\u007") < 0)
    if plain and event[key - 1 : key + 13] in _USUAL and event.find(_KEY, key + 13) < 0:
        return event[: key - 1] + event[key + 12 :]
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
    except _UNREAD:
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
