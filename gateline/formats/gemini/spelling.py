"""Proto JSON takes a field by either of its names, `inlineData` or `inline_data`; the structs here know the first.

A body that has names of the second kind is written again with the first, and only where the format's own fields stand:
what a caller chose (arguments, schemas, labels) is kept byte for byte.
"""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw

from gateline.formats.typed import UNREAD
from gateline.model.errors import BadRequest

_KEY = re.compile(rb'"([a-z]+_[a-z_]+)"\s*:')
_HUMP = re.compile(r"[A-Z]")
_TAIL = re.compile(r"_([a-z])")
# Fields of the format that hold others of it, or are renamed; any other key with an underscore is somebody else's.
_NAMES = frozenset({
    "allowed_function_names", "cached_content", "candidate_count", "code_execution", "code_execution_result",
    "executable_code", "file_data", "file_uri", "frequency_penalty", "function_call", "function_calling_config",
    "function_declarations", "function_response", "generate_content_request", "generation_config", "google_search",
    "include_thoughts", "inline_data", "max_output_tokens", "media_resolution", "mime_type", "output_dimensionality",
    "parameters_json_schema", "presence_penalty", "response_json_schema", "response_logprobs", "response_mime_type",
    "response_modalities", "response_schema", "safety_settings", "service_tier", "speech_config", "stop_sequences",
    "system_instruction", "task_type", "thinking_budget", "thinking_config", "thinking_level", "thought_signature",
    "tool_config", "tool_call", "tool_response", "top_k", "top_p", "url_context", "video_metadata",
})  # fmt: skip
# What a caller chose the names in.
_OPAQUE = frozenset({
    "args", "response", "parameters", "parametersJsonSchema", "responseSchema", "responseJsonSchema", "labels",
    "partMetadata",
})  # fmt: skip
_FIELDS = msgspec.json.Decoder(dict[str, Raw]).decode
_ITEMS = msgspec.json.Decoder(list[Raw]).decode
_encode = msgspec.json.Encoder().encode


def camel(name: str) -> str:
    return _TAIL.sub(lambda found: found[1].upper(), name) if "_" in name else name


def snake(path: str) -> str:
    return _HUMP.sub(lambda found: "_" + found[0].lower(), path)


def camel_body(body: bytes | bytearray | memoryview) -> bytes | None:
    """The body with every field of the format by its first name; None when it has them so already."""
    if not isinstance(body, memoryview) and b"_" not in body:
        return None
    if not any(key.decode() in _NAMES for key in _KEY.findall(body)):
        return None
    try:
        return _encode(_renamed(Raw(body)))
    except UNREAD:
        raise BadRequest("the body is not valid JSON", code="invalid_json") from None


def _renamed(raw: Raw) -> object:
    first = bytes(memoryview(raw)[:1])
    if first == b"{":
        return {
            (known := camel(name)): value if known in _OPAQUE else _renamed(value)
            for name, value in _FIELDS(raw).items()
        }
    if first == b"[":
        return [_renamed(value) for value in _ITEMS(raw)]
    return raw
