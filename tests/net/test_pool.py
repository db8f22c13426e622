from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateline.model.errors import Unavailable, UpstreamTimeout, UpstreamUnreachable
from gateline.model.snapshot import Provider
from gateline.net import pool as pool_module
from gateline.net.clock import Clock
from gateline.net.connect import Connector
from gateline.net.egress import EgressPolicy
from gateline.net.flow import Flow
from gateline.net.pool import Dial, OriginPool
from gateline.net.tls import server_context
from gateline.net.upstream import UpstreamConnection
from tests.net.certificates import certificate
from tests.net.transport import FakeTransport, on_loop, until

PROVIDER = Provider("up", "openai-compatible", "https", "up.example", 443)
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class FakeConnector:
    """Connects when told to, or fails as told."""

    def __init__(self) -> None:
        self.asked: list[asyncio.Future[Exception | None]] = []
        self.made: list[UpstreamConnection] = []
        self.remembered = 0

    async def connect(self, provider: Provider, make: Callable[[], UpstreamConnection]) -> UpstreamConnection:
        answer: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self.asked.append(answer)
        error = await answer
        if error is not None:
            raise error
        connection = make()
        self.made.append(connection)
        FakeTransport(connection)
        return connection

    def remember_session(self, provider: Provider, transport: Any) -> None:
        self.remembered += 1


class Bench:
    def __init__(self) -> None:
        self.clock = Clock()
        self.clock.now = 1_000.0
        self.connector = FakeConnector()
        self.pool = OriginPool(PROVIDER, self.connector, self.clock)  # type: ignore[arg-type]
        self.woken = 0

    def flow(self) -> Flow:
        async def wait() -> None:
            while True:
                await Flow.park()
                self.woken += 1

        flow = Flow(lambda error: pytest.fail(repr(error)))
        flow.start(wait())
        return flow

    async def dial(self, error: Exception | None = None) -> Dial:
        dial = self.pool.dial(self.flow())
        await turn()
        self.connector.asked.pop(0).set_result(error)
        await turn()
        return dial

    async def served(self) -> UpstreamConnection:
        """A fresh connection that has carried a reply and waits for its next request."""
        connection = (await self.dial()).connection
        assert connection is not None
        self.use(connection)
        return connection

    def use(self, connection: UpstreamConnection) -> None:
        connection.send(self.flow(), [b"x"])
        assert connection.transport is not None
        transport = connection.transport
        assert isinstance(transport, FakeTransport)
        transport.receive(WHOLE)
        connection.release()


async def turn() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


@on_loop
async def test_a_dial_wakes_who_waits_for_it() -> None:
    """A connection that is open counts as busy and wakes its request; one that cannot be opened says why."""
    bench = Bench()
    dial = await bench.dial()
    assert dial.connection is bench.connector.made[0]
    assert (bench.woken, bench.pool.busy, bench.pool.connecting) == (1, 1, 0)
    failed = await bench.dial(UpstreamTimeout("too slow"))
    assert isinstance(failed.failure, UpstreamTimeout)
    odd = await bench.dial(ZeroDivisionError())
    assert isinstance(odd.failure, UpstreamUnreachable)
    assert (bench.woken, bench.pool.busy, bench.pool.connecting) == (3, 1, 0)


@on_loop
async def test_who_gives_up_leaves_nothing_behind() -> None:
    """A dial that is cancelled before, while or after its connection opens keeps no connection and no count."""
    bench = Bench()
    for turns in (0, 4):
        dial = bench.pool.dial(bench.flow())
        for _ in range(turns):
            await asyncio.sleep(0)
        dial.cancel()
        await turn()
    bench.connector.asked.clear()
    dial = await bench.dial()
    dial.cancel()
    await turn()
    connection = bench.connector.made[0]
    assert isinstance(connection.transport, FakeTransport)
    assert connection.transport.events == ["abort"]
    assert (bench.pool.busy, bench.pool.connecting, len(bench.pool.idle)) == (0, 0, 0)


@on_loop
async def test_the_connection_used_last_is_used_next() -> None:
    """Last in, first out; what closed meanwhile is passed over; taking from none gives none."""
    bench = Bench()
    first, second, third = [(await bench.dial()).connection for _ in range(3)]
    assert first is not None
    assert second is not None
    assert third is not None
    for connection in (first, second, third):
        bench.use(connection)
    assert bench.pool.take() is third
    bench.use(third)
    assert isinstance(third.transport, FakeTransport)
    third.transport.close()
    assert isinstance(second.transport, FakeTransport)
    second.transport.end()
    assert bench.pool.take() is first
    assert bench.pool.take() is None
    assert bench.pool.busy == 1
    assert bench.connector.remembered == 3


@on_loop
async def test_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the connections an origin may have, a call is refused with Retry-After; beyond the idle ones, closed."""
    monkeypatch.setattr(pool_module, "_OPEN", 2)
    monkeypatch.setattr(pool_module, "_IDLE", 1)
    bench = Bench()
    one, two = (await bench.dial()).connection, (await bench.dial()).connection
    assert one is not None
    assert two is not None
    with pytest.raises(Unavailable) as caught:
        bench.pool.dial(bench.flow())
    assert caught.value.retry_after
    bench.use(one)
    bench.use(two)
    assert list(bench.pool.idle) == [one]
    assert isinstance(two.transport, FakeTransport)
    assert two.transport.events == ["close"]
    assert bench.pool.busy == 0


@on_loop
async def test_idle_connections_end_in_time() -> None:
    """What was idle for 55 s is closed, the oldest first; a pool that has left the configuration keeps none."""
    bench = Bench()
    old = await bench.served()
    bench.clock.now += 30
    young, busy = await bench.served(), (await bench.dial()).connection
    bench.pool.sweep(bench.clock.now + 26)
    assert isinstance(old.transport, FakeTransport)
    assert old.transport.events == ["close"]
    assert list(bench.pool.idle) == [young]
    bench.pool.close()
    assert isinstance(young.transport, FakeTransport)
    assert young.transport.events == ["close"]
    assert busy is not None
    bench.use(busy)  # its request ends as it should, and the connection with it
    assert isinstance(busy.transport, FakeTransport)
    assert busy.transport.events == ["close"]
    assert (len(bench.pool.idle), bench.pool.busy) == (0, 0)


# --- TLS sessions ---


@asynccontextmanager
async def tls_upstream(reply: bytes) -> AsyncIterator[tuple[int, list[bool]]]:
    """A TLS server that ends its connection behind every answer; its port, and which handshakes were resumed."""
    resumed: list[bool] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        resumed.append(writer.get_extra_info("ssl_object").session_reused)
        await reader.readexactly(1)
        writer.write(reply)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_context(*certificate()))
    yield server.sockets[0].getsockname()[1], resumed
    server.close()


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n\r\n{}",
        b"HTTP/1.1 503 Busy\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    ],
    ids=["length", "unframed", "chunked"],
)
@on_loop
async def test_sessions_are_resumed_with_an_upstream_that_closes_after_each_answer(reply: bytes) -> None:
    """Though no connection ever comes back to the pool, every handshake but the first is a resumed one."""
    async with tls_upstream(reply) as (port, resumed):
        provider = Provider("up", "openai-compatible", "https", "127.0.0.1", port, ca_file=certificate().file)
        clock = Clock()
        pool = OriginPool(provider, Connector(asyncio.get_running_loop(), EgressPolicy()), clock)
        for _ in range(5):
            connection = await pool.open()
            flow = Flow(lambda error: pytest.fail(repr(error)))
            flow.start(_request(connection, flow))
            await until(lambda flow=flow: flow.is_done)  # type: ignore[misc]
            assert (connection.complete, connection.failure, pool.busy, len(pool.idle)) == (True, None, 0, 0)
    assert resumed == [False, True, True, True, True]


async def _request(connection: UpstreamConnection, flow: Flow) -> None:
    connection.send(flow, [b"x"])
    while not connection.complete and connection.failure is None:
        await flow.park()
    connection.release()
