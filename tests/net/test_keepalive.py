from __future__ import annotations

import asyncio
import socket
import sys

import pytest
import uvloop

from gateline.net.keepalive import keep_alive


@pytest.mark.skipif(sys.platform != "linux", reason="other systems name their options otherwise, or lack them")
def test_the_kernel_looks_after_a_connection() -> None:
    """What was set can be read back from the socket itself: probes from 30 s of silence on, 60 s for what was sent."""

    async def connect() -> list[int]:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        transport, _ = await loop.create_connection(asyncio.Protocol, "127.0.0.1", port)
        keep_alive(transport)
        sock = socket.socket(fileno=socket.dup(transport.get_extra_info("socket").fileno()))
        names = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
        with sock:
            values = [sock.getsockopt(socket.IPPROTO_TCP, name) for name in names]
            values.insert(0, sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
        transport.close()
        server.close()
        return values

    assert uvloop.run(connect()) == [1, 30, 10, 4, 60_000]


def test_what_is_no_network_connection_is_left_alone() -> None:
    """Engines are on the same machine."""

    async def connect() -> None:
        near, far = socket.socketpair()
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=near)
        keep_alive(transport)
        assert not near.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        transport.close()
        far.close()

    asyncio.run(connect())
