"""A strict decoder of chunked request bodies (RFC 9112 section 7.1).

The request parser reads heads only: bodies are cut here, so that a pipelined request behind a body stays where it is
and trailers can never be mistaken for headers. Stricter than the RFC on purpose: chunk extensions and sizes are bounded
in bytes, chunks in number, sizes have no sign, no space and no run of zeros, and every line ends in CRLF.
"""

from __future__ import annotations

from gateline.model.errors import BadWire, TooLarge

_SIZE_LINE = 4_096  # bytes of one size line with its extensions
_TRAILERS = 16_384  # bytes of all trailers
_OVERHEAD = 16_384  # extension bytes a whole body may carry beyond 16 a chunk
_CHUNKS = 1_024  # a body may have, and one more for every `_CHUNK` bytes: each costs as much as kilobytes of body do
_CHUNK = 64
_HEX = frozenset(b"0123456789abcdefABCDEF")


class Dechunker:
    """`feed` takes wire bytes as they come; `body` grows; `complete` is set at the end and `rest` is what lies behind.

    Raises BadWire on a malformed body and TooLarge when `body` would pass `limit` bytes.
    """

    __slots__ = (
        "_chunks", "_extra", "_held", "_in_chunk", "_in_trailers", "_missing", "_trailer_bytes", "body", "complete",
        "limit", "rest",
    )  # fmt: skip

    def __init__(self, limit: int) -> None:
        self.body = bytearray()
        self.complete = False
        self.rest = b""
        self.limit = limit
        self._held = b""  # the beginning of a line whose end has not come
        self._in_chunk = False
        self._in_trailers = False
        self._missing = 0  # bytes of the chunk, without its CRLF
        self._chunks = 0
        self._extra = 0
        self._trailer_bytes = 0

    def feed(self, data: bytes) -> None:
        if self._held:
            data, self._held = self._held + data, b""
        at, end = 0, len(data)
        while at < end and not self.complete:
            if self._in_chunk:
                after = at + self._missing
                if after + 2 > end:
                    self._take_part(data[at:])
                    return
                self.body += data[at:after]
                if data[after : after + 2] != b"\r\n":
                    raise BadWire("The chunked body is malformed: a chunk is longer than its size says.")
                at = after + 2
                self._in_chunk = False
                continue
            limit = _TRAILERS if self._in_trailers else _SIZE_LINE
            start, at = at, data.find(b"\n", at) + 1
            if not at:
                if end - start > limit:
                    raise BadWire("A line of the chunked body is too long.")
                self._held = data[start:]
                return
            if at - start > limit or at - start < 2 or data[at - 2] != 0x0D:
                raise BadWire("The chunked body is malformed: lines end in CRLF and are short.")
            if self._in_trailers:
                self._read_trailer(data[start : at - 2])
            else:
                self._read_size(data[start : at - 2])
        if self.complete:
            self.rest = data[at:]

    def _take_part(self, data: bytes) -> None:
        """The chunk is not whole, or its CRLF is not."""
        piece = data[: self._missing]
        self.body += piece
        self._missing -= len(piece)
        self._held = data[len(piece) :]

    def _read_size(self, line: bytes) -> None:
        digits, semicolon, extension = line.partition(b";")
        if semicolon and any(byte < 0x20 and byte != 0x09 for byte in extension):
            raise BadWire("The chunked body is malformed: a chunk extension holds a control byte.")
        if not 0 < len(digits) <= 8 or not _HEX.issuperset(digits):
            raise BadWire("The chunked body is malformed: a chunk size is one to eight hexadecimal digits.")
        extra = self._extra + len(line) - 16
        if extra > _OVERHEAD:
            raise BadWire("The chunked body carries too many bytes of chunk extensions.")
        self._extra = extra if extra > 0 else 0  # noqa: FURB136 - once a chunk: a call of max() costs as much again
        size = int(digits, 16)
        if size == 0:
            self._in_trailers = True
            return
        length = len(self.body)
        if length + size > self.limit:
            raise TooLarge(f"The request body is over the limit of {self.limit} bytes.")
        self._chunks += 1
        if self._chunks > _CHUNKS + length // _CHUNK:
            raise BadWire(
                f"The chunked body has over {_CHUNKS} chunks of less than {_CHUNK} bytes on average: send larger ones."
            )
        self._missing = size
        self._in_chunk = True

    def _read_trailer(self, line: bytes) -> None:
        size = len(line)
        self._trailer_bytes += size
        if self._trailer_bytes > _TRAILERS:
            raise BadWire("The trailers of the chunked body are too long.")
        if not size:
            self.complete = True
        elif line.find(b":") < 1:
            raise BadWire("The chunked body is malformed: a trailer is a name, a colon and a value.")
