"""A stream that is taken in the callback that brings it, and when it is not."""

from __future__ import annotations

import gzip

import pytest

from gateline.model.errors import UpstreamBroken
from tests.net.line import Line, chunked
from tests.net.transport import on_loop

EVENTS = [b"data: %d\n\n" % number for number in range(1, 5)]
TAPPED = [
    chunked(*EVENTS, kind="text/event-stream"),
    chunked(*EVENTS, kind="text/event-stream", trailers="x: y\r\n"),
    chunked(*[event.replace(b"\n", b"\r\n") for event in EVENTS], kind="text/event-stream"),
    chunked(b"\r\n\r\n", b"\r\n", *EVENTS, b"1\r\na\r\n", kind="text/event-stream"),
    chunked(b"data: " + b"x" * 18 + b"\n\n", *EVENTS, kind="text/event-stream").replace(b"1a\r\n", b"001A;a=b\r\n"),
    chunked(b"data: " + b"x" * 18 + b"\n\n", *EVENTS, kind="text/event-stream").replace(b"1a\r\n", b"1A\r\n"),
]


class Tap:
    """Reads a stream as a stage does that wants each piece in the callback that brings it."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.pieces: list[bytes] = []
        self.direct = 0
        self.set()

    def set(self) -> None:
        line = self.line.connection
        self.pieces.append(line.take())
        line.tap = self.arrive if line.is_stream and not line.complete and line.failure is None else None

    def arrive(self, piece: bytes) -> None:
        assert not self.line.connection.size, "older bytes wait to be taken"
        self.direct += 1
        self.pieces.append(piece)

    def receive(self, *reads: bytes) -> None:
        for read in reads:
            self.line.receive(read)
            self.set()


@pytest.mark.parametrize("wire", TAPPED)
@on_loop
async def test_a_tapped_stream_is_the_same_however_it_is_cut(wire: bytes) -> None:
    """Whole chunks go straight to the tap, all else through the parser: the body is the same for every pair of cuts,
    and the connection is in a state to carry the next reply, of another framing."""
    whole = Line()
    whole.receive(wire)
    body = whole.connection.take()
    cuts = [[wire[at : at + 1] for at in range(len(wire))]]
    cuts += [
        [wire[:one], wire[one:two], wire[two:]] for one in range(60, len(wire)) for two in range(one, len(wire), 5)
    ]
    for reads in cuts:
        line = Line()
        tap = Tap(line)
        tap.receive(*filter(None, reads))
        assert b"".join(tap.pieces) == body
        assert line.connection.complete
        line.connection.release()
        assert line.is_pooled
    assert line.pool.take() is line.connection
    line.ask()
    tap = Tap(line)
    other = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 22\r\n\r\n"
    tap.receive(other, b"3\r\n123\r\n", b"3\r\n123\r\n", b"3\r\n1\r\n")
    assert b"".join(tap.pieces) == b"3\r\n123\r\n3\r\n123\r\n3\r\n1\r\n"
    assert (tap.direct, line.connection.complete) == (0, True)


@on_loop
async def test_chunks_that_come_whole_go_straight_to_the_tap() -> None:
    """One read, one chunk, one piece, without a wake; a size is learned from the first chunk that has it."""
    line = Line()
    tap = Tap(line)
    head, _, _ = TAPPED[0].partition(b"\r\n\r\n")
    tap.receive(head + b"\r\n\r\n", *[b"9\r\n%b\r\n" % event for event in EVENTS])
    assert tap.direct >= len(EVENTS) - 1
    wakes = line.wakes
    tap.receive(b"9\r\ndata: 5\n\n\r\n")
    assert line.wakes == wakes


@pytest.mark.parametrize(
    "wrong", [b"9\r\ndata: 1\n\nX\r\n", b"8\r\ndata: 1\n\n\r\n", b"+9\r\ndata: 1\n\n\r\n", b"\r\n", b"g\r\n"]
)
@on_loop
async def test_a_wrong_chunk_behind_right_ones_fails_the_stream(wrong: bytes) -> None:
    """What passes by the parser is no looser than it: a chunk that is not what its size says ends the lease."""
    line = Line()
    tap = Tap(line)
    head, _, _ = TAPPED[0].partition(b"\r\n\r\n")
    tap.receive(head + b"\r\n\r\n", *[b"9\r\n%b\r\n" % event for event in EVENTS], wrong)
    assert isinstance(line.connection.failure, UpstreamBroken)


@on_loop
async def test_a_coded_stream_is_not_tapped() -> None:
    """Pieces of a coded stream are decoded, never passed as they are."""
    line = Line()
    tap = Tap(line)
    coded = gzip.compress(b"".join(EVENTS))
    kind, coding = b"Content-Type: text/event-stream\r\n", b"Content-Encoding: gzip\r\n"
    head = b"HTTP/1.1 200 OK\r\n" + kind + coding + b"Transfer-Encoding: chunked\r\n"
    reads = [b"1\r\n%b\r\n" % coded[at : at + 1] for at in range(len(coded))]
    tap.receive(head + b"\r\n", *reads, b"0\r\n\r\n")
    assert (b"".join(tap.pieces), tap.direct) == (b"".join(EVENTS), 0)
    assert line.connection.complete
