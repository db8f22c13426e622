"""Whether a whole reply that passes holds an answer: a 200 without one would be a success that says nothing."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from gateline.formats.typed import UNREAD


class _Reply(msgspec.Struct):
    choices: list[Raw] | None = None


_decode = msgspec.json.Decoder(_Reply).decode


def has_choice(body: bytes) -> bool:
    """Costs no parse where it is written as vendors do. What this cannot read, the client may."""
    if body.find(b'"choices":[{') >= 0 or body.find(b'"choices": [{') >= 0:
        return True
    try:
        return bool(_decode(body).choices)
    except UNREAD:
        return True
