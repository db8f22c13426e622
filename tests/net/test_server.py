"""A client's connection, from bytes to requests and back, on a transport without a socket."""

from __future__ import annotations

import asyncio

import pytest

from gateline.model.snapshot import Server
from gateline.net.server import BUSY, HEAD, LINGER
from gateline.net.spool import SPOOLED_FROM, Spool
from tests.net.desk import Desk
from tests.net.transport import on_loop, until


def post(path: str, body: bytes, *lines: str) -> bytes:
    head = "\r\n".join([f"POST {path} HTTP/1.1", "Host: a", f"Content-Length: {len(body)}", *lines, "", ""])
    return head.encode() + body


def get(path: str, *lines: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: a", *lines, "", ""]).encode()


def chunked(path: str, *chunks: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    return head + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


async def turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


@on_loop
async def test_requests_are_answered_one_after_another_however_they_are_cut() -> None:
    """Fixed, chunked and bodiless requests in one stream get the same answers at every cut."""
    wire = post("/a", b"one") + chunked("/b", b"tw", b"o") + get("/c") + post("/d", b"") + post("/a", b"four!")
    want = b"200 POST /a one\n200 POST /b two\n200 GET /c \n200 POST /d \n200 POST /a four!\n"
    for cut in range(len(wire)):
        transport = Desk().connect()
        transport.receive(wire[:cut])
        transport.receive(wire[cut:])
        await turn()
        await turn()
        assert transport.out == want, cut
    transport = Desk().connect()
    for byte in wire:
        transport.receive(bytes([byte]))
    await turn()
    await turn()
    assert transport.out == want


@on_loop
async def test_a_head_that_repeats_is_served_with_its_own_body() -> None:
    """A connection that sends the same head again, but for its length, gets each body answered as its own."""
    desk = Desk()
    transport = desk.connect()
    for body in (b"one", b"three", b"", b"12345678901"):
        transport.receive(post("/a", body))
        assert transport.take() == b"200 POST /a %b\n" % body


@on_loop
async def test_a_request_in_progress_keeps_the_next_ones_waiting() -> None:
    """Pipelined requests wait unparsed; bytes that come between an answer and the next look are read after them."""
    desk = Desk()
    desk.waits = True
    transport = desk.connect()
    transport.receive(get("/1") + get("/2")[:20])
    assert (desk.connection.stage, len(desk.waiting)) == (BUSY, 1)
    desk.let_go()  # schedules the look at what is pending ...
    assert desk.connection.stage == HEAD
    transport.receive(get("/2")[20:] + get("/3"))  # ... and this comes first
    for number in (2, 3):
        await until(lambda: desk.waiting)
        desk.let_go()
        await turn()
        assert transport.out.count(b"\n") == number
    assert transport.out == b"200 GET /1 \n200 GET /2 \n200 GET /3 \n"


@on_loop
async def test_requests_behind_a_closed_one_are_not_served() -> None:
    """After `Connection: close`, or HTTP/1.0, what is pipelined behind is dropped: the answer, then the end."""
    for first in (get("/1", "Connection: close"), b"GET /1 HTTP/1.0\r\n\r\n"):
        desk = Desk()
        transport = desk.connect()
        transport.receive(first + get("/2"))
        await turn()
        assert transport.out == b"200 GET /1  close\n"
        assert transport.events == ["eof"]  # with more on its way, an immediate close would reset the answer away
        transport.receive(get("/3"))
        transport.end_by_peer()
        assert desk.service.open == 0
        assert transport.out == b"200 GET /1  close\n"


@on_loop
async def test_an_orderly_last_answer_closes_at_once() -> None:
    """With nothing left to come, the connection closes behind its last answer."""
    transport = Desk().connect()
    transport.receive(get("/1", "Connection: close"))
    assert (transport.out, transport.events) == (b"200 GET /1  close\n", ["close"])


@on_loop
async def test_too_many_pipelined_bytes_cost_only_themselves() -> None:
    """Beyond 64 KiB of pipelined bytes the request that runs is answered, its client sees that, and nothing else is."""
    desk = Desk()
    desk.waits = True
    transport = desk.connect()
    transport.receive(get("/1") + get("/2"))
    for _ in range(20):
        transport.receive(b"x" * 10_000)
    assert len(desk.connection._pending) <= 65_536
    desk.let_go()
    await turn()
    assert transport.out == b"200 GET /1  close\n"
    assert transport.events == ["eof"]
    assert not desk.waiting


@pytest.mark.parametrize(
    "wire",
    [
        b"GET / HTTP/1.1\r\n\r\n", b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", b"\x16\x03\x01\x02\x00\x01\n",
        b"GET / HTTP/1.1\nHost: a\n\n", b"\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)  # fmt: skip
@on_loop
async def test_what_is_no_http_is_refused_and_ended(wire: bytes) -> None:
    """A malformed head gets 400, the connection half-closes and reads on only to drop."""
    desk = Desk()
    transport = desk.connect()
    transport.receive(wire)
    assert transport.out == b"400 BadWire\n"
    assert (transport.events, desk.connection.stage) == (["eof"], LINGER)
    transport.receive(get("/2"))
    assert transport.out == b"400 BadWire\n"


@on_loop
async def test_a_flood_of_headers_is_refused() -> None:
    """Too many header bytes, or too many fields, are 431; bytes are counted before any end of them has come."""
    desk = Desk(Server(head_bytes=2_000, head_count=10))
    transport = desk.connect()
    transport.receive(get("/", *["A: b"] * 9))
    assert transport.take().startswith(b"200")
    transport.receive(get("/", *["A: b"] * 10))
    assert transport.take() == b"431 HeadTooLarge\n"
    transport = desk.connect()
    transport.receive(b"GET / HTTP/1.1\r\nX: ")
    for _ in range(20):
        if not transport.out:
            transport.receive(b"y" * 200)
    assert transport.take() == b"431 HeadTooLarge\n"


@on_loop
async def test_trailers_never_count_as_headers() -> None:
    """A trailer changes nothing of its request, nor of the next."""
    desk = Desk()
    transport = desk.connect()
    transport.receive(chunked("/1", b"x")[:-2] + b"Authorization: Bearer k\r\nContent-Length: 99\r\n\r\n" + get("/2"))
    await turn()
    assert transport.out == b"200 POST /1 x\n200 GET /2 \n"
    assert desk.connection.request.credential is None


@on_loop
async def test_h2c_is_served_as_http_1_1_with_its_body() -> None:
    """`Upgrade: h2c` is ignored; the request keeps its body and its connection."""
    transport = Desk().connect()
    transport.receive(post("/a", b"body", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AA"))
    assert transport.out == b"200 POST /a body\n"


@on_loop
async def test_continue_is_said_only_when_the_body_is_wanted() -> None:
    """`Expect: 100-continue` is met once, before the body; a body that came along needs none."""
    desk = Desk()
    transport = desk.connect()
    wire = post("/a", b"body", "Expect: 100-continue")
    transport.receive(wire[:-4])
    assert transport.take() == b"HTTP/1.1 100 Continue\r\n\r\n"
    transport.receive(b"body")
    assert transport.take() == b"200 POST /a body\n"
    transport.receive(wire)
    assert transport.take() == b"200 POST /a body\n"
    desk.reads_body = False
    transport.receive(wire[:-4])
    assert transport.take() == b"200 POST /a  close\n"  # answered early: without its body the connection cannot go on


@on_loop
async def test_bodies_over_the_limit_are_refused() -> None:
    """413 at the announcement of a fixed body, at the size of the chunk that passes it for a chunked one."""
    for wire in (post("/a", b"12345678901")[:-11], chunked("/a", b"12345", b"678901")):
        desk = Desk(Server(body_bytes=10))
        transport = desk.connect()
        transport.receive(wire)
        assert transport.out == b"413 TooLarge\n"
        assert transport.events == ["eof"]
    desk = Desk(Server(body_bytes=10))
    transport = desk.connect()
    transport.receive(chunked("/a", b"1234567890") + post("/b", b"1234567890"))
    await turn()
    assert transport.out == b"200 POST /a 1234567890\n200 POST /b 1234567890\n"


@on_loop
async def test_a_large_body_is_spooled() -> None:
    """A body of 2 MiB is gathered outside the heap, and is the same body."""
    desk = Desk()
    desk.waits = True
    transport = desk.connect()
    body = bytes(range(256)) * (SPOOLED_FROM // 256)
    transport.receive(post("/a", body)[:100])
    rest = post("/a", body)[100:]
    for at in range(0, len(rest), 262_144):
        transport.receive(rest[at : at + 262_144])
    assert isinstance(desk.connection.body, Spool)
    assert bytes(desk.connection.body.view()) == body


@on_loop
async def test_a_body_nobody_asked_for_yet_is_not_read_without_bound() -> None:
    """Reading pauses at 256 KiB of a body that its handler does not want, and goes on when it does."""
    desk = Desk()
    desk.reads_body = False
    desk.waits = True
    transport = desk.connect()
    transport.receive(post("/a", bytes(1_000_000))[:100])
    while not transport.is_paused:
        transport.receive(bytes(65_536))
    assert len(desk.connection.body) <= 262_144 + 65_536
    desk.connection.want_body()
    assert not transport.is_paused


# --- endings ---


@on_loop
async def test_a_client_that_leaves_is_seen_at_once() -> None:
    """FIN or RST before the head, during the body and during the request: counted out, and its flow is told."""
    for sent, gone in ((b"", []), (b"GET /", []), (post("/b", b"body")[:-1], ["/b"]), (get("/r"), ["/r"])):
        for orderly in (True, False):
            desk = Desk()
            desk.waits = True
            transport = desk.connect()
            if sent:
                transport.receive(sent)
            if orderly:
                transport.end_by_peer()
            else:
                transport.end(ConnectionResetError())
            assert desk.gone == gone
            assert (desk.service.open, desk.counts[-1]) == (0, 0)
            assert not desk.service.connections
            assert not desk.service.busy
            assert not desk.crashes


@on_loop
async def test_an_early_answer_lingers() -> None:
    """Answered before its body was read: half-close, then up to 1 MiB is dropped, one byte more resets."""
    desk = Desk()
    desk.reads_body = False
    transport = desk.connect()
    transport.receive(post("/a", bytes(3_000_000))[:200])
    assert transport.take() == b"200 POST /a  close\n"
    assert transport.events == ["eof"]
    for _ in range(16):
        transport.receive(bytes(65_536))
    assert transport.events == ["eof"]
    transport.receive(b"x")
    assert transport.events == ["eof", "abort"]


@on_loop
async def test_draining_closes_what_is_idle_and_lets_the_rest_finish() -> None:
    """Kept connections close now; one with a request, or half a head, is answered first, with `close`; one that has
    just come has a second for what it came for."""
    desk = Desk()
    kept, fresh = desk.connect(), desk.connect()
    kept.receive(get("/k"))
    desk.waits = True
    running, half = desk.connect(), desk.connect()
    running.receive(get("/r"))
    half.receive(get("/h")[:10])
    desk.service.drain()
    assert (kept.events, fresh.events, running.events, half.events) == (["close"], [], [], [])
    half.receive(get("/h")[10:])
    desk.let_go()
    desk.let_go()
    assert (running.out, running.events) == (b"200 GET /r  close\n", ["close"])
    assert (half.out, half.events) == (b"200 GET /h  close\n", ["close"])
    desk.tick(0.9)
    assert fresh.events == []
    desk.tick(0.2)
    assert fresh.events == ["close"]


@on_loop
async def test_a_body_behind_a_request_loses_nothing_of_itself() -> None:
    """Its beginning came while another request ran, the rest before the connection turned to it: all of it arrives."""
    desk = Desk()
    desk.waits = True
    client = desk.connect()
    body = bytes(range(256)) * 1_200  # far more than is kept of later requests
    second = post("/b", body)
    client.receive(post("/a", b"x") + second[:1_000])
    desk.waits = False
    desk.let_go()
    assert client.out == b"200 POST /a x\n"
    client.receive(second[1_000:200_000])
    await turn()
    client.receive(second[200_000:])
    await turn()
    assert client.out == b"200 POST /a x\n200 POST /b " + body + b"\n"
