"""A request's body on its way in, when it did not come whole with its head.

It knows the body's framing, where its bytes are gathered, and how many may lie here before the handler asks for them.
Deadlines are the connection's business, and what becomes of a body is too.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateline.model.errors import GatewayError, TooLarge
from gateline.net.spool import Spool
from gateline.wire.dechunk import Dechunker

if TYPE_CHECKING:
    from gateline.net.server import ClientConnection

_UNASKED = 262_144  # bytes of a body taken before its handler asks for it
_STRAIGHT_FROM = 262_144  # bytes still to come from which they are read straight into their place
_PIECE = 262_144  # bytes of it read at once
_SLICE = 65_536  # bytes in chunks that are looked at before other connections have their turn
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

    def _count(self, size: int) -> None:
        """So many bytes more. Raises Unavailable when there is no room for them."""
        self.received += size
        hold(self._connection, size, self.received)

    def _hold_back(self) -> None:
        if not self._asked and self.received > _UNASKED:
            self._pause()

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            self._transport.resume_reading()


class ChunkedBody(IncomingBody):
    """A body in chunks, of at most `limit` bytes. A read with much in it is looked at in slices, one a turn of the
    loop, since a chunk costs far more than its bytes do; meanwhile nothing more is read."""

    __slots__ = ("_dechunker", "_unread")

    def __init__(self, connection: ClientConnection, transport: asyncio.Transport, limit: int) -> None:
        super().__init__(connection, transport)
        self._dechunker = Dechunker(limit)
        self._unread = b""

    def want(self) -> None:
        self._asked = True
        if not self._unread:
            self._resume()

    def leave(self) -> None:
        self._unread = b""
        self._resume()

    def feed(self, data: bytes) -> None:
        unread = self._unread
        self._unread = unread + data
        if not unread:
            self._go_on()

    def _go_on(self) -> None:
        """Looks at the next slice."""
        connection, dechunker, data = self._connection, self._dechunker, self._unread
        if connection.failure is not None or connection.gone or not data:
            self._unread = b""  # what follows a refused body is dropped; the connection closes after the answer
            return
        self._unread = data[_SLICE:]
        try:
            dechunker.feed(data[:_SLICE])
            self._count(len(dechunker.body) - self.received)
        except GatewayError as error:
            self.leave()
            connection.fail_body(error)
            return
        if dechunker.complete:
            rest = dechunker.rest + self._unread
            self.leave()
            connection.complete_body(dechunker.body, rest)
        elif self._unread:
            self._pause()
            asyncio.get_running_loop().call_soon(self._go_on)
        elif self._asked or self.received <= _UNASKED:
            self._resume()
        else:
            self._pause()


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
        try:
            self._count(len(piece))
        except GatewayError as error:
            connection.fail_body(error)
            return
        self._memory.extend(piece)
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
        try:
            self._count(nbytes)
        except GatewayError as error:
            connection.fail_body(error)
            return
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


def start_body(connection: ClientConnection, transport: asyncio.Transport, rest: bytes) -> None:
    """`rest` has come with the head and is not simply the body: too little of it, too much, or in chunks."""
    request, service = connection.request, connection.service
    length, most = request.content_length or 0, service.limits.body_bytes
    try:
        if length > most:
            raise TooLarge(
                f"The request body has {length} bytes, over the limit of {most}: send less, or raise server.body_bytes."
            )
        service.check_room(length, length)
    except GatewayError as error:
        connection.poisoned = True
        connection.undelivered = -1 if request.chunked else length - len(rest)
        connection.failure = error
        return
    if len(rest) >= length and not request.chunked:
        if length:
            hold(connection, length, length)
        connection.complete_body(rest[:length], rest[length:])
        return
    incoming: IncomingBody = (
        ChunkedBody(connection, transport, most) if request.chunked else FixedBody(connection, transport, length)
    )
    connection.expect_body(incoming)
    if rest:
        incoming.feed(rest)


def hold(connection: ClientConnection, more: int, body: int) -> None:
    """`more` bytes of a body that has `body` with them are in memory until the request is answered. Raises Unavailable
    when there is no room for them."""
    connection.service.check_room(more, body)
    connection.service.bodies += more
    connection.held += more
    connection.leaves_more = True
