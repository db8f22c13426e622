"""A call of Converse as it may pass to Bedrock: without what models thought that are of other makers than Anthropic,
whose seals alone Bedrock's models have given."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from gateline.formats.bedrock.seals import blob_text
from gateline.formats.claude.carrier import read_reasoning, seal_of_text, seal_of_tool
from gateline.formats.claude.unthought import Turn, is_budgeted, lacks_thinking
from gateline.formats.dialect import Dialect
from gateline.formats.entries import fields_of, is_left, text_of, written
from gateline.model.call import Call

_EXTRA = "additionalModelRequestFields"
_THOUGHT = "reasoningContent"


def for_vendor(call: Call, model: str, dialect: Dialect) -> tuple[Call, list[str]]:
    """The call without reasoning that another maker sealed, and without any that has no seal where Claude gets it. And
    the names of what was left out."""
    del dialect
    turns: list[Turn] = []
    lost: dict[str, None] = {}
    is_claude = "claude" in model.lower()

    def message(fields: dict[str, Raw]) -> bool:
        kinds: list[str] = []

        def block(fields: dict[str, Raw]) -> bool:
            if _THOUGHT in fields and _is_foreign(fields[_THOUGHT], is_claude=is_claude):
                lost[_THOUGHT] = None
                return False
            kinds.extend(fields)
            return True

        if not is_left(fields, "content", block):
            return False
        turns.append((text_of(fields.get("role")), kinds))
        return True

    fields = call.fields.copy()
    is_left(fields, "messages", message)
    extra = fields_of(fields.get(_EXTRA))
    if lost and extra is not None and lacks_thinking(turns, thoughts=(_THOUGHT,), use="toolUse", result="toolResult"):
        for name in ("thinking", "reasoning_config"):
            if is_budgeted(extra.get(name)):
                del extra[name]
                lost[f"{_EXTRA}.{name}"] = None
        fields[_EXTRA] = written(extra)
    return msgspec.structs.replace(call, fields=fields), list(lost)


def _is_foreign(raw: Raw, *, is_claude: bool) -> bool:
    fields = fields_of(raw) or {}
    shown = fields_of(fields.get("reasoningText"))
    if shown is not None:
        seal = read_reasoning(text_of(shown.get("signature")), "", is_hidden=False).seal
        return is_claude if seal is None else seal.maker != "anthropic"
    text = blob_text(text_of(fields.get("redactedContent")))
    seal = seal_of_tool(text) or seal_of_text(text) or read_reasoning(text, "", is_hidden=True).seal
    return seal is not None and seal.maker != "anthropic"
