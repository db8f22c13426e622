"""Items that say nothing themselves but stand for what their vendor keeps, under an id of its own.

A vendor finds everything of one account, and tenants share accounts: such an id would fetch what another tenant said.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from gateline.formats.responses.continued import input_items
from gateline.formats.typed import UNREAD
from gateline.model.errors import BadRequest

_EMPTY = frozenset({"type", "id", "status"})  # fields that hold nothing of an item's content

_decode_items = msgspec.json.Decoder(list[dict[str, Raw]]).decode
_decode_item = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode


def refuse_references(raw: Raw | None) -> None:
    """Raises BadRequest for an input that names an item in place of holding it."""
    if raw is None or bytes(memoryview(raw)[:1]) == b'"':
        return
    try:
        items = _decode_items(raw)
    except UNREAD:
        items = [_fields(item) for item in input_items(raw)]
    for number, item in enumerate(items):
        if _is_reference(item):
            raise BadRequest(
                f"`input[{number}]` stands for an item that is kept elsewhere: send the item itself, or go on from its "
                "response with `previous_response_id`.",
                param=f"input[{number}]",
                code="unsupported_parameter",
            )


def _fields(item: Raw) -> dict[str, Raw]:
    """Of what is no object, none: its reader says what is wrong with it."""
    try:
        return _decode_item(item)
    except UNREAD:
        return {}


def _is_reference(item: dict[str, Raw]) -> bool:
    kind = item.get("type")
    if kind is None:
        names = {name.casefold() for name in item}  # some vendors match names without case
        return "type" in names or ("id" in names and names <= _EMPTY)
    try:
        if _decode_text(kind) == "item_reference":
            return True
    except UNREAD:
        pass
    return "id" in item and item.keys() <= _EMPTY
