"""The chunked coding (RFC 9112, section 7.1): writing chunks, and bounding what a peer spends on framing."""

from __future__ import annotations

from gateline.model.errors import BadWire

LAST_CHUNK = b"0\r\n\r\n"

_ALLOWANCE = 16 * 1024
_PER_CHUNK = 16


def chunk(data: bytes) -> bytes:
    """`data` as one chunk; nothing for empty data, since an empty chunk would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


class BodyGuard:
    """Compares the bytes that came with the body they carried.

    The parser lets chunk extensions and zeros ahead of a size pass unseen: 1,000 wire bytes a body byte. Count
    `body` and `chunks` up in the parser's callbacks, and call `fed` after each read that has not ended the body.
    """

    __slots__ = ("body", "chunks", "wire")

    def __init__(self) -> None:
        self.wire = 0
        self.body = 0
        self.chunks = 0

    def fed(self, size: int) -> None:
        """`size` more wire bytes have been parsed. Raises BadWire when framing outgrows the body."""
        self.wire += size
        if self.wire - self.body > _ALLOWANCE + _PER_CHUNK * self.chunks:
            raise BadWire("the chunked body spends too many bytes on its framing: leave chunk extensions out")
