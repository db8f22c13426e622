"""Every wait for a client ends: by the tick of a clock that the test turns."""

from __future__ import annotations

from gateline.model.snapshot import Server
from tests.net.desk import Desk
from tests.net.test_server import chunked, get, post
from tests.net.transport import on_loop

LIMITS = Server(head_timeout=10, body_timeout=60, idle_timeout=75, write_timeout=60)


@on_loop
async def test_a_connection_that_says_nothing_is_closed() -> None:
    """Without a byte at `head_timeout`, silently: there is nothing to answer."""
    desk = Desk(LIMITS)
    transport = desk.connect()
    desk.tick(9.9)
    assert transport.events == []
    desk.tick(0.2)
    assert (transport.out, transport.events) == (b"", ["close"])


@on_loop
async def test_a_slow_head_is_408() -> None:
    """A head has `head_timeout` from its first byte, however often another byte comes."""
    desk = Desk(LIMITS)
    transport = desk.connect()
    transport.receive(get("/1"))
    transport.take()
    desk.tick(50)
    for byte in get("/2")[:9]:
        transport.receive(bytes([byte]))
        desk.tick(1)
    assert transport.out == b""
    desk.tick(1.1)
    assert (transport.out, transport.events) == (b"408 TooSlow\n", ["eof"])


@on_loop
async def test_an_idle_connection_is_closed() -> None:
    """Between requests a connection has `idle_timeout`, counted from its last answer."""
    desk = Desk(LIMITS)
    transport = desk.connect()
    for _ in range(3):
        desk.tick(9)
        transport.receive(get("/1"))
    desk.tick(75)
    assert transport.events == []
    desk.tick(0.1)
    assert transport.events == ["close"]


@on_loop
async def test_a_slow_body_is_408() -> None:
    """A body that stops coming fails at `body_timeout`; one that comes has a second more for every 64 KiB."""
    for wire in (post("/a", bytes(10_000_000)), chunked("/a", bytes(10_000_000))):
        desk = Desk(LIMITS)
        transport = desk.connect()
        transport.receive(wire[:100])
        desk.tick(59)
        for _ in range(10):
            transport.receive(bytes(65_536))
        desk.tick(10)
        assert transport.out == b""
        desk.tick(1.5)
        assert (transport.out, transport.events) == (b"408 TooSlow\n", ["eof"])


@on_loop
async def test_a_request_that_runs_is_not_ended_by_the_clients_deadlines() -> None:
    """Head, body and idle deadlines say nothing about how long an answer takes."""
    desk = Desk(LIMITS)
    desk.waits = True
    transport = desk.connect()
    transport.receive(post("/a", b"body"))
    desk.tick(1_000)
    assert transport.events == []
    desk.let_go()
    assert transport.out == b"200 POST /a body\n"


@on_loop
async def test_a_client_that_takes_nothing_is_gone() -> None:
    """Unwritable for `write_timeout` is the end, during a request and after it; taking something starts it anew."""
    desk = Desk(LIMITS)
    desk.waits = True
    transport = desk.connect()
    transport.receive(get("/1"))
    desk.connection.pause_writing()
    desk.tick(50)
    desk.connection.resume_writing()
    desk.connection.pause_writing()
    desk.tick(50)
    assert transport.events == []
    desk.tick(11)
    assert transport.events == ["abort"]
    assert desk.gone == ["/1"]
    transport.end()
    assert (desk.service.open, desk.crashes) == (0, [])
    transport = desk.connect()
    transport.receive(get("/2"))
    desk.let_go()
    desk.connection.pause_writing()
    desk.tick(61)
    assert "abort" in transport.events


@on_loop
async def test_a_last_answer_is_not_cut_off_while_it_is_taken() -> None:
    """After a long request with `Connection: close` a slow client still gets all of it: the end comes when it takes
    nothing for `write_timeout`, not before."""
    desk = Desk(LIMITS)
    desk.waits = True
    transport = desk.connect()
    transport.receive(get("/1", "Connection: close"))
    desk.tick(500)
    transport.unsent = 60_000
    desk.let_go()
    assert transport.events == ["close"]
    for left in (50_000, 30_000, 10_000):
        desk.tick(59)
        transport.unsent = left
        desk.tick(2)
        assert transport.events == ["close"]
    desk.tick(61)
    assert transport.events == ["close", "abort"]


@on_loop
async def test_lingering_ends() -> None:
    """Two seconds after an early answer the connection is ended whether or not its client has stopped sending."""
    desk = Desk(LIMITS)
    desk.reads_body = False
    transport = desk.connect()
    transport.receive(post("/a", bytes(10_000))[:200])
    assert transport.events == ["eof"]
    desk.tick(1.9)
    transport.receive(b"more")
    assert transport.events == ["eof"]
    desk.tick(0.2)
    assert transport.events == ["eof", "abort"]
    transport.end()
    assert not desk.service.busy
