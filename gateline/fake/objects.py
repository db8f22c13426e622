"""OpenAI's objects, written: legacy completions, their chunks, embeddings, models, errors. Pure.

Field for field after platform.openai.com/docs/api-reference; `created` is a constant, so that equal questions get
equal bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from gateline.fake.answer import Answer
from gateline.fake.reply import Piece, Voice
from gateline.model.usage import Usage

CREATED = 1_735_689_600  # 2025-01-01T00:00:00Z
FINGERPRINT = "fp_gateline_fake"
DONE = b"data: [DONE]\n\n"
_encode = msgspec.json.encode


def event(value: dict[str, Any]) -> bytes:
    return b"data: " + _encode(value) + b"\n\n"


def usage_object(usage: Usage) -> dict[str, Any]:
    details = {"cached_tokens": usage.cached, "audio_tokens": 0}
    if usage.cache_write:
        details["cache_write_tokens"] = usage.cache_write
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": details,
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


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
            "system_fingerprint": FINGERPRINT,
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


_KINDS = {
    400: ("invalid_request_error", None),
    401: ("authentication_error", "invalid_api_key"),
    403: ("permission_error", "permission_denied"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("rate_limit_error", "rate_limit_exceeded"),
}


def _error(
    status: int, message: str, code: str | None = None, param: str | None = None
) -> tuple[bytes, tuple[tuple[str, str], ...]]:
    kind, usual = _KINDS.get(status, ("invalid_request_error" if status < 500 else "server_error", None))
    return error(message, kind, code or usual, param), ()


def _unknown(model: str) -> tuple[int, str, str]:
    return 404, f"The model '{model}' does not exist or you do not have access to it.", "model_not_found"


OPENAI = Voice(
    error=_error,
    in_band=lambda message: b"data: " + error(message, "server_error", "fake_error") + b"\n\n",
    bad_event=b'data: {"id":"chatcmpl-bad","choices":[{"index":0,"delta":{"content":"unfinis\n\n',
    unknown=_unknown,
    denied=(401, "Incorrect API key provided.", "invalid_api_key"),
)


def _groups(words: list[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(words), size):
        yield words[start : start + size]
