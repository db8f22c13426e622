"""A chat call as it may pass to a vendor of this format: what earlier answers thought goes to those that take it back.

`reasoning_details` are OpenRouter's, and this gateway's for answers of other formats (`reasoning_details.py`); whatever
`reasoning_content` stands beside them is the same said once more. Many vendors answer fields they do not know with an
error, and a seal in them is for its maker alone: OpenRouter gets them without those that are marked as others'.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from gateline.formats.dialect import Dialect
from gateline.formats.entries import is_left, text_of
from gateline.formats.openai.reasoning_details import TEXT_SEAL
from gateline.formats.seal import MARK
from gateline.model.call import Call

_DETAILS = "reasoning_details"
_WORDS = "reasoning_content"
_NULL = Raw(b"null")


def for_vendor(call: Call, model: str, dialect: Dialect) -> tuple[Call, list[str]]:
    """The call without those, and the names of what was left out."""
    del model
    lost: dict[str, None] = {}
    is_taken = dialect.seals == "reasoning_details"

    def detail(fields: dict[str, Raw]) -> bool:
        if text_of(fields.get("id")) != TEXT_SEAL and not text_of(fields.get("data")).startswith(MARK):
            return True
        lost[_DETAILS] = None
        return False

    def message(fields: dict[str, Raw]) -> bool:
        if is_taken:
            if not is_left(fields, _DETAILS, detail):
                del fields[_DETAILS]
        elif _DETAILS in fields:
            del fields[_DETAILS]
            lost[_DETAILS] = None
            if not dialect.replays_reasoning and fields.pop(_WORDS, None) is not None:
                lost[_WORDS] = None
            if not dialect.has_developer and fields.get("refusal") == _NULL:
                del fields["refusal"]  # OpenAI's too, and says nothing
        return True

    fields = call.fields.copy()
    is_left(fields, "messages", message)
    return msgspec.structs.replace(call, fields=fields), list(lost)
