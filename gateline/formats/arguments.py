"""A tool's arguments where a format wants a JSON object and the model wrote text."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from gateline.formats.typed import UNREAD

_EMPTY = Raw(b"{}")
_decode = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.Encoder().encode


def arguments_object(text: str) -> Raw:
    """`text` as it is where it is an object. What is none (a call cut off in the middle) is kept whole under a key that
    says so, as Anthropic asks for (platform.claude.com/docs, "Fine-grained tool streaming")."""
    if not text or text.isspace():
        return _EMPTY
    raw = text.encode("utf-8", "replace")
    try:
        _decode(raw)
        # A pass over the fields skips strings: halves of surrogate pairs show up only here.
        msgspec.json.decode(raw)
    except UNREAD:
        return Raw(_encode({"INVALID_JSON": raw.decode()}))
    return Raw(raw)


def arguments_text(raw: Raw) -> str:
    """The text of an object that stands in a body; empty for none."""
    view = bytes(raw)
    return "" if view in {b"", b"null"} else view.decode("utf-8", "replace")
