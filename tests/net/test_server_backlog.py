"""What a client does not take waits in this process, where it is seen and bounded, not in the kernel's buffers."""

from __future__ import annotations

import asyncio
import socket

from gateline.net.server import ClientConnection
from tests.net.desk import Desk
from tests.net.transport import on_loop, until


@on_loop
async def test_the_kernel_keeps_little_that_a_client_does_not_take() -> None:
    """It asks for more only when less than 64 KiB is unsent: a client that stalls would hide megabytes in its buffers,
    and what lies there counts as sent."""
    desk = Desk()
    server = await asyncio.get_running_loop().create_server(lambda: ClientConnection(desk.service), "127.0.0.1", 0)
    with socket.create_connection(server.sockets[0].getsockname()):
        await until(lambda: desk.service.connections)
        (connection,) = desk.service.connections
        assert connection._transport is not None
        served = connection._transport.get_extra_info("socket")
        assert served.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == 65_536
        assert connection._transport.get_write_buffer_limits() == (16_384, 65_536)
    await until(lambda: not desk.service.connections)
    server.close()
