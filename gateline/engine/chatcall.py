"""What `/chat/completions` and `/completions` ask for, read from OpenAI's JSON.

Fields that neither this file nor `unserved` names are ignored: they do not change the answer.
"""

from __future__ import annotations

import secrets
from typing import Literal

import msgspec

from gateline.engine.fields import (
    Object,
    read_bool,
    read_integer,
    read_number,
    read_object,
    read_section,
    read_text,
    unsupported,
    wrong,
)
from gateline.engine.refusal import Refused, not_served
from gateline.engine.schema import accept_schema
from gateline.engine.unserved import refuse_unserved

STOPS_LIMIT = 4  # OpenAI's own
STOP_LENGTH = 1024
COMPLETION_TOKENS = 16  # OpenAI's default of the older endpoint
ANY_OBJECT = '{"type":"object"}'

_ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    # Small models know three roles; what a tool returned is, to them, something they are told.
    "tool": "user",
    "function": "user",
}

# What its makers recommend for SmolLM2 (its model card): at OpenAI's default of 1 a model this small rambles.
_TEMPERATURE = 0.2
_TOP_P = 0.9
_TOP_K = 50  # of the same recommendation; it also halves what sampling takes of a step of 16 chats


class Sampling(msgspec.Struct, frozen=True):
    """`temperature` 0 is greedy. `top_k` 0 is the whole vocabulary. `seed` is fresh when the caller gave none."""

    temperature: float
    top_p: float
    top_k: int
    seed: int
    presence_penalty: float
    frequency_penalty: float


class ChatCall(msgspec.Struct, frozen=True):
    """`prompt` is text, or messages that the chat template has yet to be applied to. `max_tokens` None: what the
    context leaves. `schema`: the JSON schema that the answer must follow, as JSON."""

    shape: Literal["chat", "completion"]
    model: str
    prompt: str | list[dict[str, str]]
    max_tokens: int | None
    sampling: Sampling
    stops: tuple[str, ...]
    schema: str | None
    stream: bool
    include_usage: bool


def read_call(path: str, body: bytes) -> ChatCall:
    """Raises `Refused` with the field at fault."""
    if path not in {"/chat/completions", "/completions"}:
        raise not_served(path)
    fields = read_object(body)
    chat = path == "/chat/completions"
    model = read_text(fields, "model", "local")
    refuse_unserved(fields, model, chat=chat)
    max_tokens = read_integer(fields, "max_tokens", least=1)
    if chat:
        max_tokens = read_integer(fields, "max_completion_tokens", least=1) or max_tokens
    return ChatCall(
        shape="chat" if chat else "completion",
        model=model,
        prompt=_messages(fields) if chat else _prompt(fields),
        max_tokens=max_tokens if chat else max_tokens or COMPLETION_TOKENS,
        sampling=_sampling(fields),
        stops=_stops(fields),
        schema=_schema(fields) if chat else None,
        stream=read_bool(fields, "stream"),
        include_usage=read_bool(read_section(fields, "stream_options"), "include_usage"),
    )


def _sampling(fields: Object) -> Sampling:
    seed = read_integer(fields, "seed")
    return Sampling(
        temperature=read_number(fields, "temperature", _TEMPERATURE, 0.0, 2.0),
        top_p=read_number(fields, "top_p", _TOP_P, 0.0, 1.0),
        top_k=_top_k(fields),
        seed=secrets.randbits(63) if seed is None else seed & (2**63 - 1),
        presence_penalty=read_number(fields, "presence_penalty", 0.0, -2.0, 2.0),
        frequency_penalty=read_number(fields, "frequency_penalty", 0.0, -2.0, 2.0),
    )


def _top_k(fields: Object) -> int:
    """Not one of OpenAI's fields, but what servers of open models take; there, -1 also means the whole vocabulary."""
    top_k = read_integer(fields, "top_k", least=-1)
    return _TOP_K if top_k is None else max(top_k, 0)


def _stops(fields: Object) -> tuple[str, ...]:
    value = fields.get("stop")
    if value is None:
        return ()
    stops = [value] if isinstance(value, str) else value
    if not isinstance(stops, list) or len(stops) > STOPS_LIMIT:
        raise wrong("stop", f"a string or a list of at most {STOPS_LIMIT} strings")
    for stop in stops:
        if not isinstance(stop, str) or not 0 < len(stop) <= STOP_LENGTH:
            raise wrong("stop", f"made of strings of 1 to {STOP_LENGTH} characters")
    return tuple(stops)


def _schema(fields: Object) -> str | None:
    section = read_section(fields, "response_format")
    kind = section.get("type", "text")
    if kind == "text":
        return None
    if kind == "json_object":
        return ANY_OBJECT
    if kind != "json_schema":
        raise wrong("response_format.type", "text, json_object or json_schema")
    wrapped = section.get("json_schema")
    if not isinstance(wrapped, dict) or "schema" not in wrapped:
        raise wrong("response_format.json_schema", "an object with a `schema`")
    return accept_schema(wrapped["schema"], "response_format.json_schema.schema")


def _prompt(fields: Object) -> str:
    prompt = fields.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], str):
        return prompt[0]
    if isinstance(prompt, list):
        raise unsupported("prompt", "this model takes one prompt a request, as a string")
    if not isinstance(prompt, str):
        raise wrong("prompt", "a string")
    return prompt


def _messages(fields: Object) -> list[dict[str, str]]:
    messages = fields.get("messages")
    if not isinstance(messages, list) or not messages:
        raise wrong("messages", "a list with at least one message")
    return [_message(message, f"messages[{index}]") for index, message in enumerate(messages)]


def _message(message: object, place: str) -> dict[str, str]:
    if not isinstance(message, dict):
        raise wrong(place, "an object")
    role = message.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        raise wrong(f"{place}.role", "one of " + ", ".join(_ROLES))
    content = message.get("content")
    if content is None and role == "assistant":  # a turn that only called tools
        content = ""
    return {"role": _ROLES[role], "content": _content(content, f"{place}.content")}


def _content(content: object, place: str) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise wrong(place, "a string or a list of text parts")
    texts: list[str] = []
    for index, part in enumerate(content):
        if not isinstance(part, dict) or part.get("type") != "text":
            raise unsupported(f"{place}[{index}]", "this model reads text parts only")
        text = part.get("text")
        if not isinstance(text, str):
            raise wrong(f"{place}[{index}].text", "a string")
        texts.append(text)
    return "".join(texts)


def too_long(prompt_tokens: int, wanted: int, context: int) -> Refused:
    message = (
        f"this model's context is {context} tokens: the prompt takes {prompt_tokens}, the answer may take {wanted}. "
        "Shorten the prompt or lower max_tokens."
    )
    return Refused(message, param="messages", code="context_length_exceeded")
