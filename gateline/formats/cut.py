"""Whether a whole reply lacks its end, though its framing says that nothing is missing."""

from __future__ import annotations

import json

import msgspec

from gateline.formats.typed import UNREAD


class _Object(msgspec.Struct):
    """Nothing of it is kept."""


_skim = msgspec.json.Decoder(_Object).decode


def is_cut(body: bytes) -> bool:
    """Whether an object begins in `body` and is not closed in it. Not whether it is good JSON: clients read numbers
    (NaN) and characters (half ones) that msgspec refuses. Costs 0.5 µs for 600 bytes, at most 2.2 ms a megabyte, and
    what msgspec refuses ten times that."""
    try:
        _skim(body)
    except UNREAD:
        pass
    else:
        return False
    text = body.decode("utf-8", "replace").rstrip()
    try:
        json.loads(text, strict=False)
    except json.JSONDecodeError as error:
        return error.pos >= len(text) or error.msg.startswith("Unterminated string")
    except RecursionError:
        return False
    return False
