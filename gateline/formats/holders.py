"""Who alone can read a file that a call only names: a vendor's id of it, or an address that nobody else can open."""

from __future__ import annotations

import msgspec

from gateline.formats.dialect import Dialect
from gateline.model.chat import Maker, Media, Part, ToolResult, Turn

# How ids of files begin: Anthropic's, Azure's; all others are OpenAI's.
_IDS: tuple[tuple[str, Maker], ...] = (("file_", "anthropic"), ("assistant-", "azure"))
_GOOGLE_FILES = "https://generativelanguage.googleapis.com/"
_ANYONES = frozenset({"http", "https", "data"})
_SCHEMES: dict[str, Maker] = {"gs": "gemini", "s3": "bedrock"}


def holder(media: Media) -> Maker:
    """Empty where everybody can read it, or fetch it."""
    if media.data:
        return ""
    if media.url:
        if media.url.startswith(_GOOGLE_FILES):
            return "gemini"
        scheme, colon, _ = media.url[:16].partition(":")
        scheme = scheme.lower()
        return "" if not colon or scheme in _ANYONES else _SCHEMES.get(scheme, scheme)
    return next((maker for start, maker in _IDS if media.file_id.startswith(start)), "openai") if media.file_id else ""


def openai_files(dialect: Dialect) -> Maker:
    """Whose files a vendor reads that speaks one of OpenAI's formats."""
    return dialect.maker or ("openai" if dialect.has_developer else "")


def readable(turns: list[Turn], vendor: Maker) -> tuple[list[Turn], list[str]]:
    """The turns without what `vendor` cannot read, and the features that this leaves out; both as they were, and none,
    where it can read all."""
    dropped: dict[str, None] = {}
    kept: list[Turn] = []
    for turn in turns:
        if turn.role != "user":  # what a model made is known by its words, if at all
            kept.append(turn)
            continue
        parts: list[Part] = []
        for part in turn.parts:
            if isinstance(part, ToolResult):
                parts.append(_result(part, vendor, dropped))
            elif isinstance(part, Media) and holder(part) not in {"", vendor}:
                dropped[part.kind] = None
            else:
                parts.append(part)
        if parts or not turn.parts:
            kept.append(msgspec.structs.replace(turn, parts=parts))
    return (kept, list(dropped)) if dropped else (turns, [])


def _result(result: ToolResult, vendor: Maker, dropped: dict[str, None]) -> ToolResult:
    kept = [part for part in result.parts if not isinstance(part, Media) or holder(part) in {"", vendor}]
    if len(kept) == len(result.parts):
        return result
    dropped["tool_media"] = None
    return msgspec.structs.replace(result, parts=kept)
