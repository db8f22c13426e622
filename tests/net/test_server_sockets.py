"""A client's connection over real sockets, plain and TLS: large bodies, and answers that come before the body."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest

from gateline.net.server import ClientConnection
from gateline.net.spool import SPOOLED_FROM
from gateline.net.tls import server_context
from tests.net.certificates import certificate
from tests.net.desk import Desk
from tests.net.test_server import get, post
from tests.net.transport import on_loop, until

T = TypeVar("T")

PLAIN_AND_TLS = pytest.mark.parametrize("tls", [None, "TLSv1_2", "TLSv1_3"])
ANSWER = b"200 POST /a  close\n"


@asynccontextmanager
async def listening(desk: Desk, tls: str | None) -> AsyncIterator[int]:
    context = server_context(*certificate()) if tls else None
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: ClientConnection(desk.service), "127.0.0.1", 0, ssl=context)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await until(lambda: not desk.service.open)
    assert not desk.crashes


def connected(port: int, tls: str | None) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), timeout=15)
    if tls is None:
        return sock
    context = ssl.create_default_context(cafile=certificate().file)
    context.minimum_version = context.maximum_version = ssl.TLSVersion[tls]
    # Not suppressed: an end without `close_notify` is an error.
    return context.wrap_socket(sock, server_hostname="127.0.0.1", suppress_ragged_eofs=False)


def read_to_end(sock: socket.socket) -> bytes:
    """All up to an orderly end. Raises OSError at any other."""
    read = b""
    while piece := sock.recv(1_000_000):
        read += piece
    return read


def read_exactly(sock: socket.socket, size: int) -> bytes:
    read = b""
    while len(read) < size:
        read += sock.recv(size - len(read))
    return read


async def apart(work: Callable[[], T]) -> T:
    """Runs a client of blocking sockets beside the loop that serves it."""
    return await asyncio.to_thread(work)


# --- early answers ---


@PLAIN_AND_TLS
@on_loop
async def test_an_early_answer_reaches_who_sends_first_and_reads_then(tls: str | None) -> None:
    """Of 20 clients that send all of 900 KiB before they look, 20 see the answer and an orderly end, no reset."""
    desk = Desk()
    desk.reads_body = False

    def story() -> bytes:
        with connected(port, tls) as sock:
            sock.sendall(post("/a", bytes(900 * 1024)))
            return read_to_end(sock)

    async with listening(desk, tls) as port:
        seen = [await apart(story) for _ in range(20)]
    assert seen == [ANSWER] * 20


@PLAIN_AND_TLS
@on_loop
async def test_an_early_answer_ends_before_the_body_does(tls: str | None) -> None:
    """A client that waits for the end before it sends the rest sees it; sending the rest is no error either."""
    desk = Desk()
    desk.reads_body = False
    wire = post("/a", bytes(300_000))

    def story() -> bytes:
        with connected(port, tls) as sock:
            sock.sendall(wire[:1_000])
            seen = read_to_end(sock)
            sock.sendall(wire[1_000:])
            return seen

    async with listening(desk, tls) as port:
        assert await apart(story) == ANSWER


@PLAIN_AND_TLS
@on_loop
async def test_a_body_that_was_held_back_does_not_hide_the_answer(tls: str | None) -> None:
    """Reading had paused in the middle of the body when the answer came: the client still sees it, and its end."""
    desk = Desk()
    desk.reads_body = False
    desk.waits = True

    def story() -> bytes:
        with connected(port, tls) as sock:
            sock.sendall(post("/a", bytes(900 * 1024)))
            return read_to_end(sock)

    async with listening(desk, tls) as port:
        client = asyncio.create_task(apart(story))
        await until(lambda: desk.waiting)
        connection = desk.waiting[0]
        await until(lambda: connection.incoming is not None and connection.incoming._paused)
        desk.let_go()
        assert await client == ANSWER


@PLAIN_AND_TLS
@on_loop
async def test_a_bad_head_is_answered_and_ended_in_order(tls: str | None) -> None:
    """400 for what is no HTTP, behind it the end, though more had been sent."""
    desk = Desk()

    def story() -> bytes:
        with connected(port, tls) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n" + bytes(100_000))
            return read_to_end(sock)

    async with listening(desk, tls) as port:
        assert await apart(story) == b"400 BadWire\n"


# --- large bodies ---


@PLAIN_AND_TLS
@pytest.mark.parametrize("size", [262_143, 262_144, 700_001, SPOOLED_FROM - 1, SPOOLED_FROM + 1])
@on_loop
async def test_large_bodies_arrive_as_they_were_sent(tls: str | None, size: int) -> None:
    """Bodies that the loop reads straight into their place are those that were sent, one after another on a
    connection, and what is pipelined behind them is served."""
    desk = Desk()
    body = bytes(range(251)) * (size // 251 + 1)
    wire = post("/a", body[:size])

    def story() -> bytes:
        with connected(port, tls) as sock:
            for behind, answer in (
                (b"", b""),
                (get("/b"), b"200 GET /b \n"),
                (get("/b", "Connection: close"), b"200 GET /b  close\n"),
            ):
                sock.sendall(wire + behind)
                want = b"200 POST /a %b\n" % body[:size] + answer
                assert read_exactly(sock, len(want)) == want
            return read_to_end(sock)

    async with listening(desk, tls) as port:
        assert await apart(story) == b""


@PLAIN_AND_TLS
@on_loop
async def test_a_client_that_leaves_in_the_middle_of_a_large_body_is_gone(tls: str | None) -> None:
    """Whether with an end or a reset: the handler is told, and nothing is left open."""
    desk = Desk()
    wire = post("/a", bytes(3_000_000))

    def story(reset: bool) -> None:
        with connected(port, tls) as sock:
            sock.sendall(wire[:2_000_000])
            if reset:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    async with listening(desk, tls) as port:
        for reset in (False, True):
            await apart(lambda reset=reset: story(reset))  # type: ignore[misc]
            await until(lambda: desk.gone)
            assert desk.gone == ["/a"]
            desk.gone.clear()


@on_loop
async def test_announcing_a_body_takes_no_memory() -> None:
    """A fixed body takes the room of what has come of it, not of what was announced."""
    desk = Desk()

    async with listening(desk, None) as port:
        with connected(port, None) as sock:
            sock.sendall(post("/a", bytes(SPOOLED_FROM - 1))[:1_000])
            await until(lambda: desk.service.busy)
            connection = next(iter(desk.service.busy))
            await until(lambda: connection.incoming is not None and connection.incoming.received)
            memory = connection.incoming._memory  # type: ignore[union-attr]
            assert isinstance(memory, bytearray)
            assert len(memory) <= 262_144 + 1_000
