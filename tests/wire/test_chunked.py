from __future__ import annotations

import h11
import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.model.errors import BadWire
from gateline.wire.chunked import LAST_CHUNK, BodyGuard, chunk
from gateline.wire.http1_write import response_head

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


class Body:
    """A parser's callbacks that count for the guard."""

    def __init__(self) -> None:
        self.guard = BodyGuard()
        self.complete = False

    def on_chunk_header(self) -> None:
        self.guard.chunks += 1

    def on_body(self, data: bytes) -> None:
        self.guard.body += len(data)

    def on_message_complete(self) -> None:
        self.complete = True


def feed(wire: bytes, size: int) -> Body:
    body = Body()
    parser = httptools.HttpRequestParser(body)
    parser.feed_data(HEAD)
    for start in range(0, len(wire), size):
        piece = wire[start : start + size]
        parser.feed_data(piece)
        if not body.complete:
            body.guard.fed(len(piece))
    return body


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_chunks_read_back(pieces: list[bytes]) -> None:
    """Another implementation reads the same body; empty data writes nothing, so it cannot end the body early."""
    peer = h11.Connection(h11.CLIENT)
    peer.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    peer.receive_data(response_head(200, chunked=True) + b"".join(map(chunk, pieces)) + LAST_CHUNK)
    read = b""
    while not isinstance(event := peer.next_event(), h11.EndOfMessage):
        if isinstance(event, h11.Data):
            read += event.data
    assert read == b"".join(pieces)


@pytest.mark.parametrize("size", [1, 7, 1000, 65536])
def test_small_chunks_are_not_taken_for_an_attack(size: int) -> None:
    """A body of one-byte chunks passes at every read size."""
    wire = b"1\r\nx\r\n" * 20_000 + LAST_CHUNK
    assert feed(wire, size).complete


@pytest.mark.parametrize("size", [1, 7, 1000, 16384])
@pytest.mark.parametrize(
    "wire",
    [
        (b"1;" + b"e" * 1000 + b"\r\nx\r\n") * 100,
        (b"0" * 100 + b"1\r\nx\r\n") * 400,
        b"1;" + b"e" * 40_000,
        b"0\r\n" + b"X: y\r\n" * 20_000,
    ],
)
def test_framing_that_outgrows_the_body_is_refused(wire: bytes, size: int) -> None:
    """Chunk extensions, zeros ahead of a size and endless trailers are bounded, at every read size."""
    with pytest.raises((BadWire, httptools.HttpParserError)):
        feed(wire, size)
