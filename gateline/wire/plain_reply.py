"""The usual reply of an upstream, read in one pass: HTTP/1.1, status 200, a Content-Length, no coding, nothing odd.

Everything else is left to the full parser, whose verdict this agrees with wherever it gives one (a property test says
so). A callback for each header costs more than all that is done here.
"""

from __future__ import annotations

import re

from gateline.wire.header_policy import FORWARDED_RESPONSE_HEADERS

_HEAD = re.compile(
    rb"HTTP/1\.1 200(?: [\t\x20-\x7e\x80-\xff]*)?(?:\r\n[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*)*\r\n\r\n"
)
_ODD = frozenset({b"transfer-encoding", b"content-encoding", b"upgrade", b"trailer"})
_NAMES = b"|".join(sorted(FORWARDED_RESPONSE_HEADERS | _ODD | {b"content-length", b"connection"}))
_READ = re.compile(rb"\r\n(" + _NAMES + rb"):[ \t]*([^\r]*)", re.IGNORECASE)
_LENGTH = re.compile(rb"([0-9]{1,18})[ \t]*")


class PlainReply:
    """`lines` are the headers that pass to the client, ready to write. The body is `length` bytes from `body_at` on."""

    __slots__ = ("body_at", "length", "lines")

    def __init__(self, lines: bytes, length: int, body_at: int) -> None:
        self.lines = lines
        self.length = length
        self.body_at = body_at


def read_plain_reply(data: bytes) -> PlainReply | None:
    """The head at the start of `data`; None when it is not whole or not plain, and then means nothing else."""
    head = _HEAD.match(data)
    if head is None:
        return None
    end = head.end()
    length: bytes | None = None
    lines = b""
    for name, value in _READ.findall(data, 0, end):
        name = name.lower()  # noqa: PLW2901 - only the lower-case name is of use
        if name == b"content-length":
            digits = _LENGTH.fullmatch(value)
            if length is not None or digits is None:
                return None
            length = digits[1]
        elif name == b"connection":
            if value.lower() != b"keep-alive":
                return None
        elif name in _ODD or value[:17].lower() == b"text/event-stream":
            return None
        else:
            lines += b"%b: %b\r\n" % (name, value)
    if length is None:
        return None
    return PlainReply(lines, int(length), end)
