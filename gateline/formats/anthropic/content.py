"""Blocks of a conversation as parts of its turns: what a client of the gateway sent."""

from __future__ import annotations

import msgspec

from gateline.formats.anthropic.block import ABSENT, Block, read_cache, read_input
from gateline.formats.anthropic.citation import read_citations
from gateline.formats.anthropic.media import read_media
from gateline.formats.claude.carrier import add_hidden, read_reasoning
from gateline.formats.typed import UNREAD
from gateline.model.chat import Media, Part, Role, Seal, Text, ToolResult, ToolUse
from gateline.model.errors import BadRequest

_decode_content = msgspec.json.Decoder(str | list[Block] | None).decode


class Content:
    """Reads blocks into parts. `unmapped` are names of what has no place in a neutral conversation, each once."""

    __slots__ = ("unmapped",)

    def __init__(self) -> None:
        self.unmapped: dict[str, None] = {}

    def parts(self, content: str | list[Block], role: Role, place: str) -> list[Part]:
        """`place` is the client's name of the list. Raises BadRequest."""
        if isinstance(content, str):
            return [Text(text=content)] if content else []
        parts: list[Part] = []
        waiting: Seal | None = None  # of the tool use that comes next
        for at, block in enumerate(content):
            kind = block.type
            if kind == "text":
                parts.append(self._text(block, f"{place}[{at}]"))
            elif kind == "tool_use":
                tool = self._tool_use(block, role, f"{place}[{at}]")
                tool.seal, waiting = waiting, None
                parts.append(tool)
            elif kind == "tool_result":
                parts.append(self._tool_result(block, role, f"{place}[{at}]"))
            elif kind == "thinking":
                reasoning = read_reasoning(block.signature or "", block.thinking or "", is_hidden=False)
                if reasoning.text or reasoning.seal is not None:
                    parts.append(reasoning)
            elif kind == "redacted_thinking":
                waiting = add_hidden(_required(block.data, f"{place}[{at}].data"), parts) or waiting
            else:
                self._other(block, parts, "messages.content")
        return parts

    def texts(self, content: str | list[Block], place: str) -> list[Part]:
        """Of instructions, which hold nothing but text."""
        return [part for part in self.parts(content, "system", place) if isinstance(part, Text)]

    def _text(self, block: Block, place: str) -> Text:
        text = _required(block.text, f"{place}.text")
        return Text(
            text=text,
            cache=read_cache(block.cache_control),
            citations=read_citations(block.citations, len(text)) if block.citations is not ABSENT else [],
        )

    def _tool_use(self, block: Block, role: Role, place: str) -> ToolUse:
        if role == "user":
            raise BadRequest(f"`{place}`: `tool_use` blocks can only be in `assistant` messages", param=f"{place}.type")
        return ToolUse(
            id=_required(block.id, f"{place}.id"),
            name=_required(block.name, f"{place}.name"),
            arguments=read_input(block),
            cache=read_cache(block.cache_control),
        )

    def _tool_result(self, block: Block, role: Role, place: str) -> ToolResult:
        if role == "assistant":
            raise BadRequest(f"`{place}`: `tool_result` blocks can only be in `user` messages", param=f"{place}.type")
        result = ToolResult(
            id=_required(block.tool_use_id, f"{place}.tool_use_id"),
            parts=[],
            is_error=block.is_error is True,
            cache=read_cache(block.cache_control),
        )
        if block.content is ABSENT:
            return result
        try:
            content = _decode_content(block.content)
        except UNREAD as error:
            raise BadRequest(f"invalid value for `{place}.content`: {error}", param=f"{place}.content") from None
        if isinstance(content, str):
            result.parts.append(Text(text=content))
            return result
        for at, inner in enumerate(content or ()):
            if inner.type == "text":
                result.parts.append(self._text(inner, f"{place}.content[{at}]"))
            else:
                parts: list[Part] = []
                self._other(inner, parts, "messages.content.tool_result")
                result.parts += [part for part in parts if isinstance(part, Text | Media)]
        return result

    def _other(self, block: Block, parts: list[Part], place: str) -> None:
        """Images and documents; anything else is named, and of what a search found the text is kept."""
        kind = block.type
        if kind in {"image", "document"}:
            media = read_media(block)
            if media is not None:
                parts.append(media)
                if block.citations is not ABSENT and bytes(block.citations) != b"null":
                    self.unmapped[f"{place}.citations"] = None
                if block.context:
                    self.unmapped[f"{place}.context"] = None
                return
        elif kind == "search_result":
            parts += _found(block)
        self.unmapped[f"{place}.{kind}"] = None


def _found(block: Block) -> list[Part]:
    try:
        content = _decode_content(block.content)
    except UNREAD:
        return []
    if isinstance(content, str) or content is None:
        return []
    return [Text(text=inner.text) for inner in content if inner.text]


def _required(value: str | None, place: str) -> str:
    if value is None:
        raise BadRequest(f"`{place}` is required", param=place, code="missing_required_parameter")
    return value
