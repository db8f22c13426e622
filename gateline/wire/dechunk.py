"""A strict decoder of chunked request bodies (RFC 9112 section 7.1).

The request parser reads heads only: bodies are cut here, so that a pipelined request behind a body stays where it is
and trailers can never be mistaken for headers. Stricter than the RFC on purpose: chunk extensions and sizes are bounded
in bytes, sizes have no sign, no space and no run of zeros, and every line ends in CRLF.
"""

from __future__ import annotations

from gateline.model.errors import BadWire, TooLarge

_SIZE_LINE = 4_096  # bytes of one size line with its extensions
_TRAILERS = 16_384  # bytes of all trailers
_OVERHEAD = 16_384  # extension bytes a whole body may carry beyond 16 a chunk
_HEX = frozenset(b"0123456789abcdefABCDEF")


class Dechunker:
    """`feed` takes wire bytes as they come; `body` grows; `complete` is set at the end and `rest` is what lies behind.

    Raises BadWire on a malformed body and TooLarge when `body` would pass `limit` bytes.
    """

    __slots__ = ("_buffer", "_extra", "_remaining", "_state", "_trailer_bytes", "body", "complete", "limit", "rest")

    def __init__(self, limit: int) -> None:
        self.body = bytearray()
        self.complete = False
        self.rest = b""
        self.limit = limit
        self._buffer = bytearray()
        self._state = "size"
        self._remaining = 0
        self._extra = 0
        self._trailer_bytes = 0

    def feed(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        while not self.complete and buffer:
            if self._state == "data":
                if not self._take_data(buffer):
                    return
                continue
            end = buffer.find(b"\n")
            limit = _SIZE_LINE if self._state == "size" else _TRAILERS
            if end < 0:
                if len(buffer) > limit:
                    raise BadWire("A line of the chunked body is too long.")
                return
            line = bytes(buffer[: end + 1])
            del buffer[: end + 1]
            if not line.endswith(b"\r\n") or len(line) > limit:
                raise BadWire("The chunked body is malformed: lines end in CRLF and are short.")
            if self._state == "size":
                self._read_size(line[:-2])
            else:
                self._read_trailer(line[:-2])

    def _take_data(self, buffer: bytearray) -> bool:
        """Moves chunk data over; False when more bytes are needed."""
        if self._remaining:
            piece = buffer[: self._remaining]
            self.body += piece
            self._remaining -= len(piece)
            del buffer[: len(piece)]
        if self._remaining or len(buffer) < 2:
            return False
        if buffer[:2] != b"\r\n":
            raise BadWire("The chunked body is malformed: a chunk is longer than its size says.")
        del buffer[:2]
        self._state = "size"
        return True

    def _read_size(self, line: bytes) -> None:
        digits, semicolon, extension = line.partition(b";")
        if semicolon and any(byte < 0x20 and byte != 0x09 for byte in extension):
            raise BadWire("The chunked body is malformed: a chunk extension holds a control byte.")
        if not 0 < len(digits) <= 8 or not _HEX.issuperset(digits):
            raise BadWire("The chunked body is malformed: a chunk size is one to eight hexadecimal digits.")
        self._extra += len(line) - 16
        if self._extra > _OVERHEAD:
            raise BadWire("The chunked body carries too many bytes of chunk extensions.")
        self._extra = max(self._extra, 0)
        size = int(digits, 16)
        if size == 0:
            self._state = "trailer"
            return
        if len(self.body) + size > self.limit:
            raise TooLarge(f"The request body is over the limit of {self.limit} bytes.")
        self._remaining = size
        self._state = "data"

    def _read_trailer(self, line: bytes) -> None:
        self._trailer_bytes += len(line)
        if self._trailer_bytes > _TRAILERS:
            raise BadWire("The trailers of the chunked body are too long.")
        if not line:
            self.complete = True
            self.rest = bytes(self._buffer)
            self._buffer.clear()
