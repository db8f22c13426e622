"""A call of Cohere's format as it may pass to Cohere, which has no seals: without those of other vendors."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from gateline.formats.cohere.message import read_signature
from gateline.formats.dialect import Dialect
from gateline.formats.entries import is_left, text_of
from gateline.model.call import Call


def for_vendor(call: Call, model: str, dialect: Dialect) -> tuple[Call, list[str]]:
    """The call without signatures and the thoughts that they sign, and the names of what was left out."""
    del model, dialect
    lost: dict[str, None] = {}

    def unsigned(fields: dict[str, Raw]) -> bool:
        if read_signature(text_of(fields.get("signature"))) is None:
            return True
        del fields["signature"]
        lost["signature"] = None
        return text_of(fields.get("type")) != "thinking"

    def message(fields: dict[str, Raw]) -> bool:
        is_left(fields, "tool_calls", unsigned)
        if is_left(fields, "content", unsigned):
            return True
        del fields["content"]
        return "tool_calls" in fields

    fields = call.fields.copy()
    is_left(fields, "messages", message)
    return msgspec.structs.replace(call, fields=fields), list(lost)
