"""The stencil that the events of one OpenAI stream share: what need not be read again while only the text changes."""

from __future__ import annotations

import re

_CONTENT = b'"content":"'
_OPENERS = frozenset({b",", b"{"})
_NOT_ITSELF = re.compile(rb'["\\\x00-\x1f]')  # in a JSON string: it ends the string, or stands for something else


class Stencil:
    """What stays of an event while only the text of its `content` changes, and so neither its validity nor what it says
    about the stream does. `relayed` passes in place of `behind`."""

    __slots__ = ("before", "behind", "relayed", "start", "stop")

    def __init__(self, before: bytes, behind: bytes, relayed: bytes) -> None:
        self.before = before
        self.behind = behind
        self.relayed = relayed
        self.start = len(before)
        self.stop = -len(behind)

    def relay(self, event: bytes) -> bytes | None:
        """What passes for an event of this stencil; None for any other."""
        text = event[self.start : self.stop]
        opened = self.before + text
        return opened + self.relayed if opened + self.behind == event and _NOT_ITSELF.search(text) is None else None

    def text(self, event: bytes) -> bytes | None:
        """The text in an event of this stencil, which has no escapes in it; None for any other."""
        text = event[self.start : self.stop]
        return text if self.before + text + self.behind == event and _NOT_ITSELF.search(text) is None else None


def stencil_of(event: bytes, relayed: bytes) -> Stencil | None:
    """The stencil of a decoded event that passes as `relayed`; None when it has none."""
    before, key, rest = event.partition(_CONTENT)
    text, quote, behind = rest.partition(b'"')
    # As with usage: a comma or brace ahead of the key proves that it is one.
    if not quote or before[-1:] not in _OPENERS or _NOT_ITSELF.search(text) is not None:
        return None
    before += key
    opened = before + text
    if not relayed.startswith(opened):
        return None
    return Stencil(before, quote + behind, relayed[len(opened) :])
