"""The fake as a program: one process for scripts, one or several for the fast mode. Ends on SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import ssl
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

import uvloop

from gateline.fake.canned import make_canned
from gateline.fake.counters import Counters
from gateline.fake.fast import FastConnection, Stage
from gateline.fake.script import Script
from gateline.fake.server import FakeProvider, origin
from gateline.fake.wheel import Wheel

BACKLOG = 4096
Ready = Callable[[str], None]


def run_fake(
    script: Script, *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None, ready: Ready
) -> None:
    """Serves `script` until a signal; calls `ready` with the base URL once connections are accepted."""

    async def serve() -> None:
        async with FakeProvider(script, host=host, port=port, tls=tls) as fake:
            ready(fake.url)
            await _stopped()

    _run(serve())


def run_fast(
    script: Script,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    workers: int = 1,
    reply_bytes: int | None = None,
    tls: ssl.SSLContext | None = None,
    ready: Ready,
) -> None:
    """Serves canned answers from `workers` processes on one port until a signal. Of the script, `latency`, `tps` and
    `tokens` count. Raises OSError when the port is taken, RuntimeError when a worker died."""
    listeners = _listeners(host, port, workers)
    counters = Counters(workers)
    children: list[int] = []
    url = f"{origin(host, listeners[0].getsockname()[1], tls=tls is not None)}/v1"
    work = _Work(script, counters, reply_bytes, tls)
    for row in range(1, workers):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                work(listeners, row, lambda: None)
                status = 0
            finally:
                os._exit(status)  # never back into the caller's stack, which belongs to the parent
        children.append(child)
    try:
        work(listeners, 0, lambda: ready(url))
    finally:
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)
        statuses = [os.waitpid(child, 0)[1] for child in children]
    if any(statuses):
        raise RuntimeError(f"a worker of the fake provider died: wait statuses {statuses}")


def _listeners(host: str, port: int, count: int) -> list[socket.socket]:
    """One listener a worker, all made before the first fork: the kernel spreads connections over them."""
    made: list[socket.socket] = []
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(count):
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if count > 1:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
        port = listener.getsockname()[1]
        listener.listen(BACKLOG)
        made.append(listener)
    return made


class _Work(NamedTuple):
    """What one process of the fast mode does, given its listener."""

    script: Script
    counters: Counters
    reply_bytes: int | None
    tls: ssl.SSLContext | None

    def __call__(self, listeners: list[socket.socket], row: int, ready: Callable[[], None]) -> None:
        self.counters.sit(row)
        for index, listener in enumerate(listeners):
            if index != row:
                listener.close()
        _run(self._serve(listeners[row], ready))

    async def _serve(self, listener: socket.socket, ready: Callable[[], None]) -> None:
        script = self.script
        wheel = Wheel(1 / script.tps) if script.tps else None
        canned = make_canned(tokens=script.tokens, reply_bytes=self.reply_bytes)
        stage = Stage(canned, self.counters, script.latency, wheel)
        loop = asyncio.get_running_loop()
        await loop.create_server(lambda: FastConnection(stage), sock=listener, ssl=self.tls, backlog=BACKLOG)
        ready()
        await _stopped()


async def _stopped() -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


def _run(main: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)
