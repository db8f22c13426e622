"""A call whose earlier turns, which its vendor does not know, have been put into its input."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from gateline.formats.responses.items import Item
from gateline.formats.typed import UNREAD
from gateline.model.call import Call

# Items that mean the same to every vendor of this format; all others are of its own tools.
_ANYBODYS = frozenset({None, "message", "function_call", "function_call_output"})

_decode_items = msgspec.json.Decoder(list[Raw]).decode
_decode_item = msgspec.json.Decoder(Item).decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.Encoder().encode


class Continued(Call, kw_only=True):
    """`body` is the call as its fields say it now. It still names the response that it goes on from, for its answer."""

    body: bytes


def input_items(raw: Raw | None) -> list[Raw]:
    """A call's input as items, byte for byte where it was a list. What is neither text nor a list has none: whoever
    reads the call says what is wrong with it."""
    if raw is None:
        return []
    view = bytes(raw)
    if view[:1] == b'"':
        return [Raw(b'{"type":"message","role":"user","content":' + view + b"}")]
    try:
        return _decode_items(view)
    except UNREAD:
        return []


def continued(call: Call, earlier: list[Raw]) -> Continued:
    """The same call with `earlier` items ahead of its own."""
    fields = call.fields.copy()
    fields["input"] = Raw(_encode(earlier + input_items(fields.get("input"))))
    return Continued(
        operation=call.operation,
        model=call.model,
        fields=fields,
        stream=call.stream,
        include_usage=call.include_usage,
        user=call.user,
        max_tokens=call.max_tokens,
        body=_encode(fields),
    )


def for_others(call: Continued) -> Call:
    """The call for a vendor that does not hold the response: items lose ids it has not given, and there is nothing that
    only the holder can know: its own tools' items, and reasoning that is no more than a name."""
    kept: list[Raw] = []
    for item in input_items(call.fields.get("input")):
        passed = _for_others(item)
        if passed is not None:
            kept.append(passed)
    fields = call.fields.copy()
    fields["input"] = Raw(_encode(kept))
    fields.pop("previous_response_id", None)
    return Call(call.operation, call.model, fields, call.stream, call.include_usage, call.user, call.max_tokens)


def _for_others(raw: Raw) -> Raw | None:
    try:
        item = _decode_item(raw)
    except UNREAD:
        return raw
    if item.encrypted_content:
        return raw  # `passing.py` sees to it
    if item.type not in _ANYBODYS:
        return None
    fields = _decode_fields(raw)
    fields.pop("id", None)
    fields.pop("status", None)
    return Raw(_encode(fields))
