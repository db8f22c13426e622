"""An upstream's connection, on a transport without a socket: one reply a lease, checked for wholeness."""

from __future__ import annotations

import functools
import gzip

import pytest

from gateline.model.errors import UpstreamBroken, UpstreamError, UpstreamUnreachable
from gateline.net.lease import COLLECT, HIGH_WATER
from tests.net.line import CONTINUE, EARLY, Line, chunked, ended, failed, reply
from tests.net.transport import on_loop, until

TYPE = b"content-type: application/json\r\n"
WHOLE = [
    (reply(b'{"a":1}'), 200, b'{"a":1}'),
    (reply(b""), 200, b""),
    (reply(b"{}", status="429 Slow"), 429, b"{}"),
    (chunked(b'{"a"', b":1}"), 200, b'{"a":1}'),
    (chunked(b"{}", trailers="Content-Type: text/html\r\nx: y\r\n"), 200, b"{}"),
    (CONTINUE + reply(b"{}"), 200, b"{}"),
    (EARLY + CONTINUE + reply(b"{}"), 200, b"{}"),
    (b"HTTP/1.1 200\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}", 200, b"{}"),
    (b"HTTP/1.1 204 No Content\r\nContent-Type: application/json\r\n\r\n", 204, b""),
    (reply(gzip.compress(b'{"a":1}'), "Content-Encoding: gzip"), 200, b'{"a":1}'),
    (reply(b"{}", "Content-Encoding: identity", "X-A: b", "Set-Cookie: a=b"), 200, b"{}"),
]


@pytest.mark.parametrize(("wire", "status", "body"), WHOLE)
@on_loop
async def test_a_whole_reply_is_the_same_however_it_is_cut(wire: bytes, status: int, body: bytes) -> None:
    """Fixed, chunked, coded, bodiless, with informational replies ahead and trailers behind: one reply, one wake, and
    the connection goes back to its pool."""
    cuts = [[wire], [wire[at : at + 1] for at in range(len(wire))]]
    cuts += [[wire[:cut], wire[cut:]] for cut in range(1, len(wire))]
    for reads in cuts:
        line = Line()
        line.receive(*reads)
        assert line.outcome() == (status, body, TYPE, "")
        assert line.wakes == 1
        line.connection.release()
        assert line.is_pooled
        assert line.pool.busy == 0


@on_loop
async def test_one_connection_carries_many_kinds_of_reply() -> None:
    """Nothing of a reply is left for the next one on its connection."""
    line = Line()
    for wire, status, body in WHOLE * 2:
        line.receive(wire)
        assert line.outcome() == (status, body, TYPE, "")
        line.connection.release()
        assert line.pool.take() is line.connection
        line.pool.forget(line.connection)
        line.ask()


@pytest.mark.parametrize(
    ("wire", "says"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "not valid HTTP"),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", ""),
        (CONTINUE * 9 + reply(b"{}"), "without end"),
        (reply(b"{}", "Content-Length: 2"), "not valid HTTP"),
        (reply(b"{}", "Transfer-Encoding: chunked"), "not valid HTTP"),
        (reply(b"{}", "Content-Encoding: br"), "not supported"),
        (reply(b"{}", "Content-Encoding: gzip"), "not the coding"),
        (reply(gzip.compress(b"{}")[:-1], "Content-Encoding: gzip"), "ends before its coding"),
        (reply(gzip.compress(b"{}") + b"x", "Content-Encoding: gzip"), "coding"),
        (reply(gzip.compress(bytes(8 * COLLECT)), "Content-Encoding: gzip"), "cannot be decoded"),
        (chunked(b"{}").replace(b"2\r\n", b"zz\r\n"), "not valid HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000, "head is over"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000, "head is over"),
        (chunked(b"{}", trailers="x: y\r\n" * 50_000), "trailers"),
        (chunked(b"{}", trailers=f"x: {'y' * 300_000}\r\n"), "trailers"),
        (chunked(b"{}").replace(b"2\r\n", b"2;" + b"e" * 300_000 + b"\r\n"), "extensions"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\n folded: x\r\nContent-Length: 2\r\n\r\n{}", "not valid HTTP"),
    ],
)  # fmt: skip
@on_loop
async def test_what_is_no_reply_fails_the_lease(wire: bytes, says: str) -> None:
    """Garbage, a bomb, endless heads, trailers or hints: UpstreamBroken in words, and the connection is not used again,
    whether the bytes come in large reads or small ones."""
    for size in (1_000, 65_536) if len(wire) > 1_000 else (1, 65_536):
        line = Line()
        line.receive(*[wire[at : at + size] for at in range(0, len(wire), size)])
        await until(functools.partial(failed, line))  # a bomb takes a few turns of the loop
        failure = line.connection.failure
        assert isinstance(failure, UpstreamBroken)
        assert says in str(failure)
        assert "abort" in line.transport.events
        line.connection.abort()
        assert not line.pool.idle
        assert line.pool.busy == 0


@pytest.mark.parametrize(
    ("wire", "error", "expected"),
    [
        (b"", None, UpstreamUnreachable),
        (b"", ConnectionResetError(), UpstreamUnreachable),
        (b"HTTP/1.1 200", None, UpstreamBroken),
        (CONTINUE, None, UpstreamBroken),
        (reply(b'{"a":1}')[:-1], None, UpstreamBroken),
        (chunked(b"{}")[:-2], None, UpstreamBroken),
        (ended(b'{"a":1}'), ConnectionResetError(), UpstreamBroken),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"{}")[:-1], None, UpstreamBroken),
    ],
)
@on_loop
async def test_an_end_before_the_end_is_a_truncation(
    wire: bytes, error: Exception | None, expected: type[UpstreamError]
) -> None:
    """A connection that ends before its framing says so fails the lease, once, and tells whether anything had come."""
    line = Line()
    if wire:
        line.receive(wire)
    line.lose(error)
    assert isinstance(line.connection.failure, expected)
    assert (line.connection.complete, line.wakes, line.pool.busy) == (False, 1, 0)
    assert not line.connection.is_stale  # a fresh connection is no excuse


@on_loop
async def test_a_body_without_framing_ends_with_its_connection() -> None:
    """EOF ends such a body, coded or not; the connection is gone with it."""
    for wire, body in (
        (ended(b'{"a":1}'), b'{"a":1}'),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"{}"), b"{}"),
        (b"HTTP/1.0 200 OK\r\n\r\n{}", b"{}"),
    ):
        line = Line()
        line.receive(wire[:-3], wire[-3:])
        assert not line.connection.complete
        line.lose()
        assert line.outcome()[1] == body
        line.connection.release()
        assert not line.is_pooled


@on_loop
async def test_a_connection_that_died_idle_is_stale() -> None:
    """One that was used before and ends without a byte of reply may be tried again on a fresh one; after one, not."""
    for wire, stale in ((b"", True), (b"H", False)):
        line = Line()
        line.receive(reply(b"{}"))
        line.connection.release()
        assert line.pool.take() is line.connection
        line.ask()
        if wire:
            line.receive(wire)
        line.lose()
        assert line.connection.failure is not None
        assert line.connection.is_stale is stale
    line = Line()
    line.receive(reply(b"{}"))
    line.transport.close()
    line.ask()  # it was closing already when it was taken
    assert isinstance(line.connection.failure, UpstreamUnreachable)
    assert line.connection.is_stale


@on_loop
async def test_unasked_bytes_drop_the_connection() -> None:
    """A second reply, in the same read or later, before or after the lease has ended, is never the answer to anything;
    what was asked for is whole."""
    extra = reply(b'{"evil":1}')
    for reads in ([reply(b"{}") + extra], [chunked(b"{}") + extra], [reply(b"{}"), extra], [reply(b"{}") + b"garbage"]):
        for split in (False, True):
            line = Line()
            wire = b"".join(reads)
            line.receive(*([wire[:30], wire[30:]] if split else reads))
            assert line.outcome()[1] == b"{}"
            line.connection.release()
            assert not line.is_pooled
            assert line.transport.events == ["abort"]
    line = Line()
    line.receive(reply(b"{}"))
    line.connection.release()
    assert line.is_pooled
    line.receive(extra)
    assert line.transport.events == ["abort"]
    assert line.pool.take() is None


@pytest.mark.parametrize("extra", ["Connection: close", "connection: X, Close"])
@on_loop
async def test_an_upstream_may_end_the_connection(extra: str) -> None:
    """`Connection: close`, or HTTP/1.0, is a whole reply on a connection that is not kept."""
    for wire in (reply(b"{}", extra), reply(b"{}").replace(b"HTTP/1.1", b"HTTP/1.0")):
        line = Line()
        line.receive(wire)
        assert line.outcome()[1] == b"{}"
        line.connection.release()
        assert not line.is_pooled
        assert line.transport.events == ["abort"]


@on_loop
async def test_large_replies_pause_their_upstream() -> None:
    """Over 1 MiB the reply is told of as it comes, what waits is bounded, and taking some lets more come; the end is
    where the length says, and the connection carries the next reply."""
    body = bytes(range(256)) * (3 * COLLECT // 256)
    line = Line()
    wire = reply(body)
    got, at = b"", 0
    while not line.connection.complete:
        assert not line.transport.is_paused
        while not line.transport.is_paused and at < len(wire):
            line.receive(wire[at : at + 30_000])
            at += 30_000
        assert line.connection.size <= HIGH_WATER + 30_000
        assert (line.connection.is_large, line.connection.length) == (True, len(body))
        got += line.connection.take()
        line.connection.resume()
    assert got == body
    line.connection.release()
    assert line.is_pooled
    line.pool.take()
    line.pool.forget(line.connection)
    line.ask()
    line.receive(chunked(b"{}"))
    assert line.outcome() == (200, b"{}", TYPE, "")


@on_loop
async def test_a_large_reply_with_more_behind_it_ends_where_it_ends() -> None:
    """Bytes behind a large body are not part of it, and the connection is not used again; cut short, it is broken."""
    body = b"x" * (2 * COLLECT)
    line = Line()
    line.receive(reply(body)[:100_000], reply(body)[100_000:] + reply(b"{}"))
    assert line.outcome()[1] == body
    line.connection.release()
    assert not line.is_pooled
    line = Line()
    line.receive(reply(body)[:100_000], reply(body)[100_000:-1])
    line.lose()
    assert isinstance(line.connection.failure, UpstreamBroken)


@on_loop
async def test_streams_are_told_of_at_every_arrival() -> None:
    """Each read of an event stream wakes its request, and a slow reader pauses it."""
    wire = chunked(b"data: 1\n\n", b"data: 2\n\n", kind="Text/Event-Stream; charset=utf-8")
    line = Line()
    head = wire.index(b"\r\n\r\n") + 4
    line.receive(wire[:head])
    assert (line.connection.is_stream, line.wakes) == (True, 1)
    line.receive(wire[head : head + 14])
    assert (line.wakes, line.connection.take()) == (2, b"data: 1\n\n")
    line.receive(b"%x\r\n" % (2 * HIGH_WATER), b"x" * (2 * HIGH_WATER))
    assert line.transport.is_paused
    line.connection.take()
    line.connection.resume()
    assert not line.transport.is_paused


@on_loop
async def test_a_stream_that_is_over_settles() -> None:
    """Given back before its terminator has come, the connection is kept when that comes and nothing else does; not
    when something else comes, nor when nothing does for two seconds."""
    wire = chunked(b"data: [DONE]\n\n", kind="text/event-stream")
    for rest, pooled in ((wire[-5:], True), (wire[-5:] + b"x", False), (b"zz\r\n", False), (b"", False)):
        line = Line()
        line.receive(wire[:-5])
        line.connection.take()
        line.connection.settle()
        assert not line.is_pooled
        assert line.pool.busy == 1
        if rest:
            for at in range(len(rest)):
                line.receive(rest[at : at + 1])
        line.pool.sweep(line.pool.now + 1.9)
        assert ("abort" in line.transport.events) == (not pooled and rest != b"")
        line.pool.sweep(line.pool.now + 2.1)
        assert line.is_pooled is pooled
        assert ("abort" in line.transport.events) != pooled
        assert line.pool.busy == 0


@on_loop
async def test_breaking_off_tells_the_upstream_at_once() -> None:
    """An aborted lease resets its connection, before and after the first byte, and wakes nobody."""
    for wire in (b"", chunked(b"x", kind="text/event-stream")[:-5]):
        line = Line()
        if wire:
            line.receive(wire)
        wakes = line.wakes
        line.connection.abort()
        assert line.transport.events == ["abort"]
        line.lose()
        assert (line.wakes, line.pool.busy, len(line.pool.idle)) == (wakes, 0, 0)
