"""Converse's content blocks on the wire.

A block is an object of one member, which names its kind (docs.aws.amazon.com, "ContentBlock"). One struct has the
members of all kinds, for reading and for writing: of a kind nobody knows, none is set.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from gateline.model.chat import CacheLife

ABSENT = Raw(b"")


class Block(msgspec.Struct, rename="camel", omit_defaults=True):
    """What is only named, never read, stays raw."""

    text: str | None = None
    image: Held | None = None
    document: Held | None = None
    video: Held | None = None
    audio: Held | None = None
    tool_use: ToolUseBlock | None = None
    tool_result: ToolResultBlock | None = None
    reasoning_content: ReasoningBlock | None = None
    citations_content: CitedBlock | None = None
    cache_point: CachePoint | None = None
    search_result: SearchResult | None = None
    guard_content: Raw = ABSENT
    json: Raw = ABSENT  # inside of tool results


class Held(msgspec.Struct, omit_defaults=True):
    """An image, document, video or sound. `format` is a word of the vendor's own; documents have a `name`."""

    source: Source
    format: str = ""
    name: str = ""


class Source(msgspec.Struct, rename="camel", omit_defaults=True):
    """`bytes` are base64. Documents may be text, whole or in pieces."""

    bytes: str | None = None
    s3_location: S3Location | None = None
    text: str | None = None
    content: list[Block] | None = None


class S3Location(msgspec.Struct):
    uri: str


class ToolUseBlock(msgspec.Struct, rename="camel", omit_defaults=True):
    """`type` is set where the tool ran at the vendor."""

    tool_use_id: str
    name: str
    input: Raw = ABSENT
    type: str | None = None


class ToolResultBlock(msgspec.Struct, rename="camel", omit_defaults=True):
    tool_use_id: str
    content: list[Block]
    status: str | None = None


class ReasoningText(msgspec.Struct, omit_defaults=True):
    text: str
    signature: str | None = None


class ReasoningBlock(msgspec.Struct, rename="camel", omit_defaults=True):
    """`redacted_content` is base64 of what the model's maker encrypted."""

    reasoning_text: ReasoningText | None = None
    redacted_content: str | None = None


class SearchResult(msgspec.Struct):
    source: str = ""
    title: str = ""
    content: list[TextOnly] = []


class CachePoint(msgspec.Struct, omit_defaults=True):
    type: str = ""
    ttl: str | None = None


class TextOnly(msgspec.Struct):
    text: str = ""


class WebLocation(msgspec.Struct):
    url: str = ""


class Location(msgspec.Struct, omit_defaults=True):
    """Where in a document a quote stands has no place in ours."""

    web: WebLocation | None = None


class SourcedQuote(msgspec.Struct, rename="camel", omit_defaults=True):
    """A citation."""

    title: str | None = None
    source: str | None = None
    source_content: list[TextOnly] | None = None
    location: Location | None = None


class CitedBlock(msgspec.Struct, omit_defaults=True):
    """Text, and what it rests on."""

    content: list[TextOnly] | None = None
    citations: list[SourcedQuote] | None = None


_FIVE_MINUTES = CachePoint("default")
_AN_HOUR = CachePoint("default", "1h")


def read_cache(point: CachePoint) -> CacheLife:
    """Five minutes unless said otherwise."""
    return "1h" if point.ttl == "1h" else "5m"


def write_cache(life: CacheLife) -> CachePoint:
    return _AN_HOUR if life == "1h" else _FIVE_MINUTES
