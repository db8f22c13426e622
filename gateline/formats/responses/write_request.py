"""A chat as the body of a call to a vendor that speaks this format (OpenAI, Azure OpenAI, xAI, DeepSeek and others)."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from gateline.formats.contract import Written
from gateline.formats.dialect import Dialect
from gateline.formats.features import left_inside, left_out
from gateline.formats.gpt import abilities, fitted
from gateline.formats.responses.names import CLIENT_NAMES
from gateline.formats.responses.write_input import InputWriter
from gateline.formats.strict import is_strict
from gateline.model.chat import Chat, Output, Thinking, Tool, ToolChoice

LEAST_TOKENS = 16  # OpenAI answers a smaller `max_output_tokens` with 400
LONGEST_NAME = 64  # characters of `safety_identifier` and `prompt_cache_key`: a longer one is answered with 400
_TIERS = frozenset({"auto", "default", "flex", "priority"})
_NO_PARAMETERS = Raw(b'{"type":"object","properties":{}}')
_ANY_OBJECT = Raw(b'{"type":"object"}')


class _Tool(msgspec.Struct, tag="function", omit_defaults=True):
    """`strict` is always said: this format takes it for true where it is left out, and all others for false."""

    name: str
    parameters: Raw
    strict: bool
    description: str = ""


class _Name(msgspec.Struct, tag="function"):
    name: str


class _Allowed(msgspec.Struct, tag="allowed_tools"):
    mode: str
    tools: list[_Name]


class _Schema(msgspec.Struct, tag="json_schema", omit_defaults=True):
    name: str
    schema: Raw
    strict: bool
    description: str = ""


class _Plain(msgspec.Struct):
    type: str


class _TextOptions(msgspec.Struct, omit_defaults=True):
    format: _Schema | _Plain | None = None
    verbosity: str = ""


class _Thinking(msgspec.Struct, omit_defaults=True):
    effort: str | None = None
    summary: str | None = None


class _Body(msgspec.Struct, omit_defaults=True):
    model: str
    input: list[Any]
    store: bool
    instructions: str | None = None
    stream: bool = False
    tools: list[_Tool] | None = None
    tool_choice: str | _Name | _Allowed | None = None
    parallel_tool_calls: bool | None = None
    text: _TextOptions | None = None
    reasoning: _Thinking | None = None
    include: list[str] | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: int | None = None
    metadata: dict[str, str] | None = None
    safety_identifier: str | None = None
    service_tier: str | None = None
    prompt_cache_key: str | None = None


_encode = msgspec.json.Encoder().encode


def write_chat(chat: Chat, model: str, dialect: Dialect) -> Written:
    """The vendor keeps nothing unless asked: reasoning comes back sealed instead, where the chat has any or asks for it
    (OpenAI refuses to seal for models that do not reason). A bound under 16 output tokens becomes 16."""
    able = abilities(model) if dialect.has_developer else None
    chat, unfit = (chat, []) if able is None else fitted(chat, able, is_responses=True)
    if able is not None and not able.efforts:
        dialect = msgspec.structs.replace(dialect, refuses=dialect.refuses | {"seal"})
    refused = dialect.refuses
    carried = {name: field for name, field in CLIENT_NAMES.items() if name not in refused} if refused else CLIENT_NAMES
    dropped = unfit + left_out(chat, carried) + left_inside(chat, carried)
    writer = InputWriter(dialect)
    turns = chat.turns
    instructions = writer.instructions(turns[0]) if turns else None
    for turn in turns if instructions is None else turns[1:]:
        writer.write(turn)
    body = _Body(model, writer.items, bool(chat.store) and "store" in carried, instructions, chat.stream)
    _write_tools(chat, body, carried)
    _write_output(chat, body, dialect, carried)
    thinking = chat.thinking if "thinking" in carried else None
    if thinking is not None:
        body.reasoning = _thinking(thinking)
    include: list[str] = []
    if writer.has_seals or (thinking is not None and _reasons(thinking)):
        include.append("reasoning.encrypted_content")
    if chat.logprobs and "logprobs" in carried:
        include.append("message.output_text.logprobs")
        body.top_logprobs = chat.top_logprobs
    body.include = include or None
    _write_rest(chat, body, carried, dropped)
    dropped += writer.dropped
    dropped += _unstrict(chat, body)
    return Written(_encode(body), dropped)


def _write_rest(chat: Chat, body: _Body, carried: dict[str, str], dropped: list[str]) -> None:
    if chat.max_tokens is not None and "max_tokens" in carried:
        body.max_output_tokens = chat.max_tokens
        if chat.max_tokens < LEAST_TOKENS:
            body.max_output_tokens = LEAST_TOKENS
            dropped.append("max_tokens")
    if "temperature" in carried:
        body.temperature = chat.temperature
    if "top_p" in carried:
        body.top_p = chat.top_p
    if "metadata" in carried:
        body.metadata = chat.metadata or None
    for name, value in (("user", chat.user), ("cache_key", chat.cache_key)):
        if value and name in carried:
            if len(value) > LONGEST_NAME:
                dropped.append(name)
            elif name == "user":
                body.safety_identifier = value
            else:
                body.prompt_cache_key = value
    if chat.service_tier and "service_tier" in carried:
        if chat.service_tier in _TIERS:
            body.service_tier = chat.service_tier
        else:
            dropped.append("service_tier")


def _write_tools(chat: Chat, body: _Body, carried: dict[str, str]) -> None:
    """Nothing about tools is sent without tools: that is 400 at some vendors."""
    if not chat.tools or "tools" not in carried:
        return
    body.tools = [_tool(tool) for tool in chat.tools]
    if "parallel_tools" in carried:
        body.parallel_tool_calls = chat.parallel_tools
    if chat.tool_choice is not None and "tool_choice" in carried:
        body.tool_choice = _choice(chat.tool_choice)


def _tool(tool: Tool) -> _Tool:
    schema = tool.schema if bytes(tool.schema) else _NO_PARAMETERS
    return _Tool(tool.name, schema, bool(tool.strict) and is_strict(schema), tool.description)


def _unstrict(chat: Chat, body: _Body) -> list[str]:
    """What was to be strict and is not, since its schema is none that strict mode takes."""
    found: list[str] = []
    asked = {tool.name for tool in chat.tools if tool.strict and bytes(tool.schema)}
    if any(tool.name in asked and not tool.strict for tool in body.tools or ()):
        found.append("tool_strict")
    form = None if body.text is None else body.text.format
    if isinstance(form, _Schema) and chat.output is not None and chat.output.strict and not form.strict:
        found.append("output")
    return found


def _choice(choice: ToolChoice) -> str | _Name | _Allowed:
    if not choice.names or choice.mode == "none":
        return choice.mode
    if choice.mode == "required" and len(choice.names) == 1:
        return _Name(choice.names[0])
    return _Allowed(choice.mode, [_Name(name) for name in choice.names])


def _write_output(chat: Chat, body: _Body, dialect: Dialect, carried: dict[str, str]) -> None:
    form: _Schema | _Plain | None = None
    if chat.output is not None and "output" in carried:
        form = _format(chat.output, dialect)
    verbosity = chat.verbosity if "verbosity" in carried else ""
    if form is not None or verbosity:
        body.text = _TextOptions(form, verbosity)


def _format(output: Output, dialect: Dialect) -> _Schema | _Plain | None:
    if output.kind == "text":
        return _Plain("text")
    if output.kind == "json" or not dialect.schema:
        return _Plain("json_object")
    schema = output.schema if bytes(output.schema) else _ANY_OBJECT
    return _Schema(output.name or "output", schema, bool(output.strict) and is_strict(schema), output.description)


def _thinking(thinking: Thinking) -> _Thinking | None:
    """A budget in tokens becomes the effort that comes near it."""
    effort: str | None = thinking.effort
    budget = thinking.budget
    if effort is None and budget is not None and budget >= 0:
        effort = "none" if budget == 0 else "low" if budget <= 2048 else "medium" if budget <= 16_384 else "high"
    summary = (thinking.summary or "auto") if thinking.is_shown else None
    return _Thinking(effort, summary) if effort is not None or summary is not None else None


def _reasons(thinking: Thinking) -> bool:
    return thinking.effort != "none" and thinking.budget != 0
