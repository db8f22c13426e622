"""Reads a large reply in small pieces."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

_SHARED = bytearray(65_536)


class SmallReads(asyncio.BufferedProtocol):
    """Takes a transport over from its protocol when a large reply begins, and for good. The loop's own reads are
    256 KiB, and each costs its size twice: what a client takes slowly would be held in pieces of a quarter megabyte."""

    __slots__ = ("_lost", "_received")

    def __init__(self, received: Callable[[bytes], None], lost: Callable[[Exception | None], None]) -> None:
        self._received = received
        self._lost = lost

    def get_buffer(self, sizehint: int) -> bytearray:
        return _SHARED  # emptied before any other connection can read into it

    def buffer_updated(self, nbytes: int) -> None:
        self._received(bytes(memoryview(_SHARED)[:nbytes]))

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost(exc)
