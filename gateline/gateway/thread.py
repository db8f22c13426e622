"""Work that would hold up other requests, or waits for a disk, on a thread beside the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from gateline.gateway.exchange import Exchange
from gateline.model.errors import CallTimeout, Unavailable

T = TypeVar("T")

_MOST = 1_024  # pieces of work of one worker, waiting or under way


async def in_thread(exchange: Exchange, work: Callable[[], T]) -> T:
    """Runs `work` on the loop's thread pool. Raises what it raises, ClientGone, CallTimeout when the call's time is up
    (a thread cannot be stopped: what becomes of its work is dropped, and counted), Unavailable when too much waits."""
    service = exchange.connection.service
    if service.in_threads >= _MOST:
        raise Unavailable("Too much work waits for threads of this worker: try again shortly.", retry_after=1)
    service.in_threads += 1

    def done(future: asyncio.Future[T]) -> None:
        service.in_threads -= 1
        if not future.cancelled():
            future.exception()  # seen, also when the client has left and nobody asks any more
        exchange.flow.wake()

    future = asyncio.get_running_loop().run_in_executor(None, work)
    future.add_done_callback(done)
    exchange.wake_at = exchange.call_ends_at
    try:
        while not future.done():
            await exchange.flow.park()
            exchange.check()
            if service.clock.now > exchange.call_ends_at and not future.done():
                raise overdue(exchange)
    finally:
        service.thread_results_dropped += not future.done()
    return future.result()


def overdue(exchange: Exchange) -> CallTimeout:
    """The call, all attempts and what was done with their answers, has taken all the time it may."""
    seconds = exchange.router.snapshot.server.request_timeout
    return CallTimeout(f"The call took longer than the {seconds:g} s a call may (server.request_timeout).")
