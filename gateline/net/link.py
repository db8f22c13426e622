"""A framed connection to another of our processes over a Unix socket, opened again whenever it ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import msgspec

from gateline.wire.frames import FrameReader, FrameTooLarge, frame

_RETRY = (0.02, 0.05, 0.1, 0.2, 0.5)  # seconds between tries, the last one for good, until a peer has said something
_UNSENT = 16 * 1024 * 1024  # bytes waiting for a peer that does not read, at which the link is cut


class Link:
    """Sends and receives messages of one tagged union. `receive` gets each message; `opened` runs on every connect,
    `lost` on every end. `send` says False when there is nobody to send to."""

    def __init__(
        self,
        path: Path,
        incoming: Any,
        *,
        receive: Callable[[Any], None],
        opened: Callable[[], None],
        lost: Callable[[], None],
    ) -> None:
        self._path = path
        self._decoder = msgspec.msgpack.Decoder(incoming)
        self._encoder = msgspec.msgpack.Encoder()
        self._receive = receive
        self._opened = opened
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()
        self._closed = False
        self._tries = 0

    @property
    def is_open(self) -> bool:
        return self._transport is not None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._keep_open())

    def close(self) -> None:
        self._closed = True
        if self._task is not None:
            self._task.cancel()
        if self._transport is not None:
            self._transport.abort()

    def has_room(self, size: int) -> bool:
        """Whether a message of so many bytes leaves half the room for waiting bytes free: so, no large ones can make
        a small one cut the link. True when there is nobody to send to, which `send` says."""
        transport = self._transport
        return transport is None or transport.get_write_buffer_size() + size <= _UNSENT // 2

    def send(self, message: msgspec.Struct) -> bool:
        transport = self._transport
        if transport is None:
            return False
        transport.write(frame(self._encoder.encode(message)))
        if transport.get_write_buffer_size() > _UNSENT:
            transport.abort()
        return True

    async def _keep_open(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._closed:
            with contextlib.suppress(OSError):
                await loop.create_unix_connection(lambda: _LinkProtocol(self), str(self._path))
                await self._ended.wait()
            await asyncio.sleep(_RETRY[min(self._tries, len(_RETRY) - 1)])
            self._tries += 1

    def _made(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._ended.clear()
        self._opened()

    def _ended_by_peer(self) -> None:
        self._transport = None
        self._ended.set()
        self._lost()

    def _payload(self, payload: bytes) -> None:
        message = self._decoder.decode(payload)
        self._tries = 0  # not at the connection: one that is cut at once, again and again, would keep the loop busy
        self._receive(message)


class _LinkProtocol(asyncio.Protocol):
    def __init__(self, link: Link) -> None:
        self._link = link
        self._reader = FrameReader()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._link._made(self._transport)

    def data_received(self, data: bytes) -> None:
        try:
            for payload in self._reader.feed(data):
                self._link._payload(payload)
        except (FrameTooLarge, msgspec.DecodeError, msgspec.ValidationError):
            if self._transport is not None:
                self._transport.abort()  # the peer is of another version: start over with it

    def connection_lost(self, exc: Exception | None) -> None:
        self._link._ended_by_peer()
