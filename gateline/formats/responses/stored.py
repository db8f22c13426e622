"""A response that is kept: what is taken from a reply, and what its client is told of it later. Pure."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from gateline.formats.responses.continued import input_items
from gateline.formats.typed import UNREAD
from gateline.model.call import Call
from gateline.model.errors import BadRequest, UpstreamBroken
from gateline.wire.sse import EventSplitter, event_data

_MOST_ITEMS = 100  # of one page
_ITEMS = 20  # of a page when nobody asks for another number
_OWN_IDS = {"message": "msg", "function_call": "fc", "function_call_output": "fco", "reasoning": "rs"}


class Kept(msgspec.Struct):
    """Of a response, what finds it again."""

    id: str
    output: list[Raw] = []


class _Last(msgspec.Struct):
    response: Raw = Raw(b"")


_decode_kept = msgspec.json.Decoder(Kept).decode
_decode_last = msgspec.json.Decoder(_Last).decode
_decode_text = msgspec.json.Decoder(str | None).decode
_encode = msgspec.json.Encoder().encode


def previous_of(call: Call) -> str:
    """The response that `call` goes on from; empty when from none. Raises BadRequest."""
    raw = call.fields.get("previous_response_id")
    if raw is None:
        return ""
    try:
        return _decode_text(raw) or ""
    except UNREAD:
        raise BadRequest(
            "invalid type for `previous_response_id`: expected a string",
            param="previous_response_id",
            code="invalid_type",
        ) from None


def is_kept(call: Call) -> bool:
    """Whether its client wants to find the response later; it does unless it says otherwise."""
    raw = call.fields.get("store")
    return raw is None or bytes(raw) != b"false"


def own_input(call: Call) -> list[Raw]:
    """The call's input as items of their own bytes: they do not hold the body's."""
    return [Raw(bytes(item)) for item in input_items(call.fields.get("input"))]


def whole_of(body: bytes) -> bytes:
    """The response in a reply: the reply itself, or what the last event of its stream holds; empty when none."""
    if body.lstrip()[:1] == b"{":
        return body
    try:
        found = EventSplitter().feed(body)
        data = event_data(found[-1]) if found else None
        return bytes(_decode_last(data).response) if data is not None else b""
    except (*UNREAD, UpstreamBroken):
        return b""


def read_kept(response: bytes) -> Kept | None:
    try:
        return _decode_kept(response)
    except UNREAD:
        return None


def deleted(identifier: str) -> bytes:
    return _encode({"id": identifier, "object": "response", "deleted": True})


def input_list(identifier: str, items: list[Raw], query: dict[str, str]) -> bytes:
    """A page of a response's input, latest first unless `order` is `asc`. Raises BadRequest."""
    order = query.get("order", "desc")
    if order not in {"asc", "desc"}:
        raise BadRequest("invalid value for `order`: expected asc or desc", param="order", code="invalid_value")
    limit = query.get("limit", str(_ITEMS))
    if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit[:4]) <= _MOST_ITEMS:
        raise BadRequest(
            f"invalid value for `limit`: expected a number from 1 to {_MOST_ITEMS}", param="limit", code="invalid_value"
        )
    listed = [_listed(raw, identifier.removeprefix("resp_"), number) for number, raw in enumerate(items)]
    if order == "desc":
        listed.reverse()
    after = query.get("after", "")
    if after:
        place = next((number for number, item in enumerate(listed) if item.get("id") == after), None)
        if place is None:
            raise BadRequest(f"no item has the id {after[:100]!a}", param="after", code="invalid_value")
        listed = listed[place + 1 :]
    page = listed[: int(limit)]
    return _encode({
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else "",
        "last_id": page[-1]["id"] if page else "",
        "has_more": len(listed) > len(page),
    })  # fmt: skip


def _listed(raw: Raw, suffix: str, number: int) -> dict[str, Any]:
    """An input item as it is listed: with an id, a type and a status, and its text as a part."""
    try:
        found: object = msgspec.json.decode(raw)
    except UNREAD:  # half of a surrogate pair, which a vendor of this format may have taken
        found = None
    item: dict[str, Any] = found if isinstance(found, dict) else {}
    kind = item.setdefault("type", "message")
    if not item.get("id"):
        item["id"] = f"{_OWN_IDS.get(kind, 'item')}_{suffix}_in{number}"
    if kind in {"message", "function_call", "function_call_output"}:
        item.setdefault("status", "completed")
    if kind == "message":
        is_answer = item.get("role") == "assistant"
        content = item.get("content")
        if isinstance(content, str):
            item["content"] = [{"type": "output_text" if is_answer else "input_text", "text": content}]
        for part in item["content"] if isinstance(item.get("content"), list) else ():
            if isinstance(part, dict):
                _complete(part)
    return item


def _complete(part: dict[str, Any]) -> None:
    if part.get("type") == "output_text":
        part.setdefault("annotations", [])
    elif part.get("type") == "input_image":
        part.setdefault("detail", "auto")
