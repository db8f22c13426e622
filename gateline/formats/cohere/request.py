"""A call of Cohere's chat, as a client of the gateway makes it, into a neutral chat."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from gateline.formats.cohere.citation import read_citations
from gateline.formats.cohere.media import read_image
from gateline.formats.cohere.message import ABSENT, Content, QuotedCitation, ToolCall, read_signature
from gateline.formats.contract import Body
from gateline.formats.typed import Int64, read_typed
from gateline.model.call import Call
from gateline.model.chat import (
    Chat,
    Media,
    Output,
    Part,
    Reasoning,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
    Turn,
)
from gateline.model.errors import BadRequest

_KNOWN = frozenset({
    "model", "messages", "stream", "tools", "strict_tools", "tool_choice", "response_format", "thinking", "max_tokens",
    "stop_sequences", "temperature", "seed", "frequency_penalty", "presence_penalty", "k", "p", "logprobs",
})  # fmt: skip


class _Message(msgspec.Struct):
    role: str
    content: str | list[Content] | None = None
    tool_calls: list[ToolCall] | None = None
    tool_plan: str | None = None
    tool_call_id: str | None = None
    citations: list[QuotedCitation] | None = None


class _Function(msgspec.Struct):
    name: str
    description: str | None = None
    parameters: Raw = ABSENT


class _Tool(msgspec.Struct):
    function: _Function


class _Format(msgspec.Struct):
    type: str
    json_schema: Raw = ABSENT
    schema: Raw = ABSENT


class _Thinking(msgspec.Struct):
    type: str
    token_budget: Int64 | None = None


class _Request(msgspec.Struct):
    messages: list[_Message]
    stream: bool | None = None
    tools: list[_Tool] | None = None
    strict_tools: bool | None = None
    tool_choice: str | None = None
    response_format: _Format | None = None
    thinking: _Thinking | None = None
    max_tokens: Int64 | None = None
    stop_sequences: list[str] | None = None
    temperature: float | None = None
    seed: Int64 | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    k: Int64 | None = None
    p: float | None = None
    logprobs: bool | None = None


_decoder = msgspec.json.Decoder(_Request)
_CHOICES: dict[str, ToolChoice] = {"REQUIRED": ToolChoice(mode="required"), "NONE": ToolChoice(mode="none")}


def read_chat(call: Call, body: Body) -> Chat:
    """Raises BadRequest with the field at fault. Usage is always part of Cohere's streams, and so asked for."""
    request = read_typed(_decoder, body)
    if not request.messages:
        raise BadRequest("`messages`: at least one message is required", param="messages")
    chat = Chat(
        model=call.model,
        turns=[],
        stream=bool(request.stream),
        include_usage=True,
        max_tokens=request.max_tokens,
        temperature=request.temperature,
        top_p=request.p,
        top_k=request.k or None,  # 0 turns it off, and is the vendor's default
        frequency_penalty=request.frequency_penalty,
        presence_penalty=request.presence_penalty,
        seed=request.seed,
        stop=request.stop_sequences or [],
        logprobs=request.logprobs,
        unmapped=[name for name in call.fields if name not in _KNOWN],
    )
    for at, message in enumerate(request.messages):
        chat.turns.append(_turn(message, f"messages[{at}]", chat))
    for tool in request.tools or ():
        function = tool.function
        chat.tools.append(
            Tool(
                name=function.name,
                description=function.description or "",
                schema=function.parameters,
                strict=request.strict_tools,
            )
        )
    if request.tool_choice is not None:
        chat.tool_choice = _CHOICES.get(request.tool_choice)
        if chat.tool_choice is None:
            raise BadRequest("invalid value for `tool_choice`: expected `REQUIRED` or `NONE`", param="tool_choice")
    if request.response_format is not None:
        chat.output = _output(request.response_format)
    if request.thinking is not None:
        chat.thinking = _thinking(request.thinking)
    return chat


def _output(wanted: _Format) -> Output:
    if wanted.type == "text":
        return Output(kind="text")
    if wanted.type != "json_object":
        param = "response_format.type"
        raise BadRequest(f"invalid value for `{param}`: expected `text` or `json_object`", param=param)
    schema = wanted.json_schema if bytes(wanted.json_schema) else wanted.schema
    if bytes(schema) in {b"", b"null"}:
        return Output(kind="json")
    return Output(kind="schema", schema=schema, strict=True)


def _thinking(asked: _Thinking) -> Thinking:
    if asked.type == "disabled":
        return Thinking(budget=0)
    return Thinking(budget=-1 if asked.token_budget is None else asked.token_budget, is_shown=True)


def _turn(message: _Message, place: str, chat: Chat) -> Turn:
    if message.role == "tool":
        if not message.tool_call_id:
            raise BadRequest(f"`{place}.tool_call_id` is required", param=f"{place}.tool_call_id")
        inner = [part for part in _parts(message, place, chat) if isinstance(part, Text | Media)]
        return Turn(role="user", parts=[ToolResult(id=message.tool_call_id, parts=inner)])
    if message.role == "assistant":
        return Turn(role="assistant", parts=_answer(message, place, chat))
    if message.role in {"system", "user"}:
        role = "system" if message.role == "system" else "user"
        return Turn(role=role, parts=_parts(message, place, chat))  # type: ignore[arg-type]
    raise BadRequest(
        f"invalid value for `{place}.role`: expected `system`, `user`, `assistant` or `tool`", param=f"{place}.role"
    )


def _answer(message: _Message, place: str, chat: Chat) -> list[Part]:
    parts = [part for part in _parts(message, place, chat) if not isinstance(part, Text) or part.text or part.seal]
    texts = [part for part in parts if isinstance(part, Text)]
    for quoted in message.citations or ():
        if texts and quoted.type in {None, "TEXT_CONTENT"}:
            texts[0].citations = [*texts[0].citations, *read_citations(quoted)]
    if message.tool_plan:
        parts.append(Text(text=message.tool_plan))
    for called in message.tool_calls or ():
        function = called.function
        parts.append(
            ToolUse(
                id=called.id,
                name="" if function is None else function.name or "",
                arguments=read_arguments(None if function is None else function.arguments),
                seal=read_signature(called.signature),
            )
        )
    return parts


def read_arguments(text: str | None) -> str:
    """Cohere writes `null` for none, or an empty object."""
    return "" if text is None or text.strip() in {"", "null", "{}"} else text


def _parts(message: _Message, place: str, chat: Chat) -> list[Part]:
    content = message.content
    if content is None:
        if message.role == "assistant":
            return []
        raise BadRequest(f"`{place}.content` is required", param=f"{place}.content", code="missing_required_parameter")
    if isinstance(content, str):
        return [Text(text=content)]
    parts: list[Part] = []
    for at, item in enumerate(content):
        part = _part(item)
        if part is not None:
            parts.append(part)
        elif item.type in {"text", "image_url", "document"}:
            field = f"{place}.content[{at}].{item.type}"
            raise BadRequest(f"`{field}` is required", param=field, code="missing_required_parameter")
        elif f"messages.content.{item.type}" not in chat.unmapped:
            chat.unmapped.append(f"messages.content.{item.type}")
    return parts


def _part(item: Content) -> Part | None:
    if item.type == "text" and item.text is not None:
        return Text(text=item.text, seal=read_signature(item.signature))
    if item.type == "thinking":
        seal = read_signature(item.signature)
        thought = item.thinking or ""
        return Reasoning(text=thought, seal=seal, is_hidden=not thought and seal is not None)
    if item.type == "image_url" and item.image_url is not None:
        return read_image(item.image_url)
    if item.type == "document" and item.document is not None:
        return Text(text=bytes(item.document.data).decode("utf-8", "replace"))
    return None
