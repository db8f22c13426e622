from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import pytest

from gateline.net.listener import Listener
from gateline.net.tls import server_context
from tests.net.certificates import certificate
from tests.net.transport import on_loop, until


class Greeter(asyncio.Protocol):
    def __init__(self, seen: list[Greeter]) -> None:
        seen.append(self)
        self.no_delay: int = 0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.no_delay = transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        self.transport.write(b"hello")


@dataclass
class Bench:
    """A listening socket that several listeners may share, and what each has taken on."""

    sock: socket.socket
    lead: int = 0
    room: bool = True
    taken: list[Greeter] = field(default_factory=list)

    def listener(self, tls: ssl.SSLContext | None = None) -> Listener:
        return Listener(
            self.sock, lambda: Greeter(self.taken), tls=tls, lead=lambda: self.lead, has_room=lambda: self.room
        )

    async def connect(self, tls: ssl.SSLContext | None = None) -> asyncio.StreamWriter:
        reader, writer = await asyncio.open_connection(*self.sock.getsockname(), ssl=tls)
        assert await reader.readexactly(5) == b"hello"
        return writer


@pytest.fixture
def bench() -> Iterator[Bench]:
    with socket.create_server(("127.0.0.1", 0), backlog=100) as sock:
        yield Bench(sock)


@on_loop
async def test_connections_are_taken_and_answer_at_once(bench: Bench) -> None:
    """Every connection gets a protocol of its own, without Nagle's delay, and is no longer counted as being taken."""
    listener = bench.listener()
    listener.start()
    writers = [await bench.connect() for _ in range(5)]
    assert len(bench.taken) == 5
    assert all(each.no_delay for each in bench.taken)
    await until(lambda: listener.accepting == 0)
    listener.stop()
    for writer in writers:
        writer.close()


@on_loop
async def test_a_worker_that_leads_stands_back(bench: Bench) -> None:
    """While a worker has two connections more than another, or no room, the other takes what comes."""
    ahead, other = bench, Bench(bench.sock.dup())  # one loop watches a descriptor once
    listeners = [ahead.listener(), other.listener()]
    for listener in listeners:
        listener.start()
    ahead.lead = 2
    writers = [await bench.connect() for _ in range(4)]
    assert (len(ahead.taken), len(other.taken)) == (0, 4)
    ahead.lead, other.room = 1, False
    writers += [await bench.connect() for _ in range(4)]
    assert (len(ahead.taken), len(other.taken)) == (4, 4)
    for listener in listeners:
        listener.stop()
    other.sock.close()
    for writer in writers:
        writer.close()


@on_loop
async def test_who_stops_takes_what_waits_and_no_more(bench: Bench) -> None:
    """Even one that stood back takes those who wait when it is stopped, so that the last to go resets nobody; whoever
    comes later is another's, and with the last copy of the socket closed the system refuses."""
    address = bench.sock.getsockname()
    ahead, other = bench, Bench(bench.sock.dup())  # one loop watches a descriptor once
    ahead.lead = 2
    waiting = [socket.create_connection(address) for _ in range(5)]  # connected as far as the system is concerned
    listener = ahead.listener()
    listener.start()
    listener.stop()
    await until(lambda: len(ahead.taken) == 5)
    later = socket.create_connection(address)
    second = other.listener()
    second.start()
    await until(lambda: len(other.taken) == 1)
    second.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    loop = asyncio.get_running_loop()
    for sock in (*waiting, later):
        sock.setblocking(False)  # the greeting may still be the loop's to write
        async with asyncio.timeout(30):
            assert await loop.sock_recv(sock, 100) == b"hello"
        sock.close()


@on_loop
async def test_who_stops_without_room_takes_nobody(bench: Bench) -> None:
    """Memory stays bounded to the end: who has no room leaves the queue to the others."""
    other = Bench(bench.sock.dup())
    bench.room = False
    with socket.create_connection(bench.sock.getsockname()):
        listener = bench.listener()
        listener.start()
        listener.stop()
        second = other.listener()
        second.start()
        await until(lambda: len(other.taken) == 1)
        second.stop()
    assert not bench.taken


@on_loop
async def test_a_failed_handshake_costs_nothing(bench: Bench) -> None:
    """What is no TLS is closed without a protocol that was promised a connection, and the next client is served."""
    listener = bench.listener(server_context(*certificate()))
    listener.start()
    reader, writer = await asyncio.open_connection(*bench.sock.getsockname())
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    while await reader.read(1_000):
        pass  # an alert, perhaps; then the end
    writer.close()
    await until(lambda: listener.accepting == 0)
    assert not [each for each in bench.taken if each.transport]
    good = await bench.connect(ssl.create_default_context(cafile=certificate().file))
    assert len([each for each in bench.taken if each.transport]) == 1
    listener.stop()
    good.close()


@on_loop
async def test_no_descriptor_left_is_waited_out(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """EMFILE at accept is no crash and no busy loop: after a rest the connection is taken."""
    listener = bench.listener()
    tries: list[int] = []
    real = bench.sock

    class Starved:
        def accept(self) -> tuple[socket.socket, object]:
            tries.append(1)
            if len(tries) == 1:
                raise OSError(24, "Too many open files")
            return real.accept()

        def fileno(self) -> int:
            return real.fileno()

        def setblocking(self, flag: bool) -> None:
            real.setblocking(flag)

        def close(self) -> None:
            real.close()

    monkeypatch.setattr(listener, "_sock", Starved())
    listener.start()
    writer = await bench.connect()
    assert len(tries) == 2
    listener.stop()
    writer.close()
