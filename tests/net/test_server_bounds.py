"""What one client may cost the others: turns of the loop, memory while it idles, memory of bodies, requests in line."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc

import pytest

from gateline.model.snapshot import Server
from gateline.net import incoming, service
from tests.net.desk import Desk
from tests.net.test_server import chunked, get, post, turn
from tests.net.transport import FakeTransport, on_loop, until

MIB = 1_048_576


# --- chunks ---


@on_loop
async def test_a_read_full_of_chunks_leaves_the_loop_to_others_in_between() -> None:
    """Between two slices of one read another connection is served, and meanwhile nothing more is read."""
    desk = Desk()
    transport = desk.connect()
    wire = chunked("/a", *[b"x" * 64] * 6_000)
    transport.receive(wire[:200])
    transport.receive(wire[200:])
    turns = 0
    while not transport.out:
        assert transport.is_paused
        await asyncio.sleep(0)
        turns += 1
        other = desk.connect()
        other.receive(get("/b"))
        assert other.out == b"200 GET /b \n"
    assert turns == len(wire) // incoming._SLICE
    assert transport.out == b"200 POST /a %b\n" % (b"x" * 64 * 6_000)
    assert not transport.is_paused


@on_loop
async def test_what_lies_behind_a_body_that_was_read_in_slices_is_served() -> None:
    """The next request comes right behind the last chunk, in whichever slice."""
    for chunks in (1_000, 2_000, 3_861, 5_000):
        transport = Desk().connect()
        transport.receive(chunked("/a", *[b"x" * 64] * chunks) + get("/b"))
        await until(lambda transport=transport: transport.out.endswith(b"200 GET /b \n"))  # type: ignore[misc]
        assert not transport.is_paused


@on_loop
async def test_a_flood_of_small_chunks_ends_in_its_first_slice() -> None:
    """A megabyte of one-byte chunks is refused where the bound is passed: no chunk behind it is looked at."""
    desk = Desk()
    transport = desk.connect()
    transport.receive(chunked("/a", *[b"x"] * 40_000))
    assert transport.out == b"400 BadWire\n"
    assert desk.service.bodies == 0


@pytest.mark.parametrize("how", ["end", "tick"])
@on_loop
async def test_a_client_that_leaves_between_slices_is_gone(how: str) -> None:
    """The rest of what it sent is dropped, and nothing of it is served."""
    desk = Desk(Server(body_timeout=60))
    transport = desk.connect()
    transport.receive(chunked("/a", *[b"x" * 64] * 6_000))
    if how == "end":
        transport.end(ConnectionResetError())
        assert desk.gone == ["/a"]
    else:
        desk.tick(70)
        assert transport.out == b"408 TooSlow\n"
    await turn()
    await turn()
    assert (desk.connection.body_complete, desk.crashes, desk.service.bodies) == (False, [], 0)


# --- in line ---


@on_loop
async def test_at_most_32_requests_wait_behind_one() -> None:
    """Of many in one read the first and 32 behind it are answered; the last answer says that it is, and it counts."""
    desk = Desk()
    transport = desk.connect()
    transport.receive(b"".join(get(f"/{number}") for number in range(500)))
    await until(lambda: transport.events)
    answers = transport.out.decode().splitlines()
    assert answers == [f"200 GET /{number} " for number in range(32)] + ["200 GET /32  close"]
    assert (transport.events, desk.service.pipelines_cut) == (["eof"], 1)


@pytest.mark.parametrize("body", [b"", b"body"])
@on_loop
async def test_as_many_as_may_wait_are_served(body: bytes) -> None:
    """33 in one read, again and again: none is cut."""
    desk = Desk()
    transport = desk.connect()
    for number in range(1, 5):
        transport.receive(b"".join(post(f"/{each}", body) for each in range(33)))
        await until(lambda number=number: transport.out.count(b"\n") == 33 * number)  # type: ignore[misc]
    assert b"close" not in transport.out
    assert (transport.events, desk.service.pipelines_cut) == ([], 0)


@on_loop
async def test_a_client_that_is_always_one_ahead_is_served_for_ever() -> None:
    """What counts is how many wait at once, not how many came without a pause."""
    desk = Desk()
    desk.waits = True
    transport = desk.connect()
    transport.receive(get("/"))
    for _ in range(200):
        transport.receive(get("/"))
        desk.let_go()
        await until(lambda: desk.waiting)
    assert transport.out.count(b"\n") == 200
    assert b"close" not in transport.out


# --- idle ---


def large_get(path: str) -> bytes:
    return get(path, *[f"X-{number}: {'a' * 690}" for number in range(88)])


@on_loop
async def test_an_idle_connection_keeps_nothing_of_a_large_head() -> None:
    """A thousand idle connections that sent a head of 60 KiB each cost less than 4 KiB more each than silent ones."""
    desk = Desk()
    head = large_get("/livez")
    assert 60_000 < len(head) < 65_536
    transports = [desk.connect() for _ in range(1_000)]
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for transport in transports:
        transport.receive(head)
        assert transport.take() == b"200 GET /livez \n"
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 1_000 * 4_096


@on_loop
async def test_a_large_head_is_read_again_and_a_small_one_forgotten_when_told() -> None:
    """What is not kept is parsed anew each time, with the same answers; a drain closes such connections as idle."""
    desk = Desk()
    transport = desk.connect()
    for path in ("/1", "/2", "/2"):
        transport.receive(large_get(path))
        assert transport.take() == b"200 GET %b \n" % path.encode()
        assert desk.connection._memo is None
    transport.receive(get("/3"))
    assert desk.connection._memo is not None
    desk.waits = True
    transport.receive(get("/3"))
    desk.connection.forget_head()
    desk.let_go()
    assert desk.connection._memo is None
    assert desk.connection.request.path == b""
    desk.service.drain()
    assert transport.events == ["close"]


# --- bodies ---


def send(transport: FakeTransport, data: bytes) -> None:
    for at in range(0, len(data), 65_536):
        if not transport.is_closing():
            transport.receive(data[at : at + 65_536])


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> int:
    """All bodies of a worker together have 4 MiB here."""
    monkeypatch.setattr(service, "_BODIES", 4 * MIB)
    return 4 * MIB


LIMITS = Server(body_bytes=2 * MIB)


@pytest.mark.parametrize("is_chunked", [False, True])
@on_loop
async def test_bodies_of_all_connections_have_a_room_together(room: int, is_chunked: bool) -> None:
    """Beyond it a body is 503; what a client only announced takes none of it; and answered, a body gives its back."""
    desk = Desk(LIMITS)
    wire = chunked("/a", *[bytes(60_000)] * 20) if is_chunked else post("/a", bytes(1_200_000))
    for _ in range(100):
        send(desk.connect(), wire[: wire.index(b"\r\n\r\n") + 4])
    held = []
    while desk.service.bodies < room // 2:
        transport = desk.connect()
        send(transport, wire[:-1])
        held.append(transport)
    assert not [transport for transport in held if transport.out]
    in_memory = desk.service.bodies
    assert 0 <= 1_200_000 * len(held) - in_memory <= len(held)  # but for the byte that each has not sent
    last = desk.connect()
    send(last, wire)
    assert last.out == b"503 Unavailable\n"
    assert desk.service.bodies == in_memory
    for transport in held:
        transport.receive(wire[-1:])
        assert transport.out.startswith(b"200 POST /a \0")
    assert desk.service.bodies == 0
    last = desk.connect()
    send(last, wire)
    assert last.out.startswith(b"200 POST")


@on_loop
async def test_an_announced_body_without_room_is_refused_before_it_is_read(room: int) -> None:
    """At its head: not one byte of it is kept."""
    desk = Desk(LIMITS)
    desk.service.bodies = room - MIB
    transport = desk.connect()
    transport.receive(post("/a", bytes(2 * MIB))[:200])
    assert (transport.out, desk.service.bodies) == (b"503 Unavailable\n", room - MIB)
    assert transport.events == ["eof"]


@on_loop
async def test_large_bodies_leave_room_for_small_ones(room: int) -> None:
    """Over 1 MiB a body may not take the last quarter; smaller ones may, to the end."""
    desk = Desk(LIMITS)
    desk.service.bodies = room * 3 // 4
    transport = desk.connect()
    send(transport, post("/a", bytes(MIB + 1)))
    assert transport.out == b"503 Unavailable\n"
    transport = desk.connect()
    send(transport, post("/a", bytes(MIB)))
    assert transport.out.startswith(b"200")
    desk.service.bodies = room
    for size, status in ((1_000, b"200"), (20_000, b"503")):  # what comes with its head and is small is not counted
        transport = desk.connect()
        transport.receive(post("/a", bytes(size)))
        assert transport.out.startswith(status)


@pytest.mark.parametrize("ending", ["leaves", "refused", "answered early"])
@on_loop
async def test_room_comes_back_however_a_request_ends(ending: str) -> None:
    """Its client gone, its body malformed, or answered before its body was whole."""
    desk = Desk()
    desk.waits = True
    desk.reads_body = ending != "answered early"
    transport = desk.connect()
    wire = chunked("/a", bytes(50_000), bytes(50_000))
    transport.receive(wire[:60_000])
    assert desk.service.bodies >= 50_000
    if ending == "leaves":
        transport.end_by_peer()
    elif ending == "refused":
        transport.receive(b"x" * 60_000)
        desk.let_go()
    else:
        desk.let_go()
    assert desk.service.bodies == 0
    assert not desk.crashes


def test_two_of_the_largest_bodies_always_have_room() -> None:
    """A configuration that allows very large bodies gets the room for them."""
    desk = Desk(Server(body_bytes=1 << 30))
    desk.service.check_room(1 << 30, 1 << 30)
    desk.service.bodies = 1 << 29
    desk.service.check_room(1 << 30, 1 << 30)
