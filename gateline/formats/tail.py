"""What stands at the end of a reply of which only the last bytes were kept, or that is too long to be worth a parse;
and what is whole at its beginning."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from gateline.formats.typed import UNREAD

T = TypeVar("T")

_CANDIDATES = 16  # tries at the key: text full of it cannot make reading it slow
_MEMBERS = 256  # commas of a beginning that are tried: what is long opens a list or a text soon
AHEAD = b", \t\r\n{"  # what stands before a key

_skim = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def object_in_tail(tail: bytes, key: bytes, read: Callable[[bytes], T | None]) -> T | None:
    """What `read` makes of the reply's last members, from `key` (with its quotes) on.

    From a top-level key on, the rest of a reply is a whole object again once `{` is put before it; from a nested key,
    or from inside a string, it is not. So whatever `read` can decode is the reply's own.
    """
    at = len(tail)
    for _ in range(_CANDIDATES):
        at = tail.rfind(key, 0, at)
        if at < 0:
            return None
        if at > 0 and tail[at - 1] in AHEAD:
            found = read(b"{" + tail[at:])
            if found is not None:
                return found
    return None


def last_object(body: bytes, key: bytes, read: Callable[[bytes], T | None]) -> T | None:
    """The same of the last place where `key` stands, and no other: for whole replies that nearly always end in it."""
    at = body.rfind(key)
    return read(b"{" + body[at:]) if at > 0 and body[at - 1] in AHEAD else None


def head_object(head: bytes) -> bytes:
    """The members of a reply that are whole in its first bytes, as an object; `{}` when there are none."""
    found, at = b"{}", -1
    for _ in range(_MEMBERS):
        at = head.find(b",", at + 1)
        if at < 0:
            break
        tried = head[:at] + b"}"
        try:
            _skim(tried)
        except UNREAD:
            continue
        found = tried
    return found
