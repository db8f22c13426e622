"""Bodies into typed structs, with mistakes that name the field as its API's users know it."""

from __future__ import annotations

import re
from typing import Annotated, NoReturn, TypeVar

import msgspec

from gateline.model.errors import BadRequest, UpstreamBroken

T = TypeVar("T")
Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]  # what vendors and MessagePack can hold

_PLACE = re.compile(r"(.*?)(?: - at `\$\.?(.*)`)?\Z", re.DOTALL)
UNREAD = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def read_typed(decoder: msgspec.json.Decoder[T], body: bytes | bytearray | memoryview) -> T:
    """Raises BadRequest: `param` is the field at fault, such as `messages[0].content`."""
    try:
        return decoder.decode(body)
    except UNREAD as error:
        refuse(error)


def refuse(error: Exception) -> NoReturn:
    """Raises BadRequest for what msgspec says is wrong with a client's body."""
    if not isinstance(error, msgspec.ValidationError):
        raise BadRequest(f"the body is not valid JSON: {error}", code="invalid_json") from None
    match = _PLACE.match(str(error))
    assert match is not None
    message, place = match[1], match[2]
    missing = re.search(r"required field `(\w+)`", message)
    if missing is not None:
        place = f"{place}.{missing[1]}" if place else missing[1]
        raise BadRequest(f"`{place}` is required", param=place, code="missing_required_parameter") from None
    where = f"`{place}`: " if place else ""
    raise BadRequest(
        f"invalid value for {where}{message[:1].lower()}{message[1:]}", param=place, code="invalid_type"
    ) from None


def read_vendor(decoder: msgspec.json.Decoder[T], body: bytes, vendor: str) -> T:
    """The same of a vendor's reply. Raises UpstreamBroken."""
    try:
        return decoder.decode(body)
    except UNREAD:
        raise UpstreamBroken(f"{vendor} answered with a body that is not its format's.") from None
