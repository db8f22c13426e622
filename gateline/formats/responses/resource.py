"""The response object, with every field that OpenAI's types and the Open Responses schema require.

Source: `openai.types.responses.Response`, and `ResponseResource` of openresponses.org. Fields that a call may leave out
are shown with OpenAI's defaults.
"""

from __future__ import annotations

import secrets
from typing import Any, Literal

import msgspec
from msgspec import Raw

from gateline.formats.responses.output import OutputItem
from gateline.formats.responses.usage import UsageObject
from gateline.model.chat import Chat, Finish, Output, ToolChoice

_NULL = Raw(b"null")
_TIERS = frozenset({"auto", "default", "flex", "scale", "priority", "fast"})


class FunctionTool(msgspec.Struct, tag="function"):
    name: str
    description: str | None
    parameters: Raw
    strict: bool | None


class FunctionName(msgspec.Struct, tag="function"):
    name: str


class Allowed(msgspec.Struct, tag="allowed_tools"):
    mode: str
    tools: list[FunctionName]


class Format(msgspec.Struct, omit_defaults=True):
    type: str
    name: str = ""
    description: str = ""
    schema: Raw = Raw(b"")
    strict: bool | None = None


class TextField(msgspec.Struct, omit_defaults=True):
    format: Format
    verbosity: str = ""


class ReasoningField(msgspec.Struct):
    effort: str | None
    summary: str | None


class Incomplete(msgspec.Struct):
    reason: str


class ErrorField(msgspec.Struct):
    code: str
    message: str


class Resource(msgspec.Struct, kw_only=True):
    id: str
    object: Literal["response"] = "response"
    created_at: int
    status: Literal["in_progress", "completed", "incomplete", "failed"]
    background: bool = False
    completed_at: int | None = None
    error: ErrorField | None = None
    frequency_penalty: float
    incomplete_details: Incomplete | None = None
    instructions: str | None
    max_output_tokens: int | None
    max_tool_calls: None = None
    model: str
    output: list[OutputItem]
    parallel_tool_calls: bool
    presence_penalty: float
    previous_response_id: str | None
    prompt_cache_key: str | None
    reasoning: ReasoningField
    safety_identifier: str | None
    service_tier: str
    store: bool
    temperature: float
    text: TextField
    tool_choice: str | Allowed | FunctionName
    tools: list[FunctionTool]
    top_logprobs: int
    top_p: float
    truncation: Literal["disabled"] = "disabled"
    usage: UsageObject | None = None
    user: None = None
    metadata: dict[str, str]

    def close(self, finish: Finish, now: int) -> None:
        """What is known at the end of an answer."""
        if finish in {"length", "filter"}:
            self.status = "incomplete"
            self.incomplete_details = Incomplete("max_output_tokens" if finish == "length" else "content_filter")
        else:
            self.status = "completed"
            self.completed_at = now


def response_id(vendors: str) -> str:
    """A vendor's own id where it has this format's shape; else one made from it, or at random where it has none."""
    if vendors.startswith("resp_"):
        return vendors
    return f"resp_{vendors or secrets.token_hex(16)}"


def suffix_of(identifier: str) -> str:
    return identifier[len("resp_") :]


def resource(chat: Chat, identifier: str, created: int, tier: str) -> Resource:
    """The response to `chat` as it begins. `created` is a Unix time in seconds."""
    thinking, echo = chat.thinking, chat.echo
    return Resource(
        id=identifier,
        created_at=created,
        status="in_progress",
        frequency_penalty=0.0 if chat.frequency_penalty is None else chat.frequency_penalty,
        instructions=echo.get("instructions"),
        max_output_tokens=chat.max_tokens,
        model=chat.model,
        output=[],
        parallel_tool_calls=chat.parallel_tools is not False,
        presence_penalty=0.0 if chat.presence_penalty is None else chat.presence_penalty,
        previous_response_id=echo.get("previous_response_id"),
        prompt_cache_key=chat.cache_key or None,
        reasoning=ReasoningField(None, None)
        if thinking is None
        else ReasoningField(thinking.effort, thinking.summary or None),
        safety_identifier=chat.user or None,
        service_tier=tier if tier in _TIERS else "default",
        store="store" in echo,
        temperature=1.0 if chat.temperature is None else chat.temperature,
        text=TextField(_format(chat.output), chat.verbosity),
        tool_choice=_choice(chat.tool_choice),
        tools=[
            FunctionTool(tool.name, tool.description or None, _or_null(tool.schema), tool.strict) for tool in chat.tools
        ],
        top_logprobs=chat.top_logprobs or 0,
        top_p=1.0 if chat.top_p is None else chat.top_p,
        metadata=chat.metadata,
    )


def _or_null(raw: Raw) -> Raw:
    return raw if raw != Raw(b"") else _NULL


def _format(output: Output | None) -> Format:
    if output is None or output.kind == "text":
        return Format("text")
    if output.kind == "json":
        return Format("json_object")
    return Format("json_schema", output.name or "output", output.description, output.schema, output.strict)


def _choice(choice: ToolChoice | None) -> Any:
    if choice is None:
        return "auto"
    if not choice.names:
        return choice.mode
    if choice.mode == "required" and len(choice.names) == 1:
        return FunctionName(choice.names[0])
    return Allowed(choice.mode, [FunctionName(name) for name in choice.names])
