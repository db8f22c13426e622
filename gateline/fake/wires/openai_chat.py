"""OpenAI's chat completions, written: whole and as chunks. Pure.

After platform.openai.com/docs/api-reference/chat; `reasoning_content` is what DeepSeek, vLLM and others add to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from gateline.fake.answer import Answer, ToolCall
from gateline.fake.objects import CREATED, DONE, FINGERPRINT, event, usage_object
from gateline.fake.perform import total
from gateline.fake.reply import Piece
from gateline.fake.turn import groups

_FINISH = {"stop": "stop", "length": "length", "tools": "tool_calls", "refusal": "stop"}


def chat_completion(answers: list[Answer], model: str) -> bytes:
    choices = [
        {
            "index": index,
            "message": _message(answer),
            "logprobs": _logprobs(answer.words) if answer.logprobs else None,
            "finish_reason": _FINISH[answer.finish],
        }
        for index, answer in enumerate(answers)
    ]
    return msgspec.json.encode(
        {
            "id": f"chatcmpl-{answers[0].id}",
            "object": "chat.completion",
            "created": CREATED,
            "model": model,
            "choices": choices,
            "usage": usage_object(total(answers)),
            "service_tier": "default",
            "system_fingerprint": FINGERPRINT,
        }
    )


def chat_chunks(answers: list[Answer], model: str, chunk_tokens: int, *, usage: bool) -> Iterator[Piece]:
    """Role, reasoning, content, calls, finish reason, then the usage if it was asked for, then `[DONE]`."""
    head = {
        "id": f"chatcmpl-{answers[0].id}",
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": model,
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
    }
    tail: dict[str, Any] = {"usage": None} if usage else {}

    for index, answer in enumerate(answers):
        for delta, words, finish in _deltas(answer, chunk_tokens):
            logprobs = _logprobs(words) if answer.logprobs and words else None
            choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
            yield Piece(event({**head, "choices": [choice], **tail}), len(words))
    if usage:
        yield Piece(event({**head, "choices": [], "usage": usage_object(total(answers))}), usage=True)
    yield Piece(DONE, done=True)


Delta = tuple[dict[str, Any], list[str], str | None]


def _deltas(answer: Answer, chunk_tokens: int) -> Iterator[Delta]:
    """What the chunks of one choice add: the delta, the words of the answer in it, the finish reason."""
    yield {"role": "assistant", "content": None if answer.calls else "", "refusal": None}, [], None
    for thought in groups(answer.thought or [], chunk_tokens):
        yield {"reasoning_content": thought}, [], None
    field = "refusal" if answer.finish == "refusal" else "content"
    for start in range(0, len(answer.words), chunk_tokens):
        words = answer.words[start : start + chunk_tokens]
        yield {field: "".join(words)}, words, None
    for index, call in enumerate(answer.calls):
        yield from _call_deltas(index, call)
    last = _annotations(answer)
    if late := [call for call in answer.calls if call.late]:
        last["tool_calls"] = [_arguments(answer.calls.index(call), call.text) for call in late]
    yield last, [], _FINISH[answer.finish]


def _call_deltas(index: int, call: ToolCall) -> Iterator[Delta]:
    told = {"name": call.name, "arguments": call.text if call.inline else ""}
    yield {"tool_calls": [{"index": index, "id": _id(call), "type": "function", "function": told}]}, [], None
    if not call.inline and not call.late:
        for piece in call.pieces:
            yield {"tool_calls": [_arguments(index, piece)]}, [], None


def _arguments(index: int, piece: str) -> dict[str, Any]:
    return {"index": index, "function": {"arguments": piece}}


def _message(answer: Answer) -> dict[str, Any]:
    refused = answer.finish == "refusal"
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if refused or (answer.calls and not answer.words) else answer.text,
        "refusal": answer.text if refused else None,
        "annotations": [],
        **_annotations(answer),
    }
    if answer.thought:
        message["reasoning_content"] = "".join(answer.thought)
    if answer.calls:
        message["tool_calls"] = [
            {"id": _id(call), "type": "function", "function": {"name": call.name, "arguments": call.text}}
            for call in answer.calls
        ]
    return message


def _annotations(answer: Answer) -> dict[str, Any]:
    quotes = [
        {
            "type": "url_citation",
            "url_citation": {"start_index": q.start, "end_index": q.end, "url": q.url, "title": q.title},
        }
        for q in answer.quotes
    ]
    return {"annotations": quotes} if quotes else {}


def _logprobs(words: list[str]) -> dict[str, Any]:
    return {"content": [logprob(word) for word in words], "refusal": None}


def logprob(word: str) -> dict[str, Any]:
    """OpenAI's record of one token; the number hangs on nothing but the word."""
    raw = word.encode()
    likely = {"token": word, "logprob": -(sum(raw) % 100) / 100, "bytes": list(raw)}
    return {**likely, "top_logprobs": [likely]}


def _id(call: ToolCall) -> str:
    return f"call_{call.id}"
