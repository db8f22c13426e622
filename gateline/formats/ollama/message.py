"""Messages, tools and options of Ollama's requests (docs.ollama.com/api/chat): as clients send them, and as they are
sent to a server."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from gateline.formats.typed import Int64

ABSENT = Raw(b"")


class CalledFunction(msgspec.Struct):
    name: str
    arguments: Raw = ABSENT


class ToolCall(msgspec.Struct):
    """`id` is kept by some clients alone."""

    function: CalledFunction
    id: str | None = None


class Message(msgspec.Struct):
    """`name` is what `tool_name` was called before."""

    role: str
    content: str | None = None
    thinking: str | None = None
    images: list[str] | None = None
    tool_calls: list[ToolCall] | None = None
    tool_name: str | None = None
    tool_call_id: str | None = None
    name: str | None = None


class OfferedFunction(msgspec.Struct):
    name: str
    description: str | None = None
    parameters: Raw = ABSENT


class Tool(msgspec.Struct):
    function: OfferedFunction


class Options(msgspec.Struct, omit_defaults=True):
    """Those that other formats know as well."""

    num_predict: Int64 | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: Int64 | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: Int64 | None = None
    stop: str | list[str] | None = None


# --- as they are written ---------------------------------------------------------------------------------------------


class WrittenFunction(msgspec.Struct):
    index: int
    name: str
    arguments: Raw


class WrittenCall(msgspec.Struct):
    id: str
    function: WrittenFunction


class WrittenMessage(msgspec.Struct, omit_defaults=True):
    role: str
    content: str
    thinking: str = ""
    images: list[str] | None = None
    tool_calls: list[WrittenCall] | None = None
    tool_name: str = ""
    tool_call_id: str = ""


class WrittenOffer(msgspec.Struct, omit_defaults=True):
    name: str
    parameters: Raw
    description: str = ""


class WrittenTool(msgspec.Struct):
    function: WrittenOffer
    type: str = "function"


class Body(msgspec.Struct, omit_defaults=True):
    """`format` is "json" or a schema as it came. Streams are what a server does unless told otherwise."""

    model: str
    messages: list[WrittenMessage]
    stream: bool
    tools: list[WrittenTool] | None = None
    format: Any = None
    think: bool | str | None = None
    options: Options | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
