"""Large replies over a real socket: in what pieces they come."""

from __future__ import annotations

import asyncio

import pytest

from gateline.model.snapshot import Provider
from gateline.net.clock import Clock
from gateline.net.connect import Connector
from gateline.net.egress import EgressPolicy
from gateline.net.flow import Flow
from gateline.net.pool import OriginPool
from gateline.net.upstream import UpstreamConnection
from tests.net.transport import on_loop, until

SIZE = 4_000_000
PIECE = 65_536


@on_loop
async def test_behind_a_large_reply_every_read_is_small() -> None:
    """The first large reply of a connection makes its reads small, and they stay so: of the next one no piece is over
    64 KiB, its first included. Each reply is whole and the connection goes on."""
    served = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE + bytes(SIZE))
        writer.close()
        served.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    provider = Provider("up", "openai-compatible", "http", "127.0.0.1", server.sockets[0].getsockname()[1])
    pool = OriginPool(provider, Connector(asyncio.get_running_loop(), EgressPolicy()), Clock())
    connection = await pool.open()
    for turn in range(3):
        if turn:
            assert pool.take() is connection
        pieces: list[int] = []
        flow = Flow(lambda error: pytest.fail(repr(error)))
        flow.start(_take(connection, flow, pieces))
        await until(lambda flow=flow: flow.is_done)  # type: ignore[misc]
        assert connection.failure is None
        assert sum(pieces) == SIZE
        if turn:
            assert max(pieces) <= PIECE
    assert connection.transport is not None
    connection.transport.close()
    await served.wait()
    server.close()


async def _take(connection: UpstreamConnection, flow: Flow, pieces: list[int]) -> None:
    connection.send(flow, [b"x"])
    while not (connection.complete or connection.failure):
        await flow.park()
        pieces.extend(map(len, connection.chunks))
        connection.take()
        connection.resume()
    connection.release()
