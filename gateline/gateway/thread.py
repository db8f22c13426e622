"""Work that would hold up other requests, or waits for a disk, on a thread beside the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from gateline.gateway.exchange import Exchange

T = TypeVar("T")


async def in_thread(exchange: Exchange, work: Callable[[], T]) -> T:
    """Runs `work` on the loop's thread pool. Raises what it raises."""
    future = asyncio.get_running_loop().run_in_executor(None, work)
    future.add_done_callback(lambda done: _wake(exchange, done))
    while not future.done():
        await exchange.flow.park()
        exchange.check()
    return future.result()


def _wake(exchange: Exchange, done: asyncio.Future[T]) -> None:
    if not done.cancelled():
        done.exception()  # seen, also when the client has left and nobody asks any more
    exchange.flow.wake()
