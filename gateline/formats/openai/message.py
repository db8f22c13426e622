"""Messages of a chat call on the wire: what clients send and vendors get. Unknown fields are skipped.

platform.openai.com/docs/api-reference/chat/create; `reasoning_content` is DeepSeek's, `reasoning_details` and
`cache_control` OpenRouter's, `extra_content` Google's addition to it.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from gateline.formats.openai.reasoning_details import Detail


class CacheControl(msgspec.Struct, omit_defaults=True):
    type: str | None = None
    ttl: str | None = None


class MediaUrl(msgspec.Struct, omit_defaults=True):
    url: str
    detail: str | None = None


class InputAudio(msgspec.Struct):
    data: str
    format: str


class File(msgspec.Struct, omit_defaults=True):
    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class ContentPart(msgspec.Struct, omit_defaults=True):
    """`type` says which of the other fields counts. `document_url` and `thinking` are Mistral's, `file_url`
    Perplexity's, `video_url` of several."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: MediaUrl | str | None = None
    video_url: MediaUrl | str | None = None
    input_audio: InputAudio | None = None
    file: File | None = None
    document_url: str | None = None
    file_url: MediaUrl | str | None = None
    thinking: Any = None
    cache_control: CacheControl | None = None
    prompt_cache_breakpoint: dict[str, Any] | None = None


class Google(msgspec.Struct, omit_defaults=True):
    thought_signature: str | None = None


class ExtraContent(msgspec.Struct, omit_defaults=True):
    google: Google | None = None


class FunctionCall(msgspec.Struct, omit_defaults=True):
    name: str
    arguments: str | None = None


class ToolCall(msgspec.Struct, omit_defaults=True):
    id: str | None = None
    type: str | None = None
    function: FunctionCall | None = None
    extra_content: ExtraContent | None = None


class UrlCitation(msgspec.Struct):
    url: str = ""
    title: str | None = ""
    start_index: int | None = 0
    end_index: int | None = 0


class Annotation(msgspec.Struct):
    type: str = "url_citation"
    url_citation: UrlCitation | None = None


class Audio(msgspec.Struct, omit_defaults=True):
    """An earlier spoken answer: by `id` alone, or as it came."""

    id: str | None = None
    data: str | None = None
    transcript: str | None = None


class Message(msgspec.Struct, omit_defaults=True):
    """`content` that is null is written so: some vendors want the field beside tool calls."""

    role: str
    content: str | list[ContentPart] | UnsetType | None = UNSET
    name: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    function_call: FunctionCall | None = None
    audio: Audio | None = None
    annotations: list[Annotation] | None = None
    reasoning_content: str | None = None
    reasoning: Any = None
    reasoning_details: list[Detail] | None = None


class FunctionTool(msgspec.Struct, omit_defaults=True):
    name: str
    description: str | None = None
    parameters: Raw = Raw(b"")
    strict: bool | None = None


class ToolObject(msgspec.Struct, omit_defaults=True):
    type: str = ""
    function: FunctionTool | None = None
    cache_control: CacheControl | None = None


class JsonSchema(msgspec.Struct, omit_defaults=True):
    name: str
    description: str | None = None
    schema: Raw = Raw(b"")
    strict: bool | None = None


class ResponseFormat(msgspec.Struct, omit_defaults=True):
    type: str = ""
    json_schema: JsonSchema | None = None
