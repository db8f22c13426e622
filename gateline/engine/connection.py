"""One gateway worker's connection: frames in, frames out, and which of its requests are open."""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

import msgspec

from gateline.model.engine import FromEngine, Submit, ToEngine
from gateline.wire.frames import FrameReader, FrameTooLarge, frame

# A worker that takes nothing for so long that this much waits for it is stuck: it is cut off, not waited for.
UNSENT_LIMIT = 16 * 1024 * 1024

_decoder = msgspec.msgpack.Decoder(ToEngine)
_encoder = msgspec.msgpack.Encoder()


class Owner(Protocol):
    """The server, as a connection sees it."""

    def opened(self, connection: Connection) -> None: ...

    def submitted(self, connection: Connection, submit: Submit) -> None: ...

    def left(self, connection: Connection, request: int) -> None: ...

    def closed(self, connection: Connection) -> None: ...


class Connection(asyncio.Protocol):
    """`open` maps this connection's request ids to the keys they run under. A broken frame ends the connection."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._reader = FrameReader()
        self._transport: asyncio.Transport | None = None
        self.open: dict[int, int] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but its bases
        # The default mark is for pausing a producer; ours cannot pause, `send` looks at the buffer itself.
        self._transport.set_write_buffer_limits(high=UNSENT_LIMIT)
        self._owner.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._owner.closed(self)

    def data_received(self, data: bytes) -> None:
        try:
            messages = [_decoder.decode(payload) for payload in self._reader.feed(data)]
        except (FrameTooLarge, msgspec.DecodeError, UnicodeDecodeError):
            self._abort()
            return
        for message in messages:
            if isinstance(message, Submit):
                if message.id in self.open:  # the peer lost count: nothing it says can be matched any more
                    self._abort()
                    return
                self._owner.submitted(self, message)
            else:
                self._owner.left(self, message.id)

    def send(self, *messages: FromEngine) -> None:
        """Hands frames to the transport; to a connection that is gone it is nothing."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        transport.write(b"".join([frame(_encoder.encode(message)) for message in messages]))
        if transport.get_write_buffer_size() > UNSENT_LIMIT:
            self._abort()

    def close(self) -> None:
        """Ends it after what was sent has left."""
        if self._transport is not None:
            self._transport.close()

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
