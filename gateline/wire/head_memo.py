"""Recognises a request head that a connection has sent before, so that it is not parsed and checked again.

A client on a kept connection sends the same head with every request, byte for byte, but for the digits of its
Content-Length. Bytes that are equal mean the same: the checked head of last time serves again. Knows HTTP heads only.
"""

from __future__ import annotations

import re

from gateline.wire.http1 import RequestHead

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,18})(?=\r\n)", re.IGNORECASE)
_MOST_DIGITS = 18


class HeadMemo:
    """One head and what was made of it. `head` ends in its blank line and has passed every check."""

    __slots__ = ("_has_length", "_prefix", "_size", "_start", "_suffix", "_window", "request")

    def __init__(self, head: bytes, request: RequestHead) -> None:
        found = _LENGTH.search(head) if request.content_length is not None else None
        self.request = request
        self._has_length = found is not None
        self._prefix = head if found is None else head[: found.start(1)]
        self._suffix = suffix = b"" if found is None else head[found.end(1) :]
        self._start = len(self._prefix)
        self._size = len(suffix)
        self._window = _MOST_DIGITS + len(suffix)

    def match(self, data: bytes) -> int:
        """Where the body begins if `data` begins with this head, else 0. Sets the request's new `content_length`."""
        start = self._start
        if data[:start] != self._prefix:
            return 0
        if not self._has_length:
            return start
        # The rest of the head follows the digits and begins with CR: what lies before it is digits or no match.
        end = data.find(self._suffix, start, start + self._window)
        digits = data[start:end]
        if end < 0 or not digits.isdigit():
            return 0
        self.request.content_length = int(digits)
        return end + self._size
