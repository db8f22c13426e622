"""One upstream connection of a pool, on a transport without a socket, and replies as they lie on the wire."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from gateline.model.snapshot import Provider
from gateline.net.clock import Clock
from gateline.net.connect import Connector
from gateline.net.egress import EgressPolicy
from gateline.net.flow import Flow
from gateline.net.pool import OriginPool
from gateline.net.upstream import UpstreamConnection
from tests.net.transport import FakeTransport

PROVIDER = Provider("up", "openai-compatible", "http", "127.0.0.1", 9)
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
EARLY = b"HTTP/1.1 103 Early Hints\r\nContent-Type: text/event-stream\r\nLink: x\r\n\r\n"


def reply(body: bytes, *lines: str, status: str = "200 OK") -> bytes:
    head = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *lines, "", ""]
    return "\r\n".join(head).encode() + body


def chunked(*chunks: bytes, kind: str = "application/json", trailers: str = "") -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    wire = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return head + wire + b"0\r\n" + trailers.encode() + b"\r\n"


def ended(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + body


def make_pool() -> OriginPool:
    clock = Clock()
    clock.now = 1_000.0
    return OriginPool(PROVIDER, Connector(asyncio.get_running_loop(), EgressPolicy()), clock)


@dataclass
class Line:
    """One pooled connection and the request that holds it. `wakes` counts how often the request was told."""

    pool: OriginPool = field(default_factory=make_pool)
    wakes: int = -1

    def __post_init__(self) -> None:
        self.connection = UpstreamConnection(self.pool)
        self.transport = FakeTransport(self.connection)
        self.ask()

    def ask(self) -> None:
        """A request takes the connection."""
        self.pool.busy += 1
        self.connection.leased = True
        self.flow = Flow(lambda error: pytest.fail(repr(error)))
        self.flow.start(self._count())
        self.connection.send(self.flow, [b"POST / HTTP/1.1\r\n\r\n"])

    async def _count(self) -> None:
        while True:
            self.wakes += 1
            await Flow.park()

    def receive(self, *reads: bytes) -> None:
        for read in reads:
            if not self.transport.is_closing():
                self.transport.receive(read)

    def lose(self, error: Exception | None = None) -> None:
        self.transport.end(error)

    @property
    def is_pooled(self) -> bool:
        return self.connection in self.pool.idle and not self.transport.is_closing()

    def outcome(self) -> tuple[int, bytes, bytes, str]:
        connection = self.connection
        failure = type(connection.failure).__name__ if connection.failure else ""
        assert connection.complete == (not failure)
        return connection.status, connection.take(), connection.lines, failure


def failed(line: Line) -> bool:
    return line.connection.failure is not None
