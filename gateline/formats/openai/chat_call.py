"""The neutral call as a vendor's chat body."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Raw

from gateline.formats.contract import Written
from gateline.formats.dialect import Dialect
from gateline.formats.features import asked, left_inside
from gateline.formats.gpt import abilities, fitted
from gateline.formats.openai.message import FunctionTool, JsonSchema, ResponseFormat, ToolObject
from gateline.formats.openai.messages import MessageWriter, write_cache
from gateline.formats.openai.names import CLIENT_NAMES
from gateline.formats.openai.thinking import write_thinking
from gateline.formats.strict import is_strict
from gateline.model.chat import Chat, Tool

_encode = msgspec.json.Encoder().encode

_NO_PARAMETERS = Raw(b'{"type":"object","properties":{}}')
_TIERS = frozenset({"auto", "default", "flex", "scale", "priority", "fast"})
_PLAIN = (
    "top_p", "frequency_penalty", "presence_penalty", "n", "logprobs", "top_logprobs",
    "modalities", "voice", "verbosity", "user", "cache_key", "store",
)  # fmt: skip


def write_chat(chat: Chat, model: str, dialect: Dialect) -> Written:
    """See `Client.write`."""
    able = abilities(model) if dialect.has_developer else None
    chat, refused = (chat, []) if able is None else fitted(chat, able)
    messages = MessageWriter(model, dialect)
    body: dict[str, Any] = {"model": model, "messages": messages.write(chat.turns)}
    if chat.stream:
        body["stream"] = True
        if dialect.stream_options:
            body["stream_options"] = {"include_usage": True}
    dropped = messages.dropped
    dropped.update(dict.fromkeys(refused))
    if not dialect.cache_control and any(tool.cache for tool in chat.tools):
        dropped["cache"] = None
    dropped.update(dict.fromkeys(left_inside(chat, CLIENT_NAMES)))
    if any(tool.strict and bytes(tool.schema) and not is_strict(tool.schema) for tool in chat.tools):
        dropped["tool_strict"] = None
    for name in asked(chat):
        if name in dialect.refuses or not _write_field(name, chat, dialect, body):
            dropped[name] = None
    return Written(_encode(body), list(dropped))


def _write_field(name: str, chat: Chat, dialect: Dialect, body: dict[str, Any]) -> bool:
    """False when the vendor cannot have all of it."""
    if name in _PLAIN:
        body[CLIENT_NAMES[name]] = getattr(chat, name)
        return True
    write = _WRITERS.get(name)
    return write is not None and write(chat, dialect, body)


def _max_tokens(chat: Chat, dialect: Dialect, body: dict[str, Any]) -> bool:
    body[dialect.max_tokens] = chat.max_tokens
    return True


def _seed(chat: Chat, dialect: Dialect, body: dict[str, Any]) -> bool:
    body[dialect.seed] = chat.seed
    return True


def _temperature(chat: Chat, dialect: Dialect, body: dict[str, Any]) -> bool:
    given = chat.temperature or 0.0
    body["temperature"] = chat.temperature if given <= dialect.top_temperature else dialect.top_temperature
    return given <= dialect.top_temperature


def _stop(chat: Chat, dialect: Dialect, body: dict[str, Any]) -> bool:
    body["stop"] = chat.stop[: dialect.most_stops]
    return len(chat.stop) <= dialect.most_stops


def _metadata(chat: Chat, _: Dialect, body: dict[str, Any]) -> bool:
    """OpenAI takes labels only of answers that it keeps."""
    if not chat.store:
        return False
    body["metadata"] = chat.metadata
    return True


def _service_tier(chat: Chat, _: Dialect, body: dict[str, Any]) -> bool:
    """`auto` is what not asking means, and not every vendor knows the field."""
    if chat.service_tier not in _TIERS:
        return False
    if chat.service_tier != "auto":
        body["service_tier"] = chat.service_tier
    return True


def _logit_bias(chat: Chat, _: Dialect, body: dict[str, Any]) -> bool:
    body["logit_bias"] = {token: int(bias) if bias.is_integer() else bias for token, bias in chat.logit_bias.items()}
    return True


def _thinking(chat: Chat, dialect: Dialect, body: dict[str, Any]) -> bool:
    return chat.thinking is None or write_thinking(
        chat.thinking, dialect.thinking, body, is_openai=dialect.has_developer
    )


def _output(chat: Chat, dialect: Dialect, body: dict[str, Any]) -> bool:
    output = chat.output
    if output is None or output.kind == "text":
        return True
    if output.kind == "json" or not dialect.schema or not bytes(output.schema):
        body["response_format"] = ResponseFormat("json_object")
        return output.kind == "json"
    strict = output.strict and is_strict(output.schema)
    schema = JsonSchema(output.name or "response", output.description or None, output.schema, strict)
    body["response_format"] = ResponseFormat("json_schema", schema)
    return strict == output.strict


def _tools(chat: Chat, dialect: Dialect, body: dict[str, Any]) -> bool:
    """A choice among some of the tools is written as if there were no others: not every vendor knows such a choice."""
    choice = chat.tool_choice
    tools = chat.tools
    if choice is not None and choice.names and not (choice.mode == "required" and len(choice.names) == 1):
        tools = [tool for tool in tools if tool.name in choice.names] or tools
    body["tools"] = [_tool(tool, dialect) for tool in tools]
    return True


def _tool(tool: Tool, dialect: Dialect) -> ToolObject:
    schema = tool.schema if bytes(tool.schema) else _NO_PARAMETERS
    strict = tool.strict and is_strict(schema)
    written = ToolObject("function", FunctionTool(tool.name, tool.description or None, schema, strict))
    if tool.cache and dialect.cache_control:
        written.cache_control = write_cache(tool.cache)
    return written


def _tool_choice(chat: Chat, dialect: Dialect, body: dict[str, Any]) -> bool:
    """Without tools there is nothing to choose, and vendors refuse the field."""
    choice = chat.tool_choice
    if choice is None or not chat.tools:
        return True
    named = choice.names if choice.mode == "required" else []
    way = "named" if len(named) == 1 else choice.mode
    if way != "auto" and way not in dialect.tool_choices:
        return False
    body["tool_choice"] = {"type": "function", "function": {"name": named[0]}} if way == "named" else way
    return True


def _parallel_tools(chat: Chat, _: Dialect, body: dict[str, Any]) -> bool:
    if chat.tools:
        body["parallel_tool_calls"] = chat.parallel_tools
    return True


_WRITERS: dict[str, Callable[[Chat, Dialect, dict[str, Any]], bool]] = {
    "max_tokens": _max_tokens,
    "seed": _seed,
    "temperature": _temperature,
    "logit_bias": _logit_bias,
    "stop": _stop,
    "metadata": _metadata,
    "service_tier": _service_tier,
    "thinking": _thinking,
    "output": _output,
    "tools": _tools,
    "tool_choice": _tool_choice,
    "parallel_tools": _parallel_tools,
}
