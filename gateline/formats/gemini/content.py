"""Gemini's `Content` and its parts as they stand on the wire, for requests and replies, both directions."""

from __future__ import annotations

import msgspec
from msgspec import Raw

ABSENT = Raw(b"")


class Blob(msgspec.Struct, rename="camel", omit_defaults=True):
    mime_type: str | None = None
    data: str | None = None


class FileData(msgspec.Struct, rename="camel", omit_defaults=True):
    file_uri: str | None = None
    mime_type: str | None = None


class FunctionCall(msgspec.Struct, omit_defaults=True):
    name: str | None = None
    args: Raw = ABSENT
    id: str | None = None


class FunctionResponse(msgspec.Struct, omit_defaults=True):
    name: str | None = None
    response: Raw = ABSENT
    id: str | None = None
    parts: list[Part] | None = None


class Part(msgspec.Struct, rename="camel", omit_defaults=True):
    """`thought` marks a text as the model's reasoning; `thought_signature` is base64, in either alphabet."""

    text: str | None = None
    thought: bool | None = None
    function_call: FunctionCall | None = None
    function_response: FunctionResponse | None = None
    inline_data: Blob | None = None
    file_data: FileData | None = None
    thought_signature: str | None = None
    executable_code: Raw = ABSENT
    code_execution_result: Raw = ABSENT
    tool_call: Raw = ABSENT
    tool_response: Raw = ABSENT
    video_metadata: Raw = ABSENT


class Content(msgspec.Struct, omit_defaults=True):
    """What is written. `role` is `user` or `model`; a system instruction needs none."""

    parts: list[Part]
    role: str | None = None


class GivenContent(msgspec.Struct):
    """What is read: Google's parser takes one part for a list of one, and texts for parts."""

    parts: list[Part | str] | Part | str | None = None
    role: str | None = None


def given_parts(content: GivenContent) -> list[Part | str]:
    parts = content.parts
    if parts is None:
        return []
    return parts if isinstance(parts, list) else [parts]


def unmapped_of(part: Part) -> str | None:
    """The field of a part that has no place outside this format."""
    for name, value in (
        ("executableCode", part.executable_code),
        ("codeExecutionResult", part.code_execution_result),
        ("toolCall", part.tool_call),
        ("toolResponse", part.tool_response),
        ("videoMetadata", part.video_metadata),
    ):
        if value is not ABSENT and bytes(value) != b"null":
            return name
    return None
