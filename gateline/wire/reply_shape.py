"""What the names of a reply's headers say about how to read it, worked out once while an upstream repeats them."""

from __future__ import annotations

from collections.abc import Iterable

from gateline.wire.header_policy import FORWARDED_RESPONSE_HEADERS

# The response headers that anybody here reads; all others are dropped with the head.
_READ = FORWARDED_RESPONSE_HEADERS | {
    b"content-length", b"transfer-encoding", b"content-encoding", b"retry-after-ms", b"x-ms-retry-after-ms",
    b"x-amzn-errortype",
}  # fmt: skip
_MOST = 1_024  # remembered; an upstream sends a handful


class ReplyShape:
    """What the names of a reply's headers, as spelled and in their order, say about how to read it."""

    __slots__ = ("coding", "kind", "length", "passing", "transfer", "wanted")

    def __init__(self, names: Iterable[bytes]) -> None:
        self.wanted = [(name, name.lower()) for name in names if name.lower() in _READ]
        self.passing = [(name, b"%b: " % lower) for name, lower in self.wanted if lower in FORWARDED_RESPONSE_HEADERS]
        first = {lower: name for name, lower in reversed(self.wanted)}
        self.kind = first.get(b"content-type", b"")
        self.length = first.get(b"content-length")
        self.transfer = first.get(b"transfer-encoding")
        self.coding = first.get(b"content-encoding")


SHAPES: dict[tuple[bytes, ...], ReplyShape] = {}


def learn(names: tuple[bytes, ...]) -> ReplyShape:
    """The shape of these names, kept in `SHAPES` for the next reply that has them."""
    shape = ReplyShape(names)
    if sum(map(len, names)) <= _MOST:
        if len(SHAPES) >= _MOST:
            SHAPES.clear()
        SHAPES[names] = shape
    return shape
