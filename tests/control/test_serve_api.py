"""The control process' servers: started means that they answer."""

from __future__ import annotations

import asyncio
import socket

import pytest

from gateline.control.api.serve import AppServer, bind_tcp, metrics_app

DEADLINE = 20.0


def test_a_server_that_has_started_answers() -> None:
    """Who is told of the port right after can connect: nothing has to be tried again."""

    async def story() -> bytes:
        listener = bind_tcp("127.0.0.1", 0)
        server = AppServer(metrics_app(lambda: b"numbers\n", "text/plain"), listener)
        async with asyncio.timeout(DEADLINE):
            await server.start()
        with socket.create_connection(listener.getsockname(), timeout=DEADLINE) as client:  # at once: no turn between
            client.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(client, b"GET /metrics HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
            answer = b""
            async with asyncio.timeout(DEADLINE):
                while piece := await loop.sock_recv(client, 65_536):
                    answer += piece
        await server.close()
        return answer

    answer = asyncio.run(story())
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"numbers\n")


def test_a_server_that_cannot_start_raises() -> None:
    """Nobody is told of a port that does not answer."""

    async def story() -> None:
        listener = bind_tcp("127.0.0.1", 0)
        server = AppServer(metrics_app(lambda: b"", "text/plain"), listener)
        listener.close()
        async with asyncio.timeout(DEADLINE):
            await server.start()

    with pytest.raises((OSError, ValueError)):
        asyncio.run(story())
