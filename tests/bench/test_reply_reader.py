"""The generator's reader of replies: right at any cut, and never fooled into a success."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.bench.reply import BadReply, ReplyReader

EVENTS = b'data: {"a":1}\n\ndata: {"choices":[],"usage":{"prompt_tokens":2,"completion_tokens":7}}\n\ndata: [DONE]\n\n'
WHOLE = b'{"id":"x","usage":{"prompt_tokens":2,"completion_tokens":42,"total_tokens":44}}'


def chunked(body: bytes, size: int, trailer: bytes = b"") -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    coded = b"".join(b"%x;ext=1\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + coded + b"0\r\n" + trailer + b"\r\n"


def sized(body: bytes, name: bytes = b"content-length") -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n%b: %d\r\n\r\n%b" % (name, len(body), body)


def feed(reader: ReplyReader, data: bytes, cuts: list[int]) -> bool:
    """True when the last byte, and no earlier one, made the reply whole."""
    edges = sorted({0, *(cut % len(data) for cut in cuts), len(data)})
    ends = [reader.feed(data[one:two]) for one, two in pairwise(edges)]
    return ends == [False] * (len(ends) - 1) + [True]


@given(st.lists(st.integers(0, 10_000), max_size=8), st.integers(1, 60), st.booleans())
def test_any_cut_reads_the_same_stream(cuts: list[int], size: int, trailer: bool) -> None:
    """Events, bytes, tokens and the terminator are counted alike however the bytes come."""
    reader = ReplyReader()
    assert feed(reader, chunked(EVENTS, size, b"x-trailer: 1\r\n" * trailer), cuts)
    assert (reader.status, reader.events, reader.body_bytes, reader.tokens()) == (200, 3, len(EVENTS), 7)
    assert reader.stream_fault() is None
    assert reader.rest == b""


def test_every_single_cut_reads_the_same_body() -> None:
    """A body with a length, cut once at each byte, after an interim reply."""
    data = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + sized(WHOLE)
    for cut in range(1, len(data)):
        reader = ReplyReader()
        assert feed(reader, data, [cut])
        assert (reader.status, reader.tokens(), reader.body_bytes) == (200, 42, len(WHOLE))


@pytest.mark.parametrize("name", [b"Content-Length", b"content-length", b"CONTENT-LENGTH", b"Content-length"])
def test_a_length_is_found_however_it_is_written(name: bytes) -> None:
    """Header names have no case."""
    reader = ReplyReader()
    assert reader.feed(sized(WHOLE, name))


def test_what_follows_a_reply_is_kept_apart() -> None:
    """An unasked second reply does not count as body."""
    for data in (sized(WHOLE), chunked(EVENTS, 30)):
        reader = ReplyReader()
        assert reader.feed(data + b"HTTP/1.1 200 OK\r\n")
        assert reader.rest == b"HTTP/1.1 200 OK\r\n"


def test_a_reply_without_a_length_ends_with_the_connection() -> None:
    """Only then is the end of the connection the end of the reply."""
    reader = ReplyReader()
    assert not reader.feed(b"HTTP/1.1 200 OK\r\n\r\nbody")
    assert reader.end()
    reader.begin()
    assert not reader.feed(sized(WHOLE)[:-1])
    assert not reader.end()


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xfe\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-5\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 300_000,
    ],
)
def test_garbage_is_refused(data: bytes) -> None:
    """What is no reply raises, and nothing grows without bound."""
    with pytest.raises(BadReply):
        ReplyReader().feed(data)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"data: 1\n\n", "stream without [DONE]"),
        (b"event: ping\ndata: {}\n\n", "stream without message_stop"),
        (b'event: ping\ndata: {}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n', None),
        (b'event: error\ndata: {"type":"error"}\n\n', "error event"),
        (b'data: 1\n\ndata: {"error":{"message":"x"}}\n\n', "error event"),
        (b"data: [DONE]\n\n", None),
        (b'data: {"a":"data: [DONE]"}\n\n', "stream without [DONE]"),
    ],
)
def test_a_broken_stream_is_no_success(body: bytes, fault: str | None) -> None:
    """A status of 200 does not make a stream whole."""
    reader = ReplyReader()
    assert reader.feed(chunked(body, 100))
    assert reader.stream_fault() == fault
