"""A call of Anthropic's format as it may pass to a vendor of it: without what other vendors' models thought.

Anthropic's signatures hold wherever its models are hosted. Those of vendors that speak its format have their mark,
which they lose on their way back.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from gateline.formats.anthropic.marker import SEALED_IN
from gateline.formats.claude.carrier import read_reasoning, seal_of_text, seal_of_tool
from gateline.formats.claude.unthought import Turn, is_budgeted, lacks_thinking
from gateline.formats.dialect import Dialect
from gateline.formats.entries import is_left, text_of, written
from gateline.model.call import Call
from gateline.model.chat import Seal

_THOUGHTS = frozenset(SEALED_IN)


def for_vendor(call: Call, model: str, dialect: Dialect) -> tuple[Call, list[str]]:
    """The call without blocks that hold another maker's seal, and the names of what was left out. A thought without a
    signature is no Claude's, and none of who speaks beside a foreign seal: another's was shown so."""
    maker = dialect.sealer or "anthropic"
    is_claude = "claude" in model.lower()
    turns: list[Turn] = []
    lost: dict[str, None] = {}

    def message(fields: dict[str, Raw]) -> bool:
        kinds: list[str] = []
        content = fields.get("content")
        is_signed = is_claude or (content is not None and _holds_others(bytes(content), maker))

        def block(fields: dict[str, Raw]) -> bool:
            kind = text_of(fields.get("type"))
            if kind in _THOUGHTS:
                seal = _seal(kind, fields)
                if is_signed if seal is None else seal.maker != maker:
                    lost[kind] = None
                    return False
                if seal is not None and maker != "anthropic":
                    fields[SEALED_IN[kind]] = written(seal.data)
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


def _holds_others(content: bytes, maker: str) -> bool:
    return content.count(b"gateline.") > content.count(b"gateline.%b." % maker.encode())


def _seal(kind: str, fields: dict[str, Raw]) -> Seal | None:
    text = text_of(fields.get(SEALED_IN[kind]))
    if kind == "thinking":
        return read_reasoning(text, "", is_hidden=False).seal
    return seal_of_tool(text) or seal_of_text(text) or read_reasoning(text, "", is_hidden=True).seal
