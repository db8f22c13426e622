"""What a vendor's chat message holds besides text, wherever it stands: in a whole reply, or in a piece of a stream.

Read with room for those who follow OpenAI loosely: content in parts and reasoning among them (Mistral), content that is
the JSON asked for and not its text (Cloudflare), arguments as an object, tool calls without id or index.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from gateline.formats.openai.media import read_url
from gateline.formats.openai.message import Annotation, Audio, ExtraContent
from gateline.formats.openai.reasoning_details import Detail
from gateline.model.chat import Media, Seal

_encode = msgspec.json.Encoder().encode


class Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: Any = None

    def text(self) -> str:
        """The arguments' JSON text, whole or a piece of it."""
        found = self.arguments
        if isinstance(found, str):
            return found
        return "" if found is None else _encode(found).decode()


class Call(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: Function | None = None
    extra_content: ExtraContent | None = None

    def seal(self) -> Seal | None:
        extra = self.extra_content
        if extra is None or extra.google is None or not extra.google.thought_signature:
            return None
        return Seal("gemini", extra.google.thought_signature)


class _Address(msgspec.Struct):
    url: str = ""


class Image(msgspec.Struct):
    """OpenRouter's way to hand over a picture."""

    image_url: _Address | None = None

    def media(self) -> Media | None:
        if self.image_url is None or not self.image_url.url:
            return None
        return read_url("image", self.image_url.url)


class Said(msgspec.Struct):
    """A message, or a delta of one."""

    content: str | list[dict[str, Any]] | dict[str, Any] | None = None
    reasoning_content: Any = None
    reasoning: Any = None
    reasoning_details: list[Detail] | None = None
    refusal: str | None = None
    tool_calls: list[Call] | None = None
    function_call: Function | None = None
    audio: Audio | None = None
    images: list[Image] | None = None
    annotations: list[Annotation] | None = None

    def thought(self) -> str:
        """Reasoning as plain text, under whichever name."""
        found = self.reasoning_content or self.reasoning
        return found if isinstance(found, str) else ""


def content_pieces(content: list[dict[str, Any]] | dict[str, Any]) -> Iterator[tuple[bool, str]]:
    """Text of a content that is no string; True marks reasoning (docs.mistral.ai, "Reasoning")."""
    if isinstance(content, dict):
        yield False, _encode(content).decode()
        return
    for part in content:
        kind = part.get("type")
        if kind == "text" and isinstance(part.get("text"), str):
            yield False, part["text"]
        elif kind == "thinking":
            inner = part.get("thinking")
            for piece in inner if isinstance(inner, list) else [{"text": inner}]:
                if isinstance(piece, dict) and isinstance(piece.get("text"), str):
                    yield True, piece["text"]
