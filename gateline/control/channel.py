"""The JSON lines between the control process and the supervisor that started it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import msgspec

MAX_LINE = 1024 * 1024


class Channel:
    """Ends when the supervisor does: `events` then stops, which is the order to stop."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, end: socket.socket) -> Channel:
        end.setblocking(False)
        return cls(*await asyncio.open_connection(sock=end, limit=MAX_LINE))

    def send(self, event: str, **fields: Any) -> None:
        """Lines are few and short: nothing waits for the supervisor to read them."""
        if not self._writer.is_closing():
            self._writer.write(msgspec.json.encode({"event": event, **fields}) + b"\n")

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        while True:
            try:
                line = await self._reader.readline()
            except (ConnectionError, ValueError):
                return
            if not line:
                return
            yield msgspec.json.decode(line, type=dict[str, Any])

    async def close(self) -> None:
        """Hands over what was sent, then closes."""
        try:
            await self._writer.drain()
            self._writer.close()
            await self._writer.wait_closed()
        except ConnectionError:
            return
