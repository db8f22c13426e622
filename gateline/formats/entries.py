"""Lists of objects inside a call's fields, changed entry by entry: all else stays byte for byte as it came."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import Raw

from gateline.formats.typed import UNREAD

_decode_list = msgspec.json.Decoder(list[Raw]).decode
_decode_object = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


def is_left(fields: dict[str, Raw], name: str, change: Callable[[dict[str, Raw]], bool]) -> bool:
    """Puts the list `name` back with each of its objects as `change` leaves it, without those for which it returns
    False. Whether there are any left, if there were. What is no list, and entries that are no objects, stay as they
    are: whoever reads the call says what is wrong with it."""
    raw = fields.get(name)
    if raw is None or bytes(memoryview(raw)[:1]) != b"[":
        return True
    entries = _decode_list(raw)
    kept: list[Raw] = []
    for entry in entries:
        inner = fields_of(entry)
        if inner is None:
            kept.append(entry)
        elif change(inner):
            kept.append(Raw(_encode(inner)))
    fields[name] = Raw(_encode(kept))
    return bool(kept) or not entries


def fields_of(raw: Raw | None) -> dict[str, Raw] | None:
    """None for what is no object."""
    if raw is None or bytes(memoryview(raw)[:1]) != b"{":
        return None
    try:
        return _decode_object(raw)
    except UNREAD:
        return None


def text_of(raw: Raw | None) -> str:
    """What a string says; empty for anything else."""
    if raw is None or bytes(memoryview(raw)[:1]) != b'"':
        return ""
    try:
        return _decode_text(raw)
    except UNREAD:
        return ""


def written(value: object) -> Raw:
    return Raw(_encode(value))
