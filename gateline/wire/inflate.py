"""Decoding of gzip and deflate bodies with a cap on what comes out of what went in.

Bodies are asked for without a coding; some peers code them all the same, and some clients send coded requests. A gzip
body is one member or several, one behind the other (RFC 1952 section 2.2): what is capped is all of them together.
"""

from __future__ import annotations

import sys
import zlib

_RATIO = 200  # a JSON body shrinks by 5-20; beyond this it is a bomb
_FREE = 1_048_576  # bytes out before the ratio counts
_MEMBERS = 10_000  # each costs a decoder, however little is in it; writers of blocks put 64 KiB into one
_STEP = 4_096  # bytes of a member decoded at first: what is behind its end is copied once for each decoder


class CodingError(ValueError):
    """The coding is unknown, or its output is out of proportion."""


class Inflater:
    """`feed` gives decoded bytes as they come, `most` of them at a time; while it `waits`, the next call gives more of
    what was fed already. Raises zlib.error on garbage, bytes behind the end included, and CodingError past `limit` or
    the ratio. `finished` says that what was fed is whole: of several members, the last that was begun."""

    __slots__ = ("_bits", "_decoder", "_in", "_limit", "_members", "_out", "_unread", "waits")

    def __init__(self, coding: bytes, limit: int | None = None) -> None:
        name = coding.strip().lower()
        if name in {b"gzip", b"x-gzip"}:
            self._bits = 16 + zlib.MAX_WBITS
        elif name == b"deflate":
            self._bits = zlib.MAX_WBITS
        else:
            raise CodingError(f"The content coding {name.decode('latin-1')[:40]!r} is not supported: use gzip or none.")
        self._decoder = zlib.decompressobj(self._bits)
        self._members = 1
        self._limit = limit
        self._in = 0
        self._out = 0
        self._unread = b""
        self.waits = False

    @property
    def finished(self) -> bool:
        return self._decoder.eof and not self.waits

    def feed(self, data: bytes, most: int | None = None) -> bytes:
        pieces: list[bytes] = []
        rest, step = memoryview(self._unread + data), _STEP
        room = sys.maxsize if most is None else most
        while (rest or self.waits) and room:
            if self._decoder.eof:
                self._begin_member()
                step = _STEP
            taken = rest[:step]
            allowed = self._allowed(len(taken))
            piece = self._decoder.decompress(taken, min(allowed - self._out + 1, room))
            self._out += len(piece)
            room -= len(piece)
            if self._out > allowed:
                raise CodingError(f"The decoded body is over {allowed} bytes.")
            pieces.append(piece)
            decoder = self._decoder  # at its end it names the same bytes under both names
            used = len(taken) - len(decoder.unused_data if decoder.eof else decoder.unconsumed_tail)
            self._in += used
            rest = rest[used:]
            step *= 2
            self.waits = not room and not decoder.eof  # the decoder itself may keep some, whatever it has read
        self._unread = bytes(rest)
        self.waits = self.waits or bool(rest)
        return b"".join(pieces)

    def _allowed(self, size: int) -> int:
        """How much may have come out with `size` bytes more: counted as they are decoded, so that a bomb goes off no
        further for coming in one piece with much else."""
        allowed = max(_FREE, (self._in + size) * _RATIO)
        return allowed if self._limit is None else min(allowed, self._limit)

    def _begin_member(self) -> None:
        """What follows the end of a gzip member can only be another one: its header is checked by its decoder."""
        if self._bits == zlib.MAX_WBITS:
            raise zlib.error("bytes follow the end of the coded body")
        self._members += 1
        if self._members > _MEMBERS:
            raise CodingError(f"The coded body has over {_MEMBERS} members.")
        self._decoder = zlib.decompressobj(self._bits)
