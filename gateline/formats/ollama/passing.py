"""A call of Ollama's format as it may pass to Ollama, which has no seals: without the outlines that hold others'."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from gateline.formats.dialect import Dialect
from gateline.formats.entries import is_left, text_of
from gateline.model.call import Call


def for_vendor(call: Call, model: str, dialect: Dialect) -> tuple[Call, list[str]]:
    """The call without what `outline.py` put into earlier answers."""
    del model, dialect

    def message(fields: dict[str, Raw]) -> bool:
        if text_of(fields.get("tool_name")).startswith("gateline."):
            del fields["tool_name"]
        return True

    fields = call.fields.copy()
    is_left(fields, "messages", message)
    return msgspec.structs.replace(call, fields=fields), []
