"""Calls of `/api/chat` and `/api/generate`, as clients send them, into the neutral call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Raw

from gateline.formats.contract import Body
from gateline.formats.ollama.media import read_image
from gateline.formats.ollama.message import ABSENT, Message, Options, Tool
from gateline.formats.ollama.thinking import read_thinking
from gateline.formats.ollama.turns import read_turns
from gateline.formats.typed import Int64, read_typed
from gateline.model.call import Call
from gateline.model.chat import Chat, Output, Part, Text, Turn
from gateline.model.chat import Tool as OfferedTool
from gateline.model.errors import BadRequest


class _Common(msgspec.Struct):
    format: Raw = ABSENT
    logprobs: bool | None = None
    options: Options | None = None
    think: bool | str | None = None
    top_logprobs: Int64 | None = None


class _Chat(_Common):
    messages: list[Message] | None = None
    tools: list[Tool] | None = None


class _Generate(_Common):
    images: list[str] | None = None
    prompt: str | None = None
    system: str | None = None


_CHAT = msgspec.json.Decoder(_Chat)
_GENERATE = msgspec.json.Decoder(_Generate)
_KNOWN = frozenset({*_Chat.__struct_fields__, *_Generate.__struct_fields__, "model", "stream"})
_CHAT_KNOWN = _KNOWN - {"images", "prompt", "system"}
_OPTIONS = frozenset(Options.__struct_fields__)
_decode_fields = msgspec.json.Decoder(dict[str, Raw] | None).decode
# What asks for nothing: clients send such fields unasked.
_EMPTY = frozenset({b"null", b'""', b"[]", b"{}"})
_NO_RAW = ("raw", b"false")


def read_chat(call: Call, body: Body) -> Chat:
    """See `Server.read`."""
    found = read_typed(_CHAT, body)
    turns = read_turns(found.messages or ())
    if not turns:
        raise BadRequest("`messages` must not be empty", param="messages", code="invalid_value")
    chat = _chat(call, found, turns, _CHAT_KNOWN)
    chat.tools = [
        OfferedTool(name=each.name, description=each.description or "", schema=_schema(each.parameters))
        for each in (tool.function for tool in found.tools or ())
    ]
    return chat


def read_generate(call: Call, body: Body) -> Chat:
    """See `Server.read`. The prompt is one turn; `context`, a conversation in a model's own tokens, has no place in any
    other format."""
    found = read_typed(_GENERATE, body)
    parts: list[Part] = [Text(text=found.prompt)] if found.prompt else []
    parts += [read_image(image) for image in found.images or ()]
    if not parts:
        raise BadRequest("`prompt` must not be empty", param="prompt", code="invalid_value")
    turns = [Turn(role="system", parts=[Text(text=found.system)])] if found.system else []
    return _chat(call, found, [*turns, Turn(role="user", parts=parts)], _KNOWN - {"messages", "tools"})


def _chat(call: Call, found: _Common, turns: list[Turn], known: Iterable[str]) -> Chat:
    fields = call.fields
    chat = Chat(
        model=call.model,
        turns=turns,
        stream=call.stream,
        include_usage=True,
        output=_output(found.format),
        thinking=read_thinking(found.think),
        logprobs=found.logprobs,
        top_logprobs=found.top_logprobs or None,
        unmapped=[name for name in fields.keys() - known if _says_something(name, fields)],
    )
    if found.options is not None:
        _put_options(chat, found.options, fields["options"])
    chat.unmapped.sort()
    return chat


def _put_options(chat: Chat, options: Options, raw: Raw) -> None:
    """Numbers below what counts stand for "no bound" and "any"."""
    chat.max_tokens = _above(options.num_predict, 0)
    chat.temperature = options.temperature
    chat.top_p = options.top_p
    chat.top_k = _above(options.top_k, 0)
    chat.frequency_penalty = options.frequency_penalty
    chat.presence_penalty = options.presence_penalty
    chat.seed = _above(options.seed, -1)
    stop = options.stop
    chat.stop = [stop] if isinstance(stop, str) else stop or []
    given = _decode_fields(raw) or {}
    chat.unmapped += [f"options.{name}" for name in given.keys() - _OPTIONS if bytes(given[name]) not in _EMPTY]


def _above(value: int | None, least: int) -> int | None:
    return value if value is not None and value > least else None


def _says_something(name: str, fields: Mapping[str, Raw]) -> bool:
    value = bytes(fields[name])
    return value not in _EMPTY and (name, value) != _NO_RAW


def _output(raw: Raw) -> Output | None:
    value = bytes(raw)
    if not value or value in _EMPTY:
        return None
    if value == b'"json"':
        return Output(kind="json")
    if value[:1] == b"{":
        return Output(kind="schema", schema=Raw(value))
    raise BadRequest('invalid value for `format`: "json" or a JSON schema', param="format", code="invalid_value")


def _schema(raw: Raw) -> Raw:
    return ABSENT if bytes(raw) in {b"", b"null"} else Raw(bytes(raw))
