"""Decoding of gzip and deflate bodies with a cap on what comes out of what went in.

Bodies are asked for without a coding; some peers code them all the same, and some clients send coded requests.
"""

from __future__ import annotations

import zlib

_RATIO = 200  # a JSON body shrinks by 5-20; beyond this it is a bomb
_FREE = 1_048_576  # bytes out before the ratio counts


class CodingError(ValueError):
    """The coding is unknown, or its output is out of proportion."""


class Inflater:
    """`feed` gives decoded bytes as they come. Raises zlib.error on garbage, bytes behind the end included,
    and CodingError past `limit` or the ratio."""

    __slots__ = ("_decoder", "_in", "_limit", "_out")

    def __init__(self, coding: bytes, limit: int | None = None) -> None:
        name = coding.strip().lower()
        if name in {b"gzip", b"x-gzip"}:
            bits = 16 + zlib.MAX_WBITS
        elif name == b"deflate":
            bits = zlib.MAX_WBITS
        else:
            raise CodingError(f"The content coding {name.decode('latin-1')[:40]!r} is not supported: use gzip or none.")
        self._decoder = zlib.decompressobj(bits)
        self._limit = limit
        self._in = 0
        self._out = 0

    @property
    def finished(self) -> bool:
        return self._decoder.eof

    def feed(self, data: bytes) -> bytes:
        self._in += len(data)
        allowed = max(_FREE, self._in * _RATIO)
        if self._limit is not None:
            allowed = min(allowed, self._limit)
        room = allowed - self._out
        piece = self._decoder.decompress(data, room + 1)
        if self._decoder.unused_data:
            raise zlib.error("bytes follow the end of the coded body")  # kept, they would gather in memory
        self._out += len(piece)
        if self._out > allowed:
            raise CodingError(f"The decoded body is over {allowed} bytes.")
        return piece
