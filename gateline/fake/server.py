"""The fake provider as a server: inside a test's own loop, or as a program."""

from __future__ import annotations

import asyncio
import ssl
from types import TracebackType
from typing import Self

from gateline.fake.connection import Connection
from gateline.fake.events import Event, EventLog
from gateline.fake.invoice import Invoice
from gateline.fake.provider import Provider
from gateline.fake.script import Script


def server_tls(certificate: str, key: str) -> ssl.SSLContext:
    """Raises OSError or ssl.SSLError when the files are missing or do not belong together."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["http/1.1"])
    return context


def origin(host: str, port: int, *, tls: bool) -> str:
    """Scheme, host and port of a URL."""
    return f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


class FakeProvider:
    """`async with FakeProvider() as fake`: serves on `fake.url` (".../v1") until the block ends."""

    def __init__(
        self,
        script: Script | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.provider = Provider(script or Script())
        self._host = host
        self._port = port
        self._tls = tls
        self._connections: set[Connection] = set()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self.provider, self._connections),
            self._host,
            self._port,
            ssl=self._tls,
            backlog=4096,
        )
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        tasks = [task for connection in list(self._connections) if (task := connection.abort()) is not None]
        await asyncio.gather(*tasks)
        await self._server.wait_closed()

    @property
    def origin(self) -> str:
        """Scheme, host and port: the fake's own endpoints are below it."""
        return origin(self._host, self._port, tls=self._tls is not None)

    @property
    def url(self) -> str:
        """The base URL that an OpenAI client takes."""
        return f"{self.origin}/v1"

    @property
    def port(self) -> int:
        return self._port

    @property
    def open_connections(self) -> int:
        return len(self._connections)

    @property
    def invoice(self) -> Invoice:
        return self.provider.invoice

    @property
    def log(self) -> EventLog:
        return self.provider.log

    def follow(self, script: Script) -> None:
        """The next request is answered by `script`."""
        self.provider.follow(script)

    async def seen(self, event: str, request_id: str | None = None, *, after: int = 0, within: float = 10.0) -> Event:
        """The first such event with a number above `after`, waiting for it if need be. Raises TimeoutError, with the
        events that did come, when `within` seconds have passed."""
        place = after
        try:
            async with asyncio.timeout(within):
                while True:
                    for entry in await self.log.wait(place, within):
                        place = entry.seq
                        if entry.event == event and request_id in {None, entry.id}:
                            return entry
        except TimeoutError:
            seen = ", ".join(f"{entry.event} {entry.id}" for entry in self.log.since(after)[-20:])
            raise TimeoutError(f"no '{event}' of {request_id} within {within} s; seen: {seen or 'nothing'}") from None
