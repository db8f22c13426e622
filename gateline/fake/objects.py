"""OpenAI's objects, written: completions, their chunks, embeddings, models, errors. Pure.

Field for field after platform.openai.com/docs/api-reference; `created` is a constant, so that equal questions get
equal bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from gateline.fake.answer import Answer
from gateline.fake.reply import Piece
from gateline.model.usage import Usage

CREATED = 1_735_689_600  # 2025-01-01T00:00:00Z
_FINGERPRINT = "fp_gateline_fake"
DONE = b"data: [DONE]\n\n"
_encode = msgspec.json.encode


def event(value: dict[str, Any]) -> bytes:
    return b"data: " + _encode(value) + b"\n\n"


def usage_object(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def chat_completion(answer: Answer, model: str) -> bytes:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": "".join(answer.words),
        "refusal": None,
        "annotations": [],
    }
    return _encode(
        {
            "id": f"chatcmpl-{answer.id}",
            "object": "chat.completion",
            "created": CREATED,
            "model": model,
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": answer.finish}],
            "usage": usage_object(answer.usage),
            "service_tier": "default",
            "system_fingerprint": _FINGERPRINT,
        }
    )


def chat_chunks(answer: Answer, model: str, chunk_tokens: int, *, usage: bool) -> Iterator[Piece]:
    """Role, content, finish reason, then the usage if it was asked for, then `[DONE]`."""
    head = {
        "id": f"chatcmpl-{answer.id}",
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": model,
        "service_tier": "default",
        "system_fingerprint": _FINGERPRINT,
    }
    tail: dict[str, Any] = {"usage": None} if usage else {}

    def chunk(delta: dict[str, Any], finish: str | None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return event({**head, "choices": [choice], **tail})

    yield Piece(chunk({"role": "assistant", "content": "", "refusal": None}, None))
    for words in _groups(answer.words, chunk_tokens):
        yield Piece(chunk({"content": "".join(words)}, None), len(words))
    yield Piece(chunk({}, answer.finish))
    if usage:
        yield Piece(event({**head, "choices": [], "usage": usage_object(answer.usage)}), usage=True)
    yield Piece(DONE, done=True)


def completion(answer: Answer, model: str) -> bytes:
    choice = {"index": 0, "text": "".join(answer.words), "logprobs": None, "finish_reason": answer.finish}
    return _encode(
        {
            "id": f"cmpl-{answer.id}",
            "object": "text_completion",
            "created": CREATED,
            "model": model,
            "choices": [choice],
            "usage": usage_object(answer.usage),
            "system_fingerprint": _FINGERPRINT,
        }
    )


def completion_chunks(answer: Answer, model: str, chunk_tokens: int, *, usage: bool) -> Iterator[Piece]:
    head = {"id": f"cmpl-{answer.id}", "object": "text_completion", "created": CREATED, "model": model}
    tail: dict[str, Any] = {"usage": None} if usage else {}
    groups = list(_groups(answer.words, chunk_tokens)) or [[]]
    for number, words in enumerate(groups, 1):
        finish = answer.finish if number == len(groups) else None
        choice = {"index": 0, "text": "".join(words), "logprobs": None, "finish_reason": finish}
        yield Piece(event({**head, "choices": [choice], **tail}), len(words))
    if usage:
        yield Piece(event({**head, "choices": [], "usage": usage_object(answer.usage)}), usage=True)
    yield Piece(DONE, done=True)


def embeddings(vectors: list[list[float]] | list[str], model: str, tokens: int) -> bytes:
    rows = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return _encode({"object": "list", "data": rows, "model": model, "usage": usage})


def model_object(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "gateline-fake"}


def models_page(names: list[str]) -> bytes:
    return _encode({"object": "list", "data": [model_object(name) for name in names]})


def error(message: str, kind: str, code: str | None = None, param: str | None = None) -> bytes:
    return _encode({"error": {"message": message, "type": kind, "param": param, "code": code}})


def _groups(words: list[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(words), size):
        yield words[start : start + size]
