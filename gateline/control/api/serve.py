"""The two applications and the servers that carry them, inside the control process's own loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import uvicorn
from fastapi import FastAPI, Response

from gateline.control.api.keys import keys_router
from gateline.control.api.services import Services, explain_failures
from gateline.control.api.status import status_router
from gateline.control.api.usage import usage_router

_GRACE_SECONDS = 2


def control_app(services: Services) -> FastAPI:
    """The admin API. Who can open its socket may use all of it."""
    app = FastAPI(title="Gateline control", docs_url=None, redoc_url=None)
    explain_failures(app)
    app.include_router(keys_router(services))
    app.include_router(usage_router(services))
    app.include_router(status_router(services))
    return app


def metrics_app(render: Callable[[], bytes], content_type: str) -> FastAPI:
    """What may be seen on a TCP port without a key: numbers, and that this process lives."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(render(), media_type=content_type)

    @app.get("/livez")
    def livez() -> Response:
        return Response(b"ok\n", media_type="text/plain")

    return app


def bind_tcp(host: str, port: int) -> socket.socket:
    """Raises OSError when the address is taken or not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


class AppServer:
    """One application on one bound socket."""

    def __init__(self, app: FastAPI, listener: socket.socket) -> None:
        config = uvicorn.Config(
            app,
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            limit_concurrency=64,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        self._server = _QuietServer(config)
        self._listener = listener
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns when it answers. Raises what kept it from that."""
        loop = asyncio.get_running_loop()
        self._task = loop.create_task(self._server.serve(sockets=[self._listener]))
        listening = loop.create_task(self._server.listening.wait())
        await asyncio.wait({self._task, listening}, return_when=asyncio.FIRST_COMPLETED)
        if not listening.done():
            listening.cancel()
            await self._task

    async def close(self) -> None:
        self._server.end()
        if self._task is not None:
            with suppress(asyncio.CancelledError):
                await self._task


class _QuietServer(uvicorn.Server):
    """Signals belong to the process, not to one of its servers; and none of them wakes up ten times a second to see
    whether it is to end, as uvicorn's own do: nothing else that they do then is of use here."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ending = asyncio.Event()
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    def end(self) -> None:
        self.should_exit = True
        self._ending.set()

    async def main_loop(self) -> None:
        await self._ending.wait()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
