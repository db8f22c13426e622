"""A call of the Responses API as it may pass to a vendor of it: without what others sealed.

Reasoning that is encrypted opens for the account it was made for and for no other: another organization of OpenAI's, or
another Azure resource, answers 400, `invalid_encrypted_content`. OpenAI's stands in this format as it is; that of any
other vendor has its mark, which it loses on its way back.
"""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw

from gateline.formats.dialect import Dialect
from gateline.formats.entries import is_left, text_of, written
from gateline.formats.seal import read_seal
from gateline.model.call import Call

_SEALED = "encrypted_content"  # of reasoning, and of a conversation that was compacted
_NAMED_HERE = re.compile(r"rs_.*_[0-9]+")  # the id of an item that was made here: a vendor's own never ends so


def for_vendor(call: Call, model: str, dialect: Dialect) -> tuple[Call, list[str]]:
    """The call without items that another maker sealed, or that were named here and sealed by nobody, and the names of
    what was left out."""
    del model
    lost: dict[str, None] = {}
    maker = dialect.sealer or "openai"

    def item(fields: dict[str, Raw]) -> bool:
        kind, sealed = text_of(fields.get("type")), text_of(fields.get(_SEALED))
        if not sealed:
            if kind != "reasoning" or _NAMED_HERE.fullmatch(text_of(fields.get("id"))) is None:
                return True
            lost["input.reasoning"] = None
            return False
        seal = read_seal(sealed, "openai")
        if seal.maker != maker:
            lost[f"input.{kind}.{_SEALED}"] = None
            return False
        if seal.data != sealed:
            fields[_SEALED] = written(seal.data)
        return True

    fields = call.fields.copy()
    is_left(fields, "input", item)
    return msgspec.structs.replace(call, fields=fields), list(lost)
