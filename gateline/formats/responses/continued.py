"""A call whose earlier turns, which its vendor does not know, have been put into its input."""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw

from gateline.formats.responses.items import Item
from gateline.formats.typed import UNREAD
from gateline.model.call import Call

# Items that mean the same to every vendor of this format; all others are of its own tools.
_ANYBODYS = frozenset({None, "message", "function_call", "function_call_output"})
_MARK = b'"gateline.'  # how every seal of another vendor's begins, where it stands in a field of OpenAI's
# The id of an item that was made here: the vendor's own never end so.
_OURS = re.compile(r"rs_.*_[0-9]+")
_OURS_WITHIN = re.compile(rb'"rs_[^"]{1,300}_[0-9]{1,5}"')

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


def for_vendor(call: Call) -> Call:
    """The call as it may pass to a vendor of this format untouched: reasoning of other vendors never reaches it, and of
    a call that goes on from a response the vendor does not hold, items lose ids it has not given.

    Costs a search of the input for a mark; a call without one passes as it is.
    """
    raw = call.fields.get("input")
    if raw is None or (not isinstance(call, Continued) and not _holds_others(bytes(raw))):
        return call
    kept: list[Raw] = []
    for item in input_items(raw):
        passed = _for_vendor(item, keep_id=not isinstance(call, Continued))
        if passed is not None:
            kept.append(passed)
    fields = call.fields.copy()
    fields["input"] = Raw(_encode(kept))
    if isinstance(call, Continued):
        fields.pop("previous_response_id", None)
    return Call(call.operation, call.model, fields, call.stream, call.include_usage, call.user, call.max_tokens)


def _holds_others(items: bytes) -> bool:
    return items.find(_MARK) >= 0 or (items.find(b'"rs_') >= 0 and _OURS_WITHIN.search(items) is not None)


def _for_vendor(raw: Raw, *, keep_id: bool) -> Raw | None:
    try:
        item = _decode_item(raw)
    except UNREAD:
        return raw
    if item.type == "reasoning":
        sealed = item.encrypted_content or ""
        is_ours = not keep_id or _OURS.fullmatch(item.id or "") is not None
        if sealed.startswith("gateline.") or (not sealed and is_ours):
            return None
        return raw
    if keep_id:
        return raw
    if item.type not in _ANYBODYS:
        return None
    fields = _decode_fields(raw)
    fields.pop("id", None)
    fields.pop("status", None)
    return Raw(_encode(fields))
