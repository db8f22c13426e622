"""Cohere's messages on the wire, for reading and for writing.

`signature` is this gateway's: where a seal of another vendor stands until the client sends it back
(`formats/seal.py`). Cohere's SDK keeps fields that it does not know.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from gateline.formats.seal import read_seal
from gateline.model.chat import Seal

ABSENT = Raw(b"")
_MARK = "gateline."


class ImageUrl(msgspec.Struct, omit_defaults=True):
    url: str
    detail: str | None = None


class Document(msgspec.Struct, omit_defaults=True):
    data: Raw = ABSENT
    id: str | None = None


class Content(msgspec.Struct, omit_defaults=True):
    """A content part of any kind."""

    type: str
    text: str | None = None
    thinking: str | None = None
    image_url: ImageUrl | None = None
    document: Document | None = None
    signature: str | None = None


class Function(msgspec.Struct, omit_defaults=True):
    name: str | None = None
    arguments: str | None = None


class ToolCall(msgspec.Struct, omit_defaults=True):
    id: str = ""
    type: str | None = None
    function: Function | None = None
    signature: str | None = None


class Source(msgspec.Struct, omit_defaults=True):
    """`document` and `tool_output` are objects of the caller's own making."""

    type: str
    id: str | None = None
    document: dict[str, Any] | None = None
    tool_output: dict[str, Any] | None = None


class QuotedCitation(msgspec.Struct, omit_defaults=True):
    """`start` and `end` are characters of the content part `content_index`, or of the first text."""

    start: int | None = None
    end: int | None = None
    text: str | None = None
    sources: list[Source] | None = None
    content_index: int | None = None
    type: str | None = None


class LogprobItem(msgspec.Struct):
    """Several tokens where they make up one text."""

    text: str | None = None
    token_ids: list[int] = []
    logprobs: list[float] | None = None


def write_signature(seal: Seal | None) -> str | None:
    return None if seal is None else f"{_MARK}{seal.maker}.{seal.data}"


def read_signature(text: str | None) -> Seal | None:
    """Only what `write_signature` wrote is a seal: Cohere has none of its own."""
    return read_seal(text, "openai") if text is not None and text.startswith(_MARK) else None
