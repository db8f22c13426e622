"""The neutral call as a call of `/api/chat`."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from gateline.formats.contract import Written
from gateline.formats.dialect import Dialect
from gateline.formats.features import FIELDS, left_inside, left_out
from gateline.formats.ollama.message import Body, Options, WrittenOffer, WrittenTool
from gateline.formats.ollama.names import CLIENT_NAMES
from gateline.formats.ollama.prompt import Prompt
from gateline.formats.ollama.thinking import write_thinking
from gateline.model.chat import Chat, Output, Tool

_MOST_LOGPROBS = 20
_NO_SCHEMA = Raw(b'{"type":"object","properties":{}}')
_UNSET = Chat(model="", turns=[])
_NO_OPTIONS = Options()
_encode = msgspec.json.Encoder().encode


def write_chat(chat: Chat, model: str, dialect: Dialect) -> Written:
    """See `Client.write`."""
    prompt = Prompt(chat.turns, dialect.refuses)
    dropped = prompt.dropped
    dropped |= dict.fromkeys(left_inside(chat, CLIENT_NAMES))
    for name in left_out(chat, CLIENT_NAMES):
        if not _is_default(chat, name):
            dropped[name] = None
    if dialect.refuses:
        chat = _without(chat, dialect.refuses, dropped)
    think, is_met = write_thinking(chat.thinking, model)
    if not is_met:
        dropped["thinking"] = None
    body = Body(
        model,
        prompt.messages,
        chat.stream,
        _tools(chat, dropped),
        _format(chat.output),
        think,
        _options(chat),
        True if chat.top_logprobs else chat.logprobs,
        min(chat.top_logprobs, _MOST_LOGPROBS) if chat.top_logprobs else None,
    )
    return Written(_encode(body), list(dropped))


def _is_default(chat: Chat, name: str) -> bool:
    """Whether the client asked for what Ollama does anyway."""
    if name == "n":
        return chat.n == 1
    if name == "parallel_tools":
        return chat.parallel_tools is True
    return name == "modalities" and chat.modalities == ["text"]


def _without(chat: Chat, refused: frozenset[str], dropped: dict[str, None]) -> Chat:
    changes: dict[str, Any] = {}
    for name in refused & FIELDS.keys():
        unset = getattr(_UNSET, name)
        if getattr(chat, name) != unset:
            changes[name] = unset
            dropped[name] = None
    return msgspec.structs.replace(chat, **changes) if changes else chat


def _tools(chat: Chat, dropped: dict[str, None]) -> list[WrittenTool] | None:
    """Which tools may be called is said by which are offered; that one must be cannot be said."""
    choice = chat.tool_choice
    tools = chat.tools
    if choice is not None:
        if choice.mode == "none":
            return None
        if choice.mode == "required":
            dropped["tool_choice"] = None
        if choice.names:
            tools = [tool for tool in tools if tool.name in choice.names]
    return [_tool(tool) for tool in tools] or None


def _tool(tool: Tool) -> WrittenTool:
    schema = tool.schema if bytes(tool.schema) else _NO_SCHEMA
    return WrittenTool(WrittenOffer(tool.name, schema, tool.description))


def _format(output: Output | None) -> Any:
    if output is None or output.kind == "text":
        return None
    return "json" if output.kind == "json" or not bytes(output.schema) else output.schema


def _options(chat: Chat) -> Options | None:
    options = Options(
        chat.max_tokens,
        chat.temperature,
        chat.top_p,
        chat.top_k,
        chat.frequency_penalty,
        chat.presence_penalty,
        chat.seed,
        chat.stop or None,
    )
    return None if options == _NO_OPTIONS else options
