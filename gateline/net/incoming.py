"""A request's body on its way in, when it did not come whole with its head.

It knows the body's framing, where its bytes are gathered, and how many may lie here before the handler asks for them.
Deadlines are the connection's business, and what becomes of a body is too.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateline.model.errors import GatewayError
from gateline.net.spool import Spool
from gateline.wire.dechunk import Dechunker

if TYPE_CHECKING:
    from gateline.net.server import ClientConnection

_UNASKED = 262_144  # bytes of a body taken before its handler asks for it
_STRAIGHT_FROM = 262_144  # bytes still to come from which they are read straight into their place
_PIECE = 262_144  # bytes of it read at once
_ZEROS = bytes(_PIECE)


class IncomingBody:
    """`received` counts bytes of the body. Ends with one call of the connection's `complete_body` or `fail_body`."""

    __slots__ = ("_asked", "_connection", "_paused", "_transport", "received")

    def __init__(self, connection: ClientConnection, transport: asyncio.Transport) -> None:
        self._connection = connection
        self._transport = transport
        self._asked = False
        self._paused = False
        self.received = 0

    def feed(self, data: bytes) -> None:
        """More bytes of the connection."""
        raise NotImplementedError

    @property
    def missing(self) -> int:
        """Announced bytes that have not come, -1 when nobody knows."""
        return -1

    def want(self) -> None:
        """The handler waits for the body: nothing holds it back any more."""
        self._asked = True
        self._resume()

    def leave(self) -> None:
        """Nobody wants the rest: what still comes is the connection's again."""
        self._resume()

    def _hold_back(self) -> None:
        if not self._asked and not self._paused and self.received > _UNASKED:
            self._paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            self._transport.resume_reading()


class ChunkedBody(IncomingBody):
    """A body in chunks, of at most `limit` bytes."""

    __slots__ = ("_dechunker",)

    def __init__(self, connection: ClientConnection, transport: asyncio.Transport, limit: int) -> None:
        super().__init__(connection, transport)
        self._dechunker = Dechunker(limit)

    def feed(self, data: bytes) -> None:
        connection, dechunker = self._connection, self._dechunker
        if connection.failure is not None:
            return  # what follows a refused body is dropped; the connection closes after the answer
        try:
            dechunker.feed(data)
        except GatewayError as error:
            connection.fail_body(error)
            return
        self.received = len(dechunker.body)
        if dechunker.complete:
            connection.complete_body(dechunker.body, dechunker.rest)
        else:
            self._hold_back()


class FixedBody(IncomingBody, asyncio.BufferedProtocol):
    """A body of `length` bytes. What is left of a large one the loop reads straight into its place, with this as the
    transport's protocol: the loop's other way is a copy into a string of bytes, and that would be copied again."""

    __slots__ = ("_length", "_memory", "_straight")

    def __init__(self, connection: ClientConnection, transport: asyncio.Transport, length: int) -> None:
        super().__init__(connection, transport)
        self._length = length
        self._memory = connection.service.spools.gather(length)
        self._straight = False

    def feed(self, data: bytes) -> None:
        connection = self._connection
        if connection.failure is not None:
            return
        missing = self._length - self.received
        piece = data[:missing]
        self._memory.extend(piece)
        self.received += len(piece)
        if len(data) >= missing:
            self._complete(data[missing:])
        else:
            self._hold_back()

    def _complete(self, rest: bytes) -> None:
        body = self._memory
        self.leave()
        self._connection.complete_body(body, rest)

    @property
    def missing(self) -> int:
        return self._length - self.received

    def want(self) -> None:
        self._asked = True
        if self._length - self.received >= _STRAIGHT_FROM:
            self._straight = True
            self._read_with(self)
        else:
            self._resume()

    def leave(self) -> None:
        self._memory = bytearray()  # uvloop remembers its last protocol of this kind: it may, but not the body
        if self._straight:
            self._straight = False
            self._read_with(self._connection)
        else:
            self._resume()

    def _read_with(self, protocol: asyncio.BaseProtocol) -> None:
        transport = self._transport
        if not transport.is_closing():
            transport.pause_reading()  # the loop decides how it reads when reading starts
            transport.set_protocol(protocol)
            self._paused = False
            transport.resume_reading()

    # --- the transport's protocol for as long as the body lasts -----------------------------------------------------

    def get_buffer(self, sizehint: int) -> memoryview:
        memory, start = self._memory, self.received
        end = min(start + _PIECE, self._length)
        if isinstance(memory, Spool):
            return memoryview(memory.pages)[start:end]
        if len(memory) < end:
            memory.extend(_ZEROS[: end - len(memory)])  # grows as bytes come: announcing them costs a client nothing
        return memoryview(memory)[start:end]

    def buffer_updated(self, nbytes: int) -> None:
        connection, memory = self._connection, self._memory
        if connection.failure is not None:
            return  # dropped: the next bytes take the same place
        self.received += nbytes
        if isinstance(memory, Spool):
            memory.filled = self.received
        if self.received == self._length:
            self._complete(b"")

    def eof_received(self) -> bool:
        return self._connection.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connection.connection_lost(exc)

    def pause_writing(self) -> None:
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        self._connection.resume_writing()
