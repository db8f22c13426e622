"""What stands at the end of a reply of which only the last bytes were kept, or that is too long to be worth a parse."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_CANDIDATES = 16  # tries at the key: text full of it cannot make reading it slow
_AHEAD = b", \t\r\n{"  # what stands before a key


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
        if at > 0 and tail[at - 1] in _AHEAD:
            found = read(b"{" + tail[at:])
            if found is not None:
                return found
    return None
