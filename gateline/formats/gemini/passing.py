"""A call of Gemini's format as it may pass to Gemini: without what other vendors' models thought."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from gateline.formats.dialect import Dialect
from gateline.formats.entries import is_left, text_of, written
from gateline.formats.gemini.contents import UNSIGNED
from gateline.formats.gemini.signature import read_signature
from gateline.formats.gemini.thinking import generation
from gateline.model.call import Call

_NAMES = ("thoughtSignature", "thought_signature")
_CALLS = ("functionCall", "function_call")


def for_vendor(call: Call, model: str, dialect: Dialect) -> tuple[Call, list[str]]:
    """The call without signatures of other makers and the thoughts that they sign, and the names of what was left out.
    Of a content that lost one, the first function call says that it was none of Gemini's, which Gemini 3 wants."""
    del dialect
    lost: dict[str, None] = {}
    wants_sign = generation(model) >= (3, 0)

    def content(fields: dict[str, Raw]) -> bool:
        is_touched = False

        def part(fields: dict[str, Raw]) -> bool:
            nonlocal is_touched
            foreign = [name for name in _NAMES if name in fields and _is_foreign(fields[name])]
            for name in foreign:
                del fields[name]
                lost[name] = None
                is_touched = True
            if not foreign:
                return True
            return fields.pop("thought", None) is None and fields.get("text") != Raw(b'""')

        def sign(fields: dict[str, Raw]) -> bool:
            nonlocal is_touched
            if is_touched and any(name in fields for name in _CALLS):
                is_touched = False
                if not any(name in fields for name in _NAMES):
                    fields["thoughtSignature"] = written(UNSIGNED)
            return True

        if not is_left(fields, "parts", part):
            return False
        if is_touched and wants_sign:
            is_left(fields, "parts", sign)
        return True

    fields = call.fields.copy()
    is_left(fields, "contents", content)
    return msgspec.structs.replace(call, fields=fields), list(lost)


def _is_foreign(raw: Raw) -> bool:
    signature = text_of(raw)
    return bool(signature) and read_signature(signature).maker != "gemini"
