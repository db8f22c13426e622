"""A vendor's chat stream into deltas, however it was cut.

An answer's end is told once `[DONE]` has come: some vendors repeat a finish reason, or have more to say behind it.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Raw

from gateline.formats.openai.finish import read_finish
from gateline.formats.openai.reply import raise_reported, whole_seconds
from gateline.formats.openai.reply_parts import Said
from gateline.formats.openai.stencil import Stencil, stencil_of
from gateline.formats.openai.streamed_choice import StreamedChoice
from gateline.formats.openai.usage import usage_of_raw
from gateline.formats.typed import UNREAD
from gateline.formats.vendor_error import stream_error
from gateline.model.chat import Citation
from gateline.model.chatreply import Began, Cited, Counted, Delta, Finished, TextDelta
from gateline.model.errors import UpstreamBroken, UpstreamError
from gateline.wire.sse import EventSplitter, event_data, event_name, plain_data

_ABSENT = Raw(b"")
_HALF_PAIR = re.compile(
    rb"(\\u[dD][89abAB][0-9a-fA-F]{2})(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})(\\u[dD][c-fC-F][0-9a-fA-F]{2})"
)
_UNKNOWN = rb"\ufffd"
_LESSONS = 16  # events of as many stencils, and no more is learned from: such a stream has none that lasts
_PROBE = b"\xe2\x81\x82 probe"  # a text that stands in place of another


class _Piece(msgspec.Struct):
    delta: Said | None = None
    index: int | None = None
    finish_reason: str | None = None
    logprobs: Raw = _ABSENT
    usage: Raw = _ABSENT  # Moonshot's place for it
    error: Raw = _ABSENT


class _Chunk(msgspec.Struct):
    id: str | None = None
    created: float | None = None
    model: str | None = None
    choices: list[_Piece] | None = None
    usage: Raw = _ABSENT
    error: Raw = _ABSENT
    service_tier: str | None = None
    system_fingerprint: str | None = None
    citations: list[Any] | None = None


_decode = msgspec.json.Decoder(_Chunk).decode


class ChatReader:
    """See `contract.Reader`."""

    __slots__ = (
        "_choices", "_citations", "_first", "_half", "_id", "_last", "_lessons", "_secret", "_splitter", "_usual",
        "done", "error",
    )  # fmt: skip

    def __init__(self, secret: str = "") -> None:
        self._secret = secret
        self._splitter = EventSplitter()
        self._first: StreamedChoice | None = None  # choice 0, the usual one
        self._choices: dict[int, StreamedChoice] = {}
        self._citations: list[Any] = []
        self._id: str | None = None
        self._half = b""  # of a surrogate pair that was cut over two events
        self._last: Stencil | None = None  # of the last event that was read
        self._usual: Stencil | None = None  # of the last two, which told nothing but another text: the next may be one
        self._lessons = _LESSONS
        self.done = False
        self.error: UpstreamError | None = None

    def feed(self, data: bytes) -> list[Delta]:
        usual = self._usual
        if usual is not None and self._splitter.is_between:
            told = _told(usual, data)
            if told is not None:
                return [told]
        deltas: list[Delta] = []
        if self.done or self.error is not None:
            return deltas
        try:
            for event in self._splitter.feed(data):
                self._event(event, deltas)
                if self.done:
                    return deltas
        except UpstreamError as error:
            self.error = error
        return deltas

    def end(self) -> list[Delta] | None:
        if self.done or self.error is not None:
            return None
        deltas: list[Delta] = []
        try:
            # Some vendors close right behind the line, without the blank one that would end the event.
            if (event_data(self._splitter.rest()) or b"").strip() != b"[DONE]":
                raise UpstreamBroken("the upstream's stream broke off before its end")
            self._close(deltas)
        except UpstreamError as error:
            self.error = error
        return deltas

    def _event(self, event: bytes, deltas: list[Delta]) -> None:
        if self._usual is not None:
            told = _told(self._usual, event)
            if told is not None:
                deltas.append(told)
                return
            self._usual = None  # what follows this one may have to be seen in its light
        before = len(deltas)
        self._read(event, deltas)
        if self._lessons and len(deltas) == before + 1:
            self._learn(event, deltas[before])

    def _learn(self, event: bytes, delta: Delta) -> None:
        """Of two events in a row that told nothing but text, and have one stencil, that is how the next may look too:
        if what changes is what is told, and no other text that stands in the event."""
        if not isinstance(delta, TextDelta) or delta.choice or delta.logprobs is not None:
            self._last = None
            return
        self._lessons -= 1
        last, stencil = self._last, stencil_of(event, event)
        self._last = stencil
        if last is None or stencil is None or (last.before, last.behind) != (stencil.before, stencil.behind):
            return
        told: list[Delta] = []
        self._read(stencil.before + _PROBE + stencil.behind, told)
        if told == [TextDelta(text=_PROBE.decode())]:
            self._usual = stencil
            self._lessons = _LESSONS

    def _read(self, event: bytes, deltas: list[Delta]) -> None:
        data = plain_data(event)
        if data is None or data[:1] != b"{":
            data = (event_data(event) or b"").strip()
            if event_name(event) == b"error":
                raise stream_error(data, self._secret)
            if not data:
                return
            if data == b"[DONE]":
                self._close(deltas)
                return
        try:
            chunk = _decode(data)
        except UNREAD:
            chunk = self._mended(data)
        if chunk.error is not _ABSENT:
            raise_reported(chunk.error, self._secret)
        self._chunk(chunk, deltas)

    def _chunk(self, chunk: _Chunk, deltas: list[Delta]) -> None:
        pieces = chunk.choices
        if pieces:
            if self._id is None:
                self._begin(chunk, deltas)
            for piece in pieces:
                self._piece(piece, deltas, chunk.service_tier)
            if chunk.citations:
                self._citations = chunk.citations  # Perplexity repeats the list in every event
        if chunk.usage is not _ABSENT:
            self._count(chunk.usage, deltas, chunk.service_tier)

    def _begin(self, chunk: _Chunk, deltas: list[Delta]) -> None:
        self._id = chunk.id or ""
        deltas.append(
            Began(
                id=self._id,
                model=chunk.model or "",
                created=whole_seconds(chunk.created),
                service_tier=chunk.service_tier or "",
                fingerprint=chunk.system_fingerprint or "",
            )
        )

    def _piece(self, piece: _Piece, deltas: list[Delta], tier: str | None) -> None:
        if piece.error is not _ABSENT:
            raise_reported(piece.error, self._secret)
        choice = self._first if not piece.index else self._choices.get(piece.index)
        if choice is None:
            choice = self._open(piece.index or 0)
        if piece.delta is not None:
            choice.read(piece.delta, piece.logprobs, deltas)
        if piece.finish_reason is not None:
            choice.reason = piece.finish_reason or choice.reason
        if piece.usage is not _ABSENT:
            self._count(piece.usage, deltas, tier)

    def _open(self, index: int) -> StreamedChoice:
        if not 0 <= index < 128:
            raise UpstreamBroken("the upstream sent a choice that nobody asked for")
        choice = StreamedChoice(index, self._id or "")
        self._choices[index] = choice
        if index == 0:
            self._first = choice
        return choice

    def _count(self, raw: Raw, deltas: list[Delta], tier: str | None) -> None:
        usage = usage_of_raw(raw, tier)
        if usage is not None:
            deltas.append(Counted(usage=usage))

    def _close(self, deltas: list[Delta]) -> None:
        if not self._choices:
            raise UpstreamBroken("the upstream's stream ended without an answer")
        deltas += [Cited(citation=Citation(url=url)) for url in self._citations if isinstance(url, str)]
        for index, choice in sorted(self._choices.items()):
            choice.close(deltas)
            finish = read_finish(choice.reason, has_tools=choice.has_tools, has_refusal=choice.has_refusal)
            deltas.append(Finished(finish=finish, choice=index))
        self.done = True

    def _mended(self, data: bytes) -> _Chunk:
        """A chunk that msgspec refuses for half a surrogate pair: the half waits for the one in the next event."""
        try:
            return _decode(_HALF_PAIR.sub(self._join, data))
        except UNREAD:
            raise UpstreamBroken("the upstream sent an event that is not its format's") from None

    def _join(self, match: re.Match[bytes]) -> bytes:
        held, self._half = self._half, b""
        if match[1]:
            self._half = match[1]
            return _UNKNOWN if held else b""
        low: bytes = match[2]
        return held + low if held else _UNKNOWN


def _told(usual: Stencil, event: bytes) -> TextDelta | None:
    """What an event of the usual stencil tells; None for any other."""
    text = usual.text(event)
    if not text:
        return None
    try:
        return TextDelta(text=text.decode())
    except UnicodeDecodeError:
        return None  # read in full it is refused
