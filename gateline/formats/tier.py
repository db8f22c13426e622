"""Service tiers in replies: whether a call was billed at its model's list price.

Vendors' words: OpenAI `default`, Groq `on_demand`, Anthropic and Gemini `standard`, Vertex AI `ON_DEMAND`, Bedrock
`default`. `auto` names no tier: a reply that repeats it says nothing.
"""

from __future__ import annotations

import msgspec

from gateline.formats.tail import object_in_tail
from gateline.formats.typed import UNREAD
from gateline.model.usage import Usage

LISTED = frozenset({
    None, "", "default", "standard", "on_demand", "auto", "unspecified", "service_tier_unspecified",
    "traffic_type_unspecified",
})  # fmt: skip
_KEY = b'"service_tier"'
_LONGEST = 32  # characters of a vendor's word that are kept


class _Reply(msgspec.Struct):
    service_tier: str | None = None


_decode = msgspec.json.Decoder(_Reply).decode


def at_tier(usage: Usage | None, tier: str | None) -> Usage | None:
    """The usage with the tier that it was billed by, where that is not the list price's."""
    if usage is None or tier in LISTED:
        return usage
    assert tier is not None
    word = tier[:_LONGEST].lower()
    return usage if word in LISTED else msgspec.structs.replace(usage, tier=word)


def at_told_tier(usage: Usage | None, body: bytes | bytearray | memoryview) -> Usage | None:
    """The same, of the `service_tier` that stands at the top of `body`: a reply, its end, or an event."""
    if usage is None:
        return None
    told = object_in_tail(bytes(body), _KEY, _read)
    return usage if told is None else at_tier(usage, told.service_tier)


def _read(body: bytes) -> _Reply | None:
    try:
        return _decode(body)
    except UNREAD:
        return None
