"""The old completions, answered by models that chat: the prompt is one user's turn, the reply its text."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateline.formats.contract import Body
from gateline.formats.openai.answer import answer_id
from gateline.formats.openai.chat_writer import DONE
from gateline.formats.openai.error import write_stream_error
from gateline.formats.openai.finish import write_finish
from gateline.formats.openai.usage import UsageObject, usage_object
from gateline.formats.typed import Int64, read_typed
from gateline.model.call import Call
from gateline.model.chat import Chat, Refusal, Text, Turn
from gateline.model.chatreply import Began, ChatReply, Counted, Delta, Finished, RefusalDelta, TextDelta
from gateline.model.errors import BadRequest, GatewayError
from gateline.model.usage import Usage

_encode = msgspec.json.Encoder().encode


class _Body(msgspec.Struct):
    prompt: str | list[str | int | list[int]] | None = None
    frequency_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    presence_penalty: float | None = None
    seed: Int64 | None = None
    stop: str | list[str] | None = None
    temperature: float | None = None
    top_k: Int64 | None = None
    top_p: float | None = None


class _Answer(msgspec.Struct):
    text: str
    index: int
    finish_reason: str | None
    logprobs: None = None


class _Reply(msgspec.Struct, omit_defaults=True):
    id: str
    object: str
    created: int
    model: str
    system_fingerprint: str | None = None
    choices: list[_Answer] | None = None
    usage: UsageObject | None = None


_DECODER = msgspec.json.Decoder(_Body)
_KNOWN = frozenset(_Body.__struct_fields__) | {"model", "stream", "stream_options", "user", "max_tokens"}


def read_completion(call: Call, body: Body) -> Chat:
    """See `Server.read`."""
    found = read_typed(_DECODER, body)
    stop = found.stop or []
    return Chat(
        model=call.model,
        turns=[Turn(role="user", parts=[Text(text=_prompt(found.prompt))])],
        stream=call.stream,
        include_usage=call.include_usage,
        max_tokens=call.max_tokens,
        temperature=found.temperature,
        top_p=found.top_p,
        top_k=found.top_k,
        frequency_penalty=found.frequency_penalty,
        presence_penalty=found.presence_penalty,
        seed=found.seed,
        stop=[stop] if isinstance(stop, str) else stop,
        logit_bias=found.logit_bias or {},
        user=call.user or "",
        unmapped=[name for name in call.fields if name not in _KNOWN],
    )


def _prompt(prompt: str | Sequence[object] | None) -> str:
    if isinstance(prompt, str):
        return prompt
    if not prompt:
        raise BadRequest("`prompt` is required", param="prompt", code="missing_required_parameter")
    first = prompt[0]
    if len(prompt) > 1 or not isinstance(first, str):
        raise BadRequest(
            "this model takes one `prompt` a call, as a string: send several in calls of their own, and tokens as text",
            param="prompt",
            code="unsupported_value",
        )
    return first


def write_completion(reply: ChatReply, chat: Chat) -> bytes:
    """See `Server.write_reply`. What is neither text nor a refusal has no place in it."""
    answers = [
        _Answer(
            "".join(part.text for part in choice.parts if isinstance(part, Text | Refusal)),
            index,
            _reason(write_finish(choice.finish, has_refusal=True)),
        )
        for index, choice in enumerate(reply.choices)
    ]
    usage = None if reply.usage is None else usage_object(reply.usage)
    return _encode(
        _Reply(
            completion_id(reply.id),
            "text_completion",
            reply.created,
            chat.model,
            reply.fingerprint or None,
            answers,
            usage,
        )
    )


def completion_id(name: str, otherwise: str = "") -> str:
    return name if name.startswith("cmpl") else "cmpl-" + answer_id(name, otherwise).removeprefix("chatcmpl-")


def _reason(reason: str) -> str:
    """Completions know no tools."""
    return "stop" if reason == "tool_calls" else reason


class CompletionWriter:
    """See `contract.Writer`."""

    __slots__ = ("_chat", "_head", "_request_id", "_usage")

    def __init__(self, chat: Chat, request_id: str) -> None:
        self._chat = chat
        self._request_id = request_id
        self._usage: Usage | None = None
        self._begin(Began(id="", model=""))

    def write(self, deltas: Sequence[Delta]) -> bytes:
        return b"".join(self._delta(delta) for delta in deltas)

    def end(self) -> bytes:
        if self._usage is None or not self._chat.include_usage:
            return DONE
        return self._head + b'[],"usage":' + _encode(usage_object(self._usage)) + b"}\n\n" + DONE

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        return write_stream_error(error, request_id)

    def _begin(self, began: Began) -> None:
        name = completion_id(began.id, self._request_id)
        head = _Reply(name, "text_completion", began.created, self._chat.model, began.fingerprint or None)
        self._head = b"data: " + _encode(head)[:-1] + b',"choices":'

    def _delta(self, delta: Delta) -> bytes:
        if isinstance(delta, TextDelta | RefusalDelta):
            return self._chunk(_Answer(delta.text, delta.choice, None)) if delta.text else b""
        if isinstance(delta, Finished):
            return self._chunk(_Answer("", delta.choice, _reason(write_finish(delta.finish, has_refusal=True))))
        if isinstance(delta, Counted):
            self._usage = delta.usage
        elif isinstance(delta, Began):
            self._begin(delta)
        return b""

    def _chunk(self, answer: _Answer) -> bytes:
        usage = b',"usage":null}\n\n' if self._chat.include_usage else b"}\n\n"
        return self._head + b"[" + _encode(answer) + b"]" + usage
