"""Deltas as the chunks of a chat stream. What changes from chunk to chunk is encoded, the rest stands ready."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from gateline.formats.openai.answer import answer_id, known_tier
from gateline.formats.openai.error import write_stream_error
from gateline.formats.openai.finish import write_finish
from gateline.formats.openai.logprobs import write_logprobs
from gateline.formats.openai.usage import usage_object
from gateline.formats.openai.written_choice import ChunkDelta, WrittenChoice
from gateline.model.chat import Chat
from gateline.model.chatreply import Began, Counted, Delta, Finished, TextDelta
from gateline.model.errors import GatewayError
from gateline.model.usage import Usage

_encode = msgspec.json.Encoder().encode

DONE = b"data: [DONE]\n\n"
_ENDED = b',"finish_reason":null}]'


class _Head(msgspec.Struct, omit_defaults=True):
    id: str
    object: str
    created: int
    model: str
    service_tier: str | None = None
    system_fingerprint: str | None = None


class ChatWriter:
    """See `contract.Writer`."""

    __slots__ = ("_chat", "_choices", "_end", "_head", "_last", "_last_index", "_name", "_request_id", "_usage")

    def __init__(self, chat: Chat, request_id: str) -> None:
        self._chat = chat
        self._request_id = request_id
        self._choices: dict[int, WrittenChoice] = {}
        self._last: WrittenChoice | None = None  # the one that was written to last
        self._last_index = -1
        self._usage: Usage | None = None
        self._name = ""
        self._head = b""
        # Who asked for usage gets the field in every chunk, as OpenAI does it.
        self._end = b',"usage":null}\n\n' if chat.include_usage else b"}\n\n"
        self._begin(Began(id="", model=""))

    def write(self, deltas: Sequence[Delta]) -> bytes:
        written: list[bytes] = []
        for delta in deltas:
            if isinstance(delta, Began):
                self._begin(delta)
            elif isinstance(delta, Counted):
                self._usage = delta.usage
            else:
                self._delta(delta, written)
        return written[0] if len(written) == 1 else b"".join(written)

    def end(self) -> bytes:
        if self._usage is None or not self._chat.include_usage:
            return DONE
        return self._head + b'"choices":[],"usage":' + _encode(usage_object(self._usage)) + b"}\n\n" + DONE

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        return write_stream_error(error, request_id)

    def _begin(self, began: Began) -> None:
        self._name = answer_id(began.id, self._request_id)
        head = _Head(
            self._name,
            "chat.completion.chunk",
            began.created,
            self._chat.model,
            known_tier(began.service_tier),
            began.fingerprint or None,
        )
        self._head = b"data: " + _encode(head)[:-1] + b","

    def _delta(self, delta: Any, written: list[bytes]) -> None:
        choice = self._last
        if choice is None or delta.choice != self._last_index:
            choice = self._choice(delta.choice)
        opening = self._head + choice.opening
        if isinstance(delta, TextDelta) and delta.seal is None:
            role = choice.begin_text(delta)
            if role:
                written.append(opening + role + b',"logprobs":null' + _ENDED + self._end)
            logprobs = b"null" if delta.logprobs is None else _encode(write_logprobs(delta.logprobs))
            if delta.text or delta.logprobs is not None:
                body = b'{"content":' + _encode(delta.text) + b'},"logprobs":' + logprobs
                written.append(opening + body + _ENDED + self._end)
            return
        if isinstance(delta, Finished):
            written += [self._piece(opening, last) for last in choice.finish()]
            reason = write_finish(delta.finish, has_refusal=choice.has_refusal)
            written.append(opening + b'{},"logprobs":null,"finish_reason":"' + reason.encode() + b'"}]' + self._end)
            return
        written += [self._piece(opening, each) for each in choice.chunks(delta, self._name)]

    def _piece(self, opening: bytes, delta: ChunkDelta) -> bytes:
        return opening + _encode(delta) + b',"logprobs":null' + _ENDED + self._end

    def _choice(self, index: int) -> WrittenChoice:
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = WrittenChoice(index)
        self._last = choice
        self._last_index = index
        return choice
