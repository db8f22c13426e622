"""A call of Anthropic's Messages API, as a client of the gateway makes it, into a neutral chat."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from gateline.formats.anthropic.block import ABSENT, Block, CacheControl, read_cache
from gateline.formats.anthropic.content import Content
from gateline.formats.claude.thinking import ThinkingField, read_thinking
from gateline.formats.contract import Body
from gateline.formats.typed import Int64, read_typed
from gateline.model.call import Call
from gateline.model.chat import Chat, Media, Output, Part, Role, Text, Tool, ToolChoice, ToolResult, ToolUse, Turn
from gateline.model.errors import BadRequest
from gateline.model.vectors import Count

_KNOWN = frozenset({
    "model", "messages", "system", "max_tokens", "stream", "temperature", "top_p", "top_k", "stop_sequences",
    "metadata", "service_tier", "tools", "tool_choice", "thinking", "output_config", "cache_control",
    "anthropic_version",
})  # fmt: skip
_FUNCTION = frozenset({None, "custom"})  # the types of tools that the caller runs; all others run at the vendor
_TIERS = {"standard_only": "default"}
_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system"}


class _Message(msgspec.Struct):
    role: str
    content: str | list[Block]


class _Tool(msgspec.Struct):
    name: str = ""
    type: str | None = None
    description: str | None = None
    input_schema: Raw = ABSENT
    strict: bool | None = None
    cache_control: CacheControl | None = None
    allowed_callers: Raw = ABSENT
    defer_loading: Raw = ABSENT
    input_examples: Raw = ABSENT


class _ToolChoice(msgspec.Struct):
    type: str
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class _Format(msgspec.Struct):
    type: str
    schema: Raw = ABSENT


class _OutputConfig(msgspec.Struct):
    effort: str | None = None
    format: _Format | None = None
    task_budget: Raw = ABSENT


class _Request(msgspec.Struct):
    messages: list[_Message]
    system: str | list[Block] | None = None
    max_tokens: Int64 | None = None
    stream: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: Int64 | None = None
    stop_sequences: list[str] | None = None
    metadata: dict[str, Raw] | None = None
    service_tier: str | None = None
    tools: list[_Tool] | None = None
    tool_choice: _ToolChoice | None = None
    thinking: ThinkingField | None = None
    output_config: _OutputConfig | None = None
    cache_control: CacheControl | None = None


_decoder = msgspec.json.Decoder(_Request)
_decode_text = msgspec.json.Decoder(str | None).decode


def read_chat(call: Call, body: Body) -> Chat:
    """Raises BadRequest with the field at fault. Usage is always part of Anthropic's streams, and so asked for."""
    request = read_typed(_decoder, body)
    content = Content()
    chat = Chat(
        model=call.model,
        turns=_turns(request, content),
        stream=bool(request.stream),
        include_usage=True,
        max_tokens=request.max_tokens,
        temperature=request.temperature,
        top_p=request.top_p,
        top_k=request.top_k,
        stop=request.stop_sequences or [],
        unmapped=[] if _KNOWN.issuperset(call.fields) else [name for name in call.fields if name not in _KNOWN],
    )
    if request.tools:
        chat.tools = _tools(request.tools, chat)
    if request.tool_choice is not None:
        _choose(request.tool_choice, chat)
    config = request.output_config
    if config is not None:
        _put_output(config, chat)
    if config is not None or request.thinking is not None:
        chat.thinking = read_thinking(request.thinking, None if config is None else config.effort)
    if request.metadata:
        _put_metadata(request.metadata, chat)
    if request.service_tier:
        chat.service_tier = _TIERS.get(request.service_tier, request.service_tier)
    if request.cache_control is not None:
        _mark_last(chat, request.cache_control)
    if content.unmapped:
        chat.unmapped += content.unmapped
    return chat


def read_count(call: Call, body: Body) -> Count:
    """The same of a call to `count_tokens`."""
    return Count(chat=read_chat(call, body))


def _turns(request: _Request, content: Content) -> list[Turn]:
    turns: list[Turn] = []
    system = request.system
    if system:
        parts: list[Part] = [Text(text=system)] if isinstance(system, str) else content.texts(system, "system")
        turns.append(Turn(role="system", parts=parts))
    if not request.messages:
        raise BadRequest("`messages`: at least one message is required", param="messages")
    for at, message in enumerate(request.messages):
        role = _ROLES.get(message.role)
        if role is None:
            param = f"messages[{at}].role"
            raise BadRequest(f"invalid value for `{param}`: expected `user` or `assistant`", param=param)
        found = message.content
        if isinstance(found, str):
            parts = [Text(text=found)] if found else []
        elif role == "system":
            parts = content.texts(found, f"messages[{at}].content")
        else:
            parts = content.parts(found, role, f"messages[{at}].content")
        turns.append(Turn(role=role, parts=parts))
    return turns


def _tools(tools: list[_Tool], chat: Chat) -> list[Tool]:
    functions: list[Tool] = []
    for at, tool in enumerate(tools):
        if tool.type not in _FUNCTION:
            chat.unmapped.append(f"tools.{tool.type}")
            continue
        if not tool.name:
            raise BadRequest(f"`tools[{at}].name` is required", param=f"tools[{at}].name")
        for name in ("allowed_callers", "defer_loading", "input_examples"):
            if getattr(tool, name) is not ABSENT and f"tools.{name}" not in chat.unmapped:
                chat.unmapped.append(f"tools.{name}")
        functions.append(
            Tool(
                name=tool.name,
                description=tool.description or "",
                schema=tool.input_schema,
                strict=tool.strict,
                cache=read_cache(tool.cache_control),
            )
        )
    return functions


def _choose(choice: _ToolChoice, chat: Chat) -> None:
    if choice.type == "auto":
        chat.tool_choice = ToolChoice(mode="auto")
    elif choice.type == "none":
        chat.tool_choice = ToolChoice(mode="none")
    elif choice.type == "any":
        chat.tool_choice = ToolChoice(mode="required")
    elif choice.type == "tool":
        if not choice.name:
            raise BadRequest("`tool_choice.name` is required", param="tool_choice.name")
        chat.tool_choice = ToolChoice(mode="required", names=[choice.name])
    else:
        raise BadRequest(
            "invalid value for `tool_choice.type`: expected `auto`, `any`, `tool` or `none`", param="tool_choice.type"
        )
    if choice.disable_parallel_tool_use is not None:
        chat.parallel_tools = not choice.disable_parallel_tool_use


def _put_output(config: _OutputConfig, chat: Chat) -> None:
    wanted = config.format
    if wanted is not None:
        if wanted.type != "json_schema":
            raise BadRequest(
                "invalid value for `output_config.format.type`: expected `json_schema`",
                param="output_config.format.type",
            )
        if not bytes(wanted.schema):
            raise BadRequest(
                "`output_config.format.schema` is required",
                param="output_config.format.schema",
                code="missing_required_parameter",
            )
        chat.output = Output(kind="schema", schema=wanted.schema, strict=True)
    if config.task_budget is not ABSENT:
        chat.unmapped.append("output_config.task_budget")


def _put_metadata(metadata: dict[str, Raw], chat: Chat) -> None:
    for name, value in metadata.items():
        if name != "user_id":
            chat.unmapped.append(f"metadata.{name}")
            continue
        try:
            chat.user = _decode_text(value) or ""
        except msgspec.MsgspecError:
            param = "metadata.user_id"
            raise BadRequest(f"invalid value for `{param}`: expected a string", param=param) from None


def _mark_last(chat: Chat, control: CacheControl) -> None:
    """A mark at the top level stands for one on the last block that can have one."""
    for turn in reversed(chat.turns):
        for part in reversed(turn.parts):
            if isinstance(part, Text | Media | ToolUse | ToolResult):
                part.cache = part.cache or read_cache(control)
                return
