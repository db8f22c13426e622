"""Deltas as the lines of a stream, of `/api/chat` and of `/api/generate`.

A tool call stands whole in one line, so its pieces are held until it is; the last line has the reason, the counts, and
the outline of the answer where one is needed (`outline.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateline.formats.held_call import HeldCall
from gateline.formats.moment import EPOCH, rfc3339
from gateline.formats.ollama.error import write_stream_error
from gateline.formats.ollama.logprobs import Logprob, write_logprobs
from gateline.formats.ollama.outline import Outline
from gateline.formats.ollama.reply import WrittenSaid, end_of, write_call
from gateline.formats.omitted import words_for
from gateline.model.chat import Chat, Choice, Finish, Tokens
from gateline.model.chatreply import (
    Began,
    Counted,
    Delta,
    Finished,
    MediaDelta,
    ReasoningDelta,
    ReasoningSealed,
    RefusalDelta,
    TextDelta,
    ToolBegan,
    ToolDelta,
)
from gateline.model.errors import GatewayError
from gateline.model.usage import Usage

_MOST_OPEN = 1_024  # calls at once
_encode = msgspec.json.Encoder().encode


class _Head(msgspec.Struct):
    model: str
    created_at: str


class _Probed(msgspec.Struct):
    logprobs: list[Logprob]


class ChatWriter:
    """See `contract.Writer`. Ollama has one answer: others than the first are left out."""

    __slots__ = ("_calls", "_finish", "_head", "_model", "_outline", "_usage", "_written")

    def __init__(self, chat: Chat, request_id: str) -> None:
        self._model = chat.model
        self._head = b""
        self._outline = Outline()
        self._calls: dict[int, HeldCall] = {}
        self._written = 0  # calls so far
        self._finish: Finish = "stop"
        self._usage: Usage | None = None
        self._begin(0)

    def write(self, deltas: Sequence[Delta]) -> bytes:
        written: list[bytes] = []
        for delta in deltas:
            if isinstance(delta, Began):
                self._begin(delta.created)
            elif isinstance(delta, Counted):
                self._usage = delta.usage
            elif delta.choice == 0:
                self._delta(delta, written)
        return written[0] if len(written) == 1 else b"".join(written)

    def end(self) -> bytes:
        written: list[bytes] = []
        self._flush(written)
        end = _encode(end_of(Choice(parts=[], finish=self._finish), self._usage))
        written.append(self._head + self._closing() + b"," + end[1:] + b"\n")
        return b"".join(written)

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        return write_stream_error(error, request_id)

    def _begin(self, created: int) -> None:
        self._head = _encode(_Head(self._model, rfc3339(created) or EPOCH))[:-1] + b","

    def _delta(self, delta: Delta, written: list[bytes]) -> None:
        if isinstance(delta, ToolDelta):
            call = self._calls.get(delta.index)
            if call is not None:
                call.add(delta.arguments)
            return
        if isinstance(delta, ToolBegan):
            if len(self._calls) < _MOST_OPEN:
                self._calls[delta.index] = HeldCall(delta)
                self._outline.call(delta.id, delta.seal)
            return
        if self._calls:
            self._flush(written)
        if isinstance(delta, TextDelta):
            self._outline.say(delta.text, delta.seal, is_new=delta.is_new)
            if delta.text or delta.logprobs:
                written.append(self._text(delta.text, delta.logprobs))
        elif isinstance(delta, ReasoningDelta):
            shown = self._outline.think(delta.text, delta.id, is_new=delta.is_new)
            if shown:
                written.append(self._thought(shown))
        elif isinstance(delta, ReasoningSealed):
            self._outline.seal(delta.seal, delta.id, is_hidden=delta.is_hidden)
        elif isinstance(delta, RefusalDelta | MediaDelta):
            text = delta.text if isinstance(delta, RefusalDelta) else words_for(delta.media)
            self._outline.say(text)
            if text:
                written.append(self._text(text, None))
        elif isinstance(delta, Finished):
            self._finish = delta.finish

    def _text(self, text: str, logprobs: Sequence[Tokens] | None) -> bytes:
        said = b'"message":{"role":"assistant","content":' + _encode(text) + b"}"
        return self._head + said + _unfinished(logprobs)

    def _thought(self, text: str) -> bytes:
        said = b'"message":{"role":"assistant","content":"","thinking":' + _encode(text) + b"}"
        return self._head + said + _unfinished(None)

    def _flush(self, written: list[bytes]) -> None:
        """The calls that have come, which now are whole."""
        if not self._calls:
            return
        calls = [
            write_call(self._written + at, call.began.id, call.began.name, call.arguments())
            for at, (_, call) in enumerate(sorted(self._calls.items()))
        ]
        self._written += len(calls)
        self._calls.clear()
        said = WrittenSaid("assistant", "", tool_calls=calls)
        written.append(self._head + b'"message":' + _encode(said) + _unfinished(None))

    def _closing(self) -> bytes:
        return b'"message":' + _encode(WrittenSaid("assistant", "", tool_name=self._outline.written()))


class GenerateWriter(ChatWriter):
    """The same for `/api/generate`, whose calls offer no tools."""

    __slots__ = ()

    def _text(self, text: str, logprobs: Sequence[Tokens] | None) -> bytes:
        return self._head + b'"response":' + _encode(text) + _unfinished(logprobs)

    def _thought(self, text: str) -> bytes:
        return self._head + b'"response":"","thinking":' + _encode(text) + _unfinished(None)

    def _flush(self, written: list[bytes]) -> None:
        self._calls.clear()

    def _closing(self) -> bytes:
        return b'"response":""'


def _unfinished(logprobs: Sequence[Tokens] | None) -> bytes:
    if not logprobs:
        return b',"done":false}\n'
    return b"," + _encode(_Probed(write_logprobs(logprobs)))[1:-1] + b',"done":false}\n'
