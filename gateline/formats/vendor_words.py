"""Where vendors put what went wrong, in the body of a failed reply. Shapes alone: nothing here is safe to show yet.

Read are OpenAI's `{"error": {...}}` and all who follow it (Anthropic, Gemini and its list of one, Azure, DeepSeek), and

    {"error": "..."}                                Ollama, Hugging Face; with `code` xAI, with `error_type` TGI
    {"message" | "Message": "...", "code": ...}     Cohere, AWS, DashScope, SiliconFlow, Novita
    {"error_code": "...", "message": "..."}         Databricks
    {"object": "error", "message": "..."}           Mistral, older vLLM; Mistral's message may be {"detail": [...]}
    {"detail": "..." | [{"loc", "msg"}, ...]}       FastAPI: vLLM, DeepInfra, Mistral; Replicate
    {"errors": [{"code", "message"}, ...]}          Cloudflare, IBM
    "..."                                           SiliconFlow
"""

from __future__ import annotations

import math
import re

import msgspec

_MOST = 8  # mistakes of a list that are told
_DEEPEST = 4  # an error in an error in an error
_MESSAGES = ("message", "Message", "detail", "msg", "error_message")
_HOLDERS = ("error", "errors")
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)s")  # protobuf's, in JSON


class Words(msgspec.Struct):
    """The values are the vendor's, of whatever type they came in. `retry_after` is in seconds."""

    message: str = ""
    type: object = None
    code: object = None
    param: object = None
    retry_after: float | None = None


def words_of(found: object, depth: int = 0) -> Words:
    """What a decoded failure says; empty words where it says nothing that is understood."""
    if isinstance(found, str):
        return Words(found)
    if depth > _DEEPEST:
        return Words()
    if isinstance(found, list):
        return _of_list(found, depth)
    return _of_object(found, depth) if isinstance(found, dict) else Words()


def _of_list(found: list[object], depth: int) -> Words:
    """The first one's, with the messages of the others."""
    all_words = [words_of(each, depth + 1) for each in found[:_MOST]]
    if not all_words:
        return Words()
    first = all_words[0]
    first.message = "; ".join(words.message for words in all_words if words.message)
    return first


def _of_object(found: dict[str, object], depth: int) -> Words:
    own = _labels(found)
    inner = next((found[key] for key in _HOLDERS if found.get(key)), None)
    if inner is not None:
        words = words_of(inner, depth + 1)
        if own.type == "error":  # Anthropic's envelope says so of itself
            own.type = None
        return _joined(words, own)
    if isinstance(found.get("msg"), str) and isinstance(found.get("loc"), list):
        return _mistake(found)
    for key in _MESSAGES:
        if found.get(key):
            own = _joined(own, words_of(found[key], depth + 1))
            break
    raw = _raw_words(found.get("metadata"))
    if raw:
        own.message = f"{own.message}: {raw}" if own.message else raw
    own.retry_after = _retry_delay(found.get("details"))
    return own


def _labels(found: dict[str, object]) -> Words:
    """Gemini's `code` repeats the HTTP status; its word for what happened is `status`. AWS says `__type`."""
    status = found.get("status")
    names = ("code", "error_code", "error_type", "__type")
    code = status if isinstance(status, str) else next((found[name] for name in names if name in found), None)
    return Words("", found.get("type"), code, found.get("param"))


def _joined(words: Words, more: Words) -> Words:
    """`words`, and where they say nothing, `more`."""
    for name in Words.__struct_fields__:
        said, other = getattr(words, name), getattr(more, name)
        if other is not None and (said is None or said == ""):
            setattr(words, name, other)
    return words


def _mistake(found: dict[str, object]) -> Words:
    """Pydantic's, as FastAPI answers it: the field at fault, and what is wrong with it."""
    loc = found["loc"]
    place = ".".join(str(step) for step in loc[:16] if step != "body") if isinstance(loc, list) else ""
    return Words(f"{place}: {found['msg']}" if place else str(found["msg"]), param=place or None)


def _raw_words(metadata: object) -> str:
    """OpenRouter's own message is that the host behind it failed; what that one said is in here."""
    raw = metadata.get("raw") if isinstance(metadata, dict) else None
    return raw if isinstance(raw, str) else ""


def _retry_delay(details: object) -> float | None:
    """Google's `RetryInfo` (google/rpc/error_details.proto)."""
    for each in details[:_MOST] if isinstance(details, list) else ():
        delay = each.get("retryDelay") if isinstance(each, dict) else None
        match = _DURATION.fullmatch(delay) if isinstance(delay, str) else None
        if match is not None and math.isfinite(seconds := float(match[1])):
            return seconds
    return None
