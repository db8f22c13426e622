"""The body of a chat call, as clients send it, into the neutral call."""

from __future__ import annotations

from typing import Any, Literal, NoReturn

import msgspec
from msgspec import Raw

from gateline.formats.contract import Body
from gateline.formats.openai.message import FunctionTool, Message, ResponseFormat, ToolObject
from gateline.formats.openai.thinking import ReasoningObject, ThinkingObject, read_thinking
from gateline.formats.openai.turns import read_cache, read_turns
from gateline.formats.typed import Int64, read_typed
from gateline.model.call import Call
from gateline.model.chat import Chat, Effort, Output, Tool, ToolChoice
from gateline.model.errors import BadRequest


class _Named(msgspec.Struct):
    name: str = ""


class _AllowedTool(msgspec.Struct):
    function: _Named | None = None


class _AllowedTools(msgspec.Struct):
    mode: Literal["auto", "required"] = "auto"
    tools: list[_AllowedTool] = []


class _Choice(msgspec.Struct):
    type: str = "function"
    function: _Named | None = None
    allowed_tools: _AllowedTools | None = None


class _Body(msgspec.Struct):
    messages: list[Message]
    audio: Raw = Raw(b"")
    enable_thinking: bool | None = None
    frequency_penalty: float | None = None
    function_call: str | _Named | None = None
    functions: list[FunctionTool] | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: bool | None = None
    metadata: dict[str, str] | None = None
    modalities: list[str] | None = None
    n: Int64 | None = None
    parallel_tool_calls: bool | None = None
    presence_penalty: float | None = None
    prompt_cache_key: str | None = None
    random_seed: Int64 | None = None
    reasoning: ReasoningObject | None = None
    reasoning_effort: Effort | None = None
    response_format: ResponseFormat | None = None
    safety_identifier: str | None = None
    seed: Int64 | None = None
    service_tier: str | None = None
    stop: str | list[str] | None = None
    store: bool | None = None
    temperature: float | None = None
    thinking: ThinkingObject | None = None
    thinking_budget: Int64 | None = None
    tool_choice: str | _Choice | None = None
    tools: list[ToolObject] | None = None
    top_k: Int64 | None = None
    top_logprobs: Int64 | None = None
    top_p: float | None = None
    verbosity: str | None = None


_DECODER = msgspec.json.Decoder(_Body)
_KNOWN = frozenset(_Body.__struct_fields__) | {
    "model", "stream", "stream_options", "user", "max_tokens", "max_completion_tokens",
}  # fmt: skip
_KINDS: dict[str, Literal["text", "json", "schema"]] = {"text": "text", "json_object": "json", "json_schema": "schema"}
# `any` is Mistral's word.
_MODES: dict[str, Literal["auto", "none", "required"]] = {
    "auto": "auto", "none": "none", "required": "required", "any": "required",
}  # fmt: skip


def read_chat(call: Call, body: Body) -> Chat:
    """See `Server.read`."""
    found = read_typed(_DECODER, body)
    if not found.messages:
        raise BadRequest("`messages` must not be empty", param="messages", code="invalid_value")
    unmapped = [] if _KNOWN.issuperset(call.fields) else [name for name in call.fields if name not in _KNOWN]
    chat = Chat(
        model=call.model,
        turns=read_turns(found.messages, unmapped),
        stream=call.stream,
        include_usage=call.include_usage,
        max_tokens=call.max_tokens,
        user=found.safety_identifier or call.user or "",
        unmapped=unmapped,
    )
    # Most calls set a handful of fields: what was not sent costs nothing here.
    if len(call.fields) > 2:
        _read_fields(chat, found)
        if found.tools or found.functions or found.tool_choice is not None or found.function_call is not None:
            _read_tools(chat, found)
    return chat


def _read_fields(chat: Chat, found: _Body) -> None:
    chat.temperature = found.temperature
    chat.top_p = found.top_p
    chat.top_k = found.top_k
    chat.frequency_penalty = found.frequency_penalty
    chat.presence_penalty = found.presence_penalty
    chat.seed = found.seed if found.seed is not None else found.random_seed  # Mistral's name of it
    chat.n = found.n
    chat.logprobs = found.logprobs
    chat.top_logprobs = found.top_logprobs
    chat.store = found.store
    if found.stop is not None:
        chat.stop = [found.stop] if isinstance(found.stop, str) else found.stop
    if found.response_format is not None:
        chat.output = _output(found.response_format)
    chat.thinking = read_thinking(
        found.reasoning_effort, found.reasoning, found.thinking, found.enable_thinking, found.thinking_budget
    )
    chat.logit_bias = found.logit_bias or {}
    chat.modalities = found.modalities or []
    chat.metadata = found.metadata or {}
    chat.verbosity = found.verbosity or ""
    chat.service_tier = found.service_tier or ""
    chat.cache_key = found.prompt_cache_key or ""
    if bytes(found.audio) != b"null":
        chat.voice = found.audio


def _output(found: ResponseFormat) -> Output:
    kind = _KINDS.get(found.type)
    if kind is None:
        _refuse("response_format.type", f"{found.type!a} is none of {', '.join(_KINDS)}")
    if kind != "schema":
        return Output(kind=kind)
    schema = found.json_schema
    if schema is None:
        _refuse("response_format.json_schema", "it is required")
    return Output(
        kind=kind, name=schema.name, description=schema.description or "", schema=schema.schema, strict=schema.strict
    )


def _read_tools(chat: Chat, found: _Body) -> None:
    chat.parallel_tools = found.parallel_tool_calls
    for at, tool in enumerate(found.tools or ()):
        if tool.type == "function":
            if tool.function is None:
                _refuse(f"tools[{at}].function", "it is required")
            read = _tool(tool.function)
            if tool.cache_control is not None:
                read.cache = read_cache(tool.cache_control)
            chat.tools.append(read)
        else:
            chat.unmapped.append(f"tools[{at}]")
    for function in found.functions or ():
        chat.tools.append(_tool(function))
    chosen = found.tool_choice if found.tool_choice is not None else found.function_call
    if chosen is not None:
        chat.tool_choice = _choice(chosen, chat.unmapped)


def _tool(function: FunctionTool) -> Tool:
    if not function.name:
        _refuse("tools", "every function needs a name")
    schema = function.parameters
    return Tool(
        name=function.name,
        description=function.description or "",
        schema=Raw(b"") if bytes(schema) == b"null" else schema,
        strict=function.strict,
    )


def _choice(found: Any, unmapped: list[str]) -> ToolChoice | None:
    if isinstance(found, _Named):
        return ToolChoice(mode="required", names=[found.name])
    if isinstance(found, str):
        mode = _MODES.get(found)
        if mode is None:
            _refuse("tool_choice", f"{found!a} is none of none, auto, required")
        return ToolChoice(mode=mode)
    if found.type == "function" and found.function is not None and found.function.name:
        return ToolChoice(mode="required", names=[found.function.name])
    if found.type == "allowed_tools" and found.allowed_tools is not None:
        allowed = found.allowed_tools
        names = [tool.function.name for tool in allowed.tools if tool.function is not None]
        return ToolChoice(mode=allowed.mode, names=names)
    if found.type == "function":
        _refuse("tool_choice.function.name", "it is required")
    unmapped.append("tool_choice")
    return None


def _refuse(place: str, reason: str) -> NoReturn:
    raise BadRequest(f"invalid value for `{place}`: {reason}", param=place, code="invalid_value")
