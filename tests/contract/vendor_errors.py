"""How each vendor words a failure: bodies in the vendors' own shapes, our words in them, and what must arrive of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

SECRET = "sk-canary-0123456789abcdef"
SAID = "The model is having a difficult day"
WORDS = f"{SAID}, and the key {SECRET} does not help"  # vendors echo keys: it must not arrive
STATUSES = (400, 401, 403, 404, 408, 413, 429, 500, 503, 529)
BUSY = (429, 503, 529)  # those that a vendor asks to wait after
WAIT = 7  # seconds the client is told: what vendors ask for, rounded up


@dataclass(frozen=True)
class Failure:
    """A failed reply. `type` and `code` are the vendor's words for it, where it has any that go on."""

    body: bytes
    lines: tuple[str, ...] = ()
    type: str | None = None
    code: str | None = None
    content_type: str = "application/json"


def _failure(body: Any, *lines: str, **fields: Any) -> Failure:
    return Failure(json.dumps(body).encode(), lines, **fields)


def _wait(status: int, line: str = f"Retry-After: {WAIT}") -> tuple[str, ...]:
    return (line,) if status in BUSY else ()


def _openai(status: int) -> Failure:
    body = {"error": {"message": WORDS, "type": "its_own_type", "param": None, "code": "its_own_code"}}
    return _failure(body, *_wait(status, "retry-after-ms: 6500"), type="its_own_type", code="its_own_code")


def _azure(status: int) -> Failure:
    body = {"error": {"code": str(status), "message": WORDS}}
    return _failure(body, *_wait(status, "x-ms-retry-after-ms: 6100"), code=str(status))


def _anthropic(status: int) -> Failure:
    word = _ANTHROPIC[status]
    body = {"type": "error", "error": {"type": word, "message": WORDS}, "request_id": "req_1"}
    return _failure(body, *_wait(status), type=word)


_ANTHROPIC = {
    400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
    408: "timeout_error", 413: "request_too_large", 429: "rate_limit_error", 500: "api_error", 503: "api_error",
    529: "overloaded_error",
}  # fmt: skip


def _gemini(status: int) -> Failure:
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "6.25s"}] if status in BUSY else []
    return _failure(
        {"error": {"code": status, "message": WORDS, "status": "A_WORD", "details": details}}, code="A_WORD"
    )


def _vertex(status: int) -> Failure:
    found = _gemini(status)
    return Failure(b"[" + found.body + b"]", code=found.code)


def _bedrock(status: int) -> Failure:
    line = "x-amzn-ErrorType: SomeException:http://internal.amazon.com/coral/com.amazon.bedrock/"
    return _failure({"message": WORDS}, line, *_wait(status), code="SomeException")


def _cohere(status: int) -> Failure:
    return _failure({"id": "i", "message": WORDS}, *_wait(status))


def _string(status: int) -> Failure:
    return _failure({"error": WORDS}, *_wait(status))


def _tgi(status: int) -> Failure:
    return _failure({"error": WORDS, "error_type": "overloaded"}, *_wait(status), code="overloaded")


def _xai(status: int) -> Failure:
    return _failure({"code": "its-own-code", "error": WORDS}, *_wait(status), code="its-own-code")


def _mistral(status: int) -> Failure:
    if status == 401:
        return _failure({"detail": WORDS})
    if status == 400:
        mistakes = [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": WORDS, "input": 1}]
        return _failure({"object": "error", "message": {"detail": mistakes}, "type": "invalid_request_error"},
                        type="invalid_request_error")  # fmt: skip
    body = {"object": "error", "message": WORDS, "type": "its_own_type", "param": None, "code": "3505"}
    return _failure(body, *_wait(status), type="its_own_type", code="3505")


def _fastapi(status: int) -> Failure:
    mistakes = [{"type": "missing", "loc": ["body", "messages", 0, "role"], "msg": WORDS}]
    return _failure({"detail": mistakes if status == 400 else WORDS}, *_wait(status))


def _errors_list(status: int) -> Failure:
    body = {"result": None, "success": False, "errors": [{"code": 7009, "message": WORDS}], "messages": []}
    return _failure(body, *_wait(status), code="7009")


def _ibm(status: int) -> Failure:
    body = {"errors": [{"code": "its_own_code", "message": WORDS, "more_info": "https://x"}], "trace": "t"}
    return _failure(body, *_wait(status), code="its_own_code")


def _databricks(status: int) -> Failure:
    return _failure({"error_code": "A_WORD", "message": WORDS}, *_wait(status), code="A_WORD")


def _code_and_message(status: int) -> Failure:
    return _failure({"code": "ItsOwnCode", "message": WORDS, "request_id": "r"}, *_wait(status), code="ItsOwnCode")


def _flat(status: int) -> Failure:
    body = {"object": "error", "message": WORDS, "type": "ItsOwnType", "param": None, "code": status}
    return _failure(body, *_wait(status), type="ItsOwnType", code=str(status))


def _bare(status: int) -> Failure:
    return _failure(WORDS, *_wait(status))


def _text(status: int) -> Failure:
    return Failure(WORDS.encode(), _wait(status), content_type="text/plain; charset=utf-8")


def _minimax(status: int) -> Failure:
    error = {"type": "bad_request_error", "message": WORDS, "http_code": str(status)}
    return _failure({"type": "error", "error": error, "request_id": "r"}, *_wait(status), type="bad_request_error")


def _openrouter(status: int) -> Failure:
    body = {"error": {"message": "Provider returned error", "code": status, "metadata": {"raw": WORDS}}}
    return _failure(body, *_wait(status), code=str(status))


Wording = Callable[[int], Failure]
WORDINGS: dict[str, Wording] = {
    "azure": _azure,
    "anthropic": _anthropic,
    "vertex-anthropic": _anthropic,
    "gemini": _gemini,
    "vertex": _vertex,
    "bedrock": _bedrock,
    "cohere": _cohere,
    "ollama": _string,
    "mistral": _mistral,
    "xai": _xai,
    "dashscope": _code_and_message,
    "voyage": _fastapi,
    "jina": _fastapi,
    "ai21": _fastapi,
    "openrouter": _openrouter,
    "minimax": _minimax,
    "huggingface": _string,
    "novita": _code_and_message,
    "siliconflow": _bare,
    "databricks": _databricks,
    "cloudflare": _errors_list,
    "watsonx": _ibm,
    "vllm": _flat,
    "sglang": _flat,
    "tgi": _tgi,
    "lmstudio": _string,
    "nvidia": _text,
}


def wording(kind: str) -> Wording:
    """The vendor's own, which is OpenAI's for most."""
    return WORDINGS.get(kind, _openai)
