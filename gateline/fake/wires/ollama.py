"""Ollama's API (docs.ollama.com/api): chat, generate, embed, the list of models. Streams are lines of JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from gateline.fake.answer import MAX_DIMENSIONS, Answer, embed, text_tokens
from gateline.fake.ask import Ask, Tool
from gateline.fake.reply import Piece, Refusal, Reply, Voice, whole
from gateline.fake.request import Request
from gateline.fake.turn import Memory, Route, Setting, Turn, generation, groups
from gateline.model.usage import Usage

_AT = "2025-01-01T00:00:00Z"
_FINISH = {"stop": "stop", "length": "length", "tools": "stop", "refusal": "stop"}
_UNTOLD = ("cached", "cache_write", "reasoning")
_LINES = "application/x-ndjson"
_DIMENSIONS = 768


def _error(
    status: int, message: str, code: str | None = None, param: str | None = None
) -> tuple[bytes, tuple[tuple[str, str], ...]]:
    return msgspec.json.encode({"error": message}), ()


VOICE = Voice(
    error=_error,
    in_band=lambda message: _error(500, message)[0] + b"\n",
    bad_event=b'{"model":"m","message":{"role":"assistant","content":"unfinis\n',
    unknown=lambda model: (404, f"model '{model}' not found", None),
    denied=(401, "unauthorized", None),
)


def _bad(message: str) -> Refusal:
    return Refusal(VOICE.refuse(400, message))


def _fields(request: Request) -> dict[str, Any]:
    try:
        fields = request.json()
    except ValueError as error:
        raise _bad(str(error)) from error
    if not isinstance(fields.get("model"), str) or not fields["model"]:
        raise _bad("model is required")
    return fields


def _ask(fields: dict[str, Any], asked: bytes, **more: Any) -> Ask:
    wanted = fields.get("format") or None
    if wanted is not None and wanted != "json" and not isinstance(wanted, dict):
        raise _bad('invalid format: expected "json" or a JSON schema')
    loose = {"type": "object", "properties": {"answer": {"type": "string"}}}
    limit = (fields.get("options") or {}).get("num_predict")
    return Ask(
        model=fields["model"],
        asked=asked,
        stream=fields.get("stream") is not False,
        limit=limit if limit is not None and limit >= 0 else None,
        schema=loose if wanted == "json" else wanted,
        thinks=bool(fields.get("think")),
        logprobs=bool(fields.get("logprobs")),
        **more,
    )


def _chat(request: Request, match: re.Match[str], memory: Memory) -> Turn:
    fields = _fields(request)
    messages = fields.get("messages") or []
    for message in messages:
        if message.get("role") not in {"system", "user", "assistant", "tool"}:
            raise _bad(
                f'invalid role: {message.get("role")}, role must be one of ["system", "user", "assistant", "tool"]'
            )
        if not isinstance(message.get("content") or "", str):
            raise _bad("json: cannot unmarshal array into Go struct field ChatRequest.messages of type string")
        for call in message.get("tool_calls") or []:
            if not isinstance(call["function"].get("arguments") or {}, dict):
                told = "json: cannot unmarshal string into Go struct field .function.arguments of type map"
                raise _bad(told)
    offered = [tool["function"] for tool in fields.get("tools") or []]
    tools = tuple(Tool(one["name"], one.get("parameters") or {}) for one in offered)
    answered = bool(messages) and messages[-1]["role"] == "tool"
    ask = _ask(fields, request.raw("messages"), tools=tools, is_answered=answered)
    return generation(ask, VOICE, _write_chat, _stream_chat, content_type=_LINES, untold=_UNTOLD)


def _generate(request: Request, match: re.Match[str], memory: Memory) -> Turn:
    ask = _ask(_fields(request), request.raw("prompt"))
    return generation(ask, VOICE, _write_text, _stream_text, content_type=_LINES, untold=_UNTOLD)


def _embed(request: Request, match: re.Match[str], memory: Memory) -> Turn:
    fields = _fields(request)
    given = fields.get("input")
    inputs = [given] if isinstance(given, str) else given
    if not isinstance(inputs, list) or not all(isinstance(text, str) for text in inputs):
        raise _bad("invalid input type")
    dimensions = fields.get("dimensions") or _DIMENSIONS
    if not 1 <= dimensions <= MAX_DIMENSIONS:
        raise _bad("invalid dimensions")

    def play(setting: Setting) -> Reply:
        tokens = sum(text_tokens(text.encode()) for text in inputs)
        vectors = [embed(text.encode(), dimensions) for text in inputs]
        body = {"model": setting.model, "embeddings": vectors, "total_duration": 2, "load_duration": 1}
        told = msgspec.json.encode({**body, "prompt_eval_count": tokens})
        return whole(200, told, usage=Usage(input=tokens))._replace(voice=VOICE)

    return Turn(fields["model"], play)


def _tags(request: Request, match: re.Match[str], memory: Memory) -> Turn:
    details = {"format": "gguf", "family": "fake", "families": ["fake"], "parameter_size": "1B"}
    rest = {"modified_at": _AT, "size": 1, "digest": "0" * 64, "details": {**details, "quantization_level": "Q4_0"}}

    def play(setting: Setting) -> Reply:
        listed = [{"name": name, "model": name, **rest} for name in setting.models]
        return whole(200, msgspec.json.encode({"models": listed}))._replace(voice=VOICE)

    return Turn("", play)


# --- writing ---------------------------------------------------------------------------------------------------------


def _end(answer: Answer) -> dict[str, Any]:
    """What the last line has besides the message; durations in nanoseconds."""
    return {
        "done": True,
        "done_reason": _FINISH[answer.finish],
        "total_duration": 4,
        "load_duration": 1,
        "prompt_eval_count": answer.usage.input,
        "prompt_eval_duration": 1,
        "eval_count": answer.usage.output,
        "eval_duration": 2,
    }


def _calls(answer: Answer) -> list[dict[str, Any]]:
    return [
        {"id": f"call_{call.id}", "function": {"index": at, "name": call.name, "arguments": call.arguments}}
        for at, call in enumerate(answer.calls)
    ]


def _logprobs(words: list[str]) -> list[dict[str, Any]]:
    return [{"token": word, "logprob": -(sum(word.encode()) % 100) / 100} for word in words]


def _write_chat(ask: Ask, answers: list[Answer], setting: Setting) -> bytes:
    answer = answers[0]
    message: dict[str, Any] = {"role": "assistant", "content": answer.text}
    if answer.thought:
        message["thinking"] = "".join(answer.thought)
    if answer.calls:
        message["tool_calls"] = _calls(answer)
    return _line(answer, setting, {"message": message, **_likely(answer, answer.words), **_end(answer)}).rstrip()


def _stream_chat(ask: Ask, answers: list[Answer], setting: Setting) -> Iterator[Piece]:
    answer = answers[0]

    def told(message: dict[str, Any], words: list[str], **more: Any) -> Piece:
        said = {"role": "assistant", "content": "".join(words), **message}
        line = _line(answer, setting, {"message": said, **_likely(answer, words), "done": False, **more})
        return Piece(line, len(words), usage=bool(more), done=bool(more))

    for thought in groups(answer.thought or [], setting.chunk_tokens):
        yield told({"thinking": thought}, [])
    for at in range(0, len(answer.words), setting.chunk_tokens):
        yield told({}, answer.words[at : at + setting.chunk_tokens])
    for call in _calls(answer):
        yield told({"tool_calls": [call]}, [])
    yield told({}, [], **_end(answer))


def _write_text(ask: Ask, answers: list[Answer], setting: Setting) -> bytes:
    answer = answers[0]
    thinking = {"thinking": "".join(answer.thought)} if answer.thought else {}
    told = {"response": answer.text, **thinking, **_likely(answer, answer.words), **_end(answer), "context": [1, 2, 3]}
    return _line(answer, setting, told).rstrip()


def _stream_text(ask: Ask, answers: list[Answer], setting: Setting) -> Iterator[Piece]:
    answer = answers[0]
    for thought in groups(answer.thought or [], setting.chunk_tokens):
        yield Piece(_line(answer, setting, {"response": "", "thinking": thought, "done": False}))
    for at in range(0, len(answer.words), setting.chunk_tokens):
        words = answer.words[at : at + setting.chunk_tokens]
        told = {"response": "".join(words), **_likely(answer, words), "done": False}
        yield Piece(_line(answer, setting, told), len(words))
    last = {"response": "", **_end(answer), "context": [1, 2, 3]}
    yield Piece(_line(answer, setting, last), usage=True, done=True)


def _likely(answer: Answer, words: list[str]) -> dict[str, Any]:
    return {"logprobs": _logprobs(words)} if answer.logprobs and words else {}


def _line(answer: Answer, setting: Setting, fields: dict[str, Any]) -> bytes:
    return msgspec.json.encode({"model": setting.model, "created_at": _AT, **fields}) + b"\n"


ROUTES = [
    Route("POST", re.compile(r"/api/chat"), VOICE, Request.has_bearer, _chat),
    Route("POST", re.compile(r"/api/generate"), VOICE, Request.has_bearer, _generate),
    Route("POST", re.compile(r"/api/embed"), VOICE, Request.has_bearer, _embed),
    Route("GET", re.compile(r"/api/tags"), VOICE, Request.has_bearer, _tags),
]
