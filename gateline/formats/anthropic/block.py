"""Anthropic's content blocks on the wire.

For reading there is one struct with the fields of all kinds: a block of a kind that nobody knows yet must not make a
whole conversation unreadable. For writing each kind has its own.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from gateline.formats.arguments import arguments_text
from gateline.model.chat import CacheLife

ABSENT = Raw(b"")
_NO_INPUT = Raw(b"{}")


class CacheControl(msgspec.Struct, omit_defaults=True):
    type: str = ""
    ttl: str | None = None


class Block(msgspec.Struct):
    """Any block as it came. `source`, `citations`, `content` and `input` mean something else in each kind.
    Of these `source` alone is read at once, since images are big."""

    type: str
    text: str | None = None
    id: str | None = None
    name: str | None = None
    input: Raw = ABSENT
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    source: Source | str | None = None
    title: str | None = None
    context: str | None = None
    tool_use_id: str | None = None
    content: Raw = ABSENT
    is_error: bool | None = None
    citations: Raw = ABSENT
    cache_control: CacheControl | None = None


_FIVE_MINUTES = CacheControl("ephemeral")
_AN_HOUR = CacheControl("ephemeral", "1h")


def read_cache(control: CacheControl | None) -> CacheLife:
    """Five minutes unless said otherwise."""
    if control is None:
        return ""
    return "1h" if control.ttl == "1h" else "5m"


def write_cache(life: CacheLife) -> CacheControl | None:
    if not life:
        return None
    return _AN_HOUR if life == "1h" else _FIVE_MINUTES


def read_input(block: Block) -> str:
    """A tool's arguments as the model wrote them; empty where it gave none."""
    return "" if block.input == _NO_INPUT else arguments_text(block.input)


class TextBlock(msgspec.Struct, omit_defaults=True, tag_field="type", tag="text"):
    text: str
    citations: list[WrittenCitation] | None = None
    cache_control: CacheControl | None = None


class ThinkingBlock(msgspec.Struct, tag_field="type", tag="thinking"):
    thinking: str
    signature: str


class RedactedBlock(msgspec.Struct, tag_field="type", tag="redacted_thinking"):
    data: str


class ToolUseBlock(msgspec.Struct, omit_defaults=True, tag_field="type", tag="tool_use"):
    id: str
    name: str
    input: Raw
    cache_control: CacheControl | None = None


class ToolResultBlock(msgspec.Struct, omit_defaults=True, tag_field="type", tag="tool_result"):
    tool_use_id: str
    content: list[TextBlock | ImageBlock | DocumentBlock] | None = None
    is_error: bool | None = None
    cache_control: CacheControl | None = None


class Source(msgspec.Struct, omit_defaults=True):
    """Where an image or a document is. `content` is text, or blocks of it."""

    type: str = ""
    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    file_id: str | None = None
    content: str | list[Block] | None = None


class ImageBlock(msgspec.Struct, omit_defaults=True, tag_field="type", tag="image"):
    source: Source
    cache_control: CacheControl | None = None


class DocumentBlock(msgspec.Struct, omit_defaults=True, tag_field="type", tag="document"):
    source: Source
    title: str | None = None
    cache_control: CacheControl | None = None


class CharLocation(msgspec.Struct, tag_field="type", tag="char_location"):
    cited_text: str
    document_title: str | None
    document_index: int = 0
    start_char_index: int = 0
    end_char_index: int = 0


class WebLocation(msgspec.Struct, tag_field="type", tag="web_search_result_location"):
    cited_text: str
    url: str
    title: str | None
    encrypted_index: str = ""


WrittenCitation = CharLocation | WebLocation
WrittenBlock = TextBlock | ThinkingBlock | RedactedBlock | ToolUseBlock | ToolResultBlock | ImageBlock | DocumentBlock
