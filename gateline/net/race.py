"""Connects to whichever of several addresses answers first: "Happy Eyeballs", RFC 8305. Knows sockets, no protocol.

uvloop's own `create_connection` tries one address after the other, each until the system gives up: a dead one in front
would cost the whole connect timeout.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Sequence

ATTEMPT_DELAY = 0.25  # seconds an attempt has for itself before the next joins it (RFC 8305 section 5)


def interleave(addresses: Sequence[str]) -> list[str]:
    """The same addresses, IPv6 and IPv4 in turns, the family of the first in front (RFC 8305 section 4)."""
    first, second = deque[str](), deque[str]()
    for address in addresses:
        (first if (":" in address) == (":" in addresses[0]) else second).append(address)
    mixed: list[str] = []
    while first or second:
        if first:
            mixed.append(first.popleft())
        if second:
            mixed.append(second.popleft())
    return mixed


async def connect_first(
    loop: asyncio.AbstractEventLoop, addresses: Sequence[str], port: int, *, delay: float = ATTEMPT_DELAY
) -> tuple[str, socket.socket]:
    """The first address that answers and the socket connected to it; the other attempts end. An attempt that fails
    makes the next begin at once. Raises the last attempt's OSError when all have failed; has no deadline of its own."""
    waiting = deque(addresses)
    running: set[asyncio.Task[tuple[str, socket.socket]]] = set()
    failure = OSError("no address")
    try:
        while waiting or running:
            if waiting:
                running.add(loop.create_task(_attempt(loop, waiting.popleft(), port)))
            done, _ = await asyncio.wait(
                running, timeout=delay if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                error = task.exception()
                if error is None:
                    running.discard(task)
                    return task.result()
                if not isinstance(error, OSError):
                    raise error
                running.discard(task)
                failure = error
    finally:
        for task in running:
            task.add_done_callback(_drop)
            task.cancel()
    raise failure


async def _attempt(loop: asyncio.AbstractEventLoop, address: str, port: int) -> tuple[str, socket.socket]:
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        await loop.sock_connect(sock, (address, port))
    except BaseException:
        sock.close()
        raise
    return address, sock


def _drop(task: asyncio.Task[tuple[str, socket.socket]]) -> None:
    """An attempt that nobody waits for may have connected before it was told to end."""
    if not task.cancelled() and task.exception() is None:
        task.result()[1].close()
