"""A client's call for a response into a chat."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Raw

from gateline.formats.contract import Body
from gateline.formats.responses.items import Item
from gateline.formats.responses.read_input import InputReader
from gateline.formats.typed import Int64, read_typed
from gateline.model.call import Call
from gateline.model.chat import Chat, Effort, Output, Text, Thinking, Tool, ToolChoice, Turn
from gateline.model.errors import BadRequest

_LOGPROBS = "message.output_text.logprobs"
_SEALS = "reasoning.encrypted_content"  # always given
_NULL = Raw(b"null")
_NO_SCHEMA = Raw(b"")


class _Format(msgspec.Struct):
    type: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    description: str | None = None
    schema: Raw = _NO_SCHEMA
    strict: bool | None = None


class _TextOptions(msgspec.Struct):
    format: _Format | None = None
    verbosity: str | None = None


class _Reasoning(msgspec.Struct):
    effort: Effort | None = None
    summary: str | None = None
    generate_summary: str | None = None


class _Tool(msgspec.Struct):
    type: str
    name: str | None = None
    description: str | None = None
    parameters: Raw = _NO_SCHEMA
    strict: bool | None = None


class _Choice(msgspec.Struct):
    type: str
    name: str | None = None
    mode: Literal["auto", "required"] = "auto"
    tools: list[_Choice] = []


class _Request(msgspec.Struct):
    """Null stands for absent everywhere, as at OpenAI. `prompt` and hosted tools have no counterpart elsewhere."""

    input: str | list[Item] | None = None
    instructions: str | None = None
    previous_response_id: str | None = None
    tools: list[_Tool] | None = None
    tool_choice: str | _Choice | None = None
    parallel_tool_calls: bool | None = None
    text: _TextOptions | None = None
    reasoning: _Reasoning | None = None
    max_output_tokens: Int64 | None = None
    temperature: float | None = None
    top_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    top_logprobs: Int64 | None = None
    include: list[str] | None = None
    metadata: dict[str, str] | None = None
    store: bool | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    service_tier: str | None = None


_MODES: dict[str, Literal["auto", "none", "required"]] = {"auto": "auto", "none": "none", "required": "required"}
_decoder = msgspec.json.Decoder(_Request)
_NO = frozenset({b"null", b"false"})
# `truncation` is how far a vendor goes to make a call fit, and `stream_options` pads its events: neither is content.
_KNOWN = frozenset(_Request.__struct_fields__) | {
    "model", "stream", "background", "conversation", "stream_options",
}  # fmt: skip


def refuse_unsupported(call: Call) -> None:
    """Raises BadRequest for what no call may ask of the gateway, whoever answers it."""
    if bytes(call.fields.get("background", _NULL)) not in _NO:
        raise BadRequest(
            "`background` is not supported: the gateway has no store of jobs yet. Leave it out, or stream.",
            param="background",
            code="unsupported_parameter",
        )
    if bytes(call.fields.get("conversation", _NULL)) != b"null":
        raise BadRequest(
            "`conversation` is not supported: a vendor finds those of every caller of its account. Send the input "
            "itself, or `previous_response_id`.",
            param="conversation",
            code="unsupported_parameter",
        )


def read_chat(call: Call, body: Body) -> Chat:
    """Raises BadRequest. What `previous_response_id` stands for must be in the input already (`continued`)."""
    refuse_unsupported(call)
    fields = call.fields
    request = read_typed(_decoder, body)
    reader = InputReader()
    if request.instructions:
        reader.turns.append(Turn(role="system", parts=[Text(text=request.instructions)]))
    if isinstance(request.input, str):
        reader.turns.append(Turn(role="user", parts=[Text(text=request.input)]))
    elif request.input is not None:
        reader.read(request.input)
    else:
        raise BadRequest("`input` is required", param="input", code="missing_required_parameter")
    unmapped = [name for name in fields if name not in _KNOWN and bytes(fields[name]) != b"null"]
    chat = Chat(
        model=call.model,
        turns=reader.turns,
        stream=call.stream,
        include_usage=True,
        parallel_tools=request.parallel_tool_calls,
        max_tokens=request.max_output_tokens,
        temperature=request.temperature,
        top_p=request.top_p,
        frequency_penalty=request.frequency_penalty,
        presence_penalty=request.presence_penalty,
        top_logprobs=request.top_logprobs or None,
        metadata=request.metadata or {},
        user=request.safety_identifier or request.user or "",
        service_tier=request.service_tier or "",
        cache_key=request.prompt_cache_key or "",
        echo=_echo(request),
        unmapped=unmapped + reader.unmapped,
    )
    _read_options(request, chat)
    return chat


def _echo(request: _Request) -> dict[str, str]:
    """What a response repeats of its call that is no part of a chat: it is `resource.py` that reads it."""
    echo: dict[str, str] = {}
    if request.instructions is not None:
        echo["instructions"] = request.instructions
    if request.previous_response_id:
        echo["previous_response_id"] = request.previous_response_id
    if request.store is not False:
        echo["store"] = "true"
    return echo


def _read_options(request: _Request, chat: Chat) -> None:
    if request.tools:
        _read_tools(request.tools, chat)
    if request.tool_choice is not None:
        _read_choice(request.tool_choice, chat)
    if request.text is not None:
        chat.verbosity = request.text.verbosity or ""
        if request.text.format is not None:
            chat.output = _output(request.text.format)
    if request.reasoning is not None:
        summary = request.reasoning.summary or request.reasoning.generate_summary or ""
        if request.reasoning.effort is not None or summary:
            chat.thinking = Thinking(
                effort=request.reasoning.effort, is_shown=True if summary else None, summary=summary
            )
    for wanted in request.include or ():
        if wanted == _LOGPROBS:
            chat.logprobs = True
        elif wanted != _SEALS:
            chat.unmapped.append(f"include.{wanted}")
    if chat.top_logprobs:
        chat.logprobs = True


def _read_tools(tools: list[_Tool], chat: Chat) -> None:
    for number, tool in enumerate(tools):
        if tool.type != "function":
            chat.unmapped.append(f"tools[{number}].{tool.type}")
            continue
        if not tool.name:
            place = f"tools[{number}].name"
            raise BadRequest(f"`{place}` is required", param=place, code="missing_required_parameter")
        schema = tool.parameters
        chat.tools.append(
            Tool(
                name=tool.name,
                description=tool.description or "",
                schema=_NO_SCHEMA if bytes(schema) == b"null" else schema,
                strict=tool.strict,
            )
        )


def _read_choice(choice: str | _Choice, chat: Chat) -> None:
    if isinstance(choice, str):
        mode = _MODES.get(choice)
        if mode is not None:
            chat.tool_choice = ToolChoice(mode=mode)
            return
        raise BadRequest(
            "invalid value for `tool_choice`: expected auto, none, required or an object",
            param="tool_choice",
            code="invalid_value",
        )
    if choice.type == "function":
        if not choice.name:
            raise BadRequest(
                "`tool_choice.name` is required", param="tool_choice.name", code="missing_required_parameter"
            )
        chat.tool_choice = ToolChoice(mode="required", names=[choice.name])
    elif choice.type == "allowed_tools":
        names = [tool.name for tool in choice.tools if tool.type == "function" and tool.name]
        chat.tool_choice = ToolChoice(mode=choice.mode, names=names)
    else:
        chat.unmapped.append(f"tool_choice.{choice.type}")


def _output(form: _Format) -> Output:
    if form.type == "json_schema":
        if not form.schema or bytes(form.schema) == b"null":
            raise BadRequest(
                "`text.format.schema` is required", param="text.format.schema", code="missing_required_parameter"
            )
        return Output(
            kind="schema",
            name=form.name or "",
            description=form.description or "",
            schema=form.schema,
            strict=form.strict,
        )
    return Output(kind="json" if form.type == "json_object" else "text")
