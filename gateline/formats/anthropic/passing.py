"""A call of Anthropic's format as it may pass to Anthropic: without what other vendors' models thought."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from gateline.formats.claude.carrier import read_reasoning, seal_of_text, seal_of_tool
from gateline.formats.claude.unthought import Turn, is_budgeted, lacks_thinking
from gateline.formats.dialect import Dialect
from gateline.formats.entries import is_left, text_of
from gateline.model.call import Call

_THOUGHTS = frozenset({"thinking", "redacted_thinking"})


def for_vendor(call: Call, model: str, dialect: Dialect) -> tuple[Call, list[str]]:
    """The call without blocks that hold another maker's seal, and the names of what was left out. A thought without a
    signature is no Claude's, and none of who speaks beside a foreign seal: another's was shown so."""
    del dialect
    is_claude = "claude" in model.lower()
    turns: list[Turn] = []
    lost: dict[str, None] = {}

    def message(fields: dict[str, Raw]) -> bool:
        kinds: list[str] = []
        content = fields.get("content")
        is_signed = is_claude or (content is not None and b"gateline." in bytes(content))

        def block(fields: dict[str, Raw]) -> bool:
            kind = text_of(fields.get("type"))
            if kind in _THOUGHTS and _is_foreign(kind, fields, is_signed=is_signed):
                lost[kind] = None
                return False
            kinds.append(kind)
            return True

        if not is_left(fields, "content", block):
            return False
        turns.append((text_of(fields.get("role")), kinds))
        return True

    fields = call.fields.copy()
    is_left(fields, "messages", message)
    if (
        lost
        and is_budgeted(fields.get("thinking"))
        and lacks_thinking(turns, thoughts=_THOUGHTS, use="tool_use", result="tool_result")
    ):
        del fields["thinking"]
        lost["thinking"] = None
    return msgspec.structs.replace(call, fields=fields), list(lost)


def _is_foreign(kind: str, fields: dict[str, Raw], *, is_signed: bool) -> bool:
    if kind == "thinking":
        seal = read_reasoning(text_of(fields.get("signature")), "", is_hidden=False).seal
        return is_signed if seal is None else seal.maker != "anthropic"
    data = text_of(fields.get("data"))
    seal = seal_of_tool(data) or seal_of_text(data) or read_reasoning(data, "", is_hidden=True).seal
    return seal is not None and seal.maker != "anthropic"
