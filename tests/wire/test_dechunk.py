"""Chunked request bodies: what is valid is read as two other readers read it, what is odd is refused."""

from __future__ import annotations

import h11
import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.model.errors import BadWire, GatewayError, TooLarge
from tests.wire.readers import Parsed, dechunked

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
MANY = 1_000_000
LAST = b"0\r\n\r\n"
Outcome = tuple[bytes, bool, bytes] | str

names = st.text("abcXYZ-", min_size=1, max_size=6)
chunks = st.lists(st.tuples(st.binary(min_size=1, max_size=40), st.sampled_from(["", ";a", ";a=b", ';q="x y"'])))
trailers = st.lists(st.tuples(names, st.text("abc 123", max_size=8)), max_size=3)


def written(pieces: list[tuple[bytes, str]], trailer: list[tuple[str, str]], *, upper: bool = False) -> bytes:
    """The wire form of chunks with their extensions, and of trailers."""
    parts = []
    for data, extension in pieces:
        size = f"{len(data):X}" if upper else f"{len(data):x}"
        parts.append(f"{size}{extension}\r\n".encode() + data + b"\r\n")
    lines = "".join(f"{name}: {value}\r\n" for name, value in trailer)
    return b"".join(parts) + b"0\r\n" + lines.encode() + b"\r\n"


def outcome(reads: list[bytes], limit: int = MANY) -> Outcome:
    """Body, whether it is whole and what lies behind it; or the name of the refusal."""
    try:
        return dechunked(reads, limit)
    except GatewayError as error:
        return type(error).__name__


def by_httptools(wire: bytes) -> tuple[bytes, bool]:
    found = Parsed()
    httptools.HttpRequestParser(found).feed_data(HEAD + wire)
    return found.body, found.complete


def by_h11(wire: bytes) -> bytes:
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(HEAD + wire)
    body = b""
    while True:
        event = connection.next_event()
        if isinstance(event, h11.EndOfMessage):
            return body
        if isinstance(event, h11.Data):
            body += bytes(event.data)
        assert not isinstance(event, h11.ConnectionClosed)
        assert event is not h11.NEED_DATA


@given(chunks, trailers, st.booleans())
def test_valid_bodies_are_read_as_others_read_them(
    pieces: list[tuple[bytes, str]], trailer: list[tuple[str, str]], upper: bool
) -> None:
    """h11, httptools and the decoder agree on every valid body, and trailers are part of none."""
    wire = written(pieces, trailer, upper=upper)
    found = outcome([wire])
    assert found == (b"".join(data for data, _ in pieces), True, b"")
    assert by_httptools(wire) == (found[0], True)
    assert by_h11(wire) == found[0]


@given(chunks, trailers, st.binary(max_size=30))
def test_cuts_change_nothing(pieces: list[tuple[bytes, str]], trailer: list[tuple[str, str]], behind: bytes) -> None:
    """A body cut at any one byte, or at all of them, is the same body with the same bytes behind it."""
    wire = written(pieces, trailer) + behind
    whole = outcome([wire])
    assert whole == (b"".join(data for data, _ in pieces), True, behind)
    assert outcome([wire[at : at + 1] for at in range(len(wire))]) == whole
    for cut in range(len(wire)):
        assert outcome([wire[:cut], wire[cut:]]) == whole


@given(st.lists(st.sampled_from([b"0", b"5", b"a", b"\r\n", b"\n", b"\r", b";", b"hello", b"x"]), max_size=14))
def test_what_is_taken_is_taken_by_others_too(parts: list[bytes]) -> None:
    """Of pieces put together at random, nothing is read as whole that httptools refuses or reads otherwise."""
    wire = b"".join(parts)
    found = outcome([wire])
    assert outcome([wire[at : at + 1] for at in range(len(wire))]) == found or isinstance(found, str)
    if isinstance(found, str) or not found[1]:
        return
    body, _, rest = found
    assert by_httptools(wire[: len(wire) - len(rest)]) == (body, True)


@pytest.mark.parametrize(
    "wire",
    [
        b"5\nhello\r\n0\r\n\r\n", b"5\r\nhello\n0\r\n\r\n", b"5\r\nhello\r\n0\n\r\n", b"5\r\nhello\r\n0\r\n\n",
        b"5\r\nhelloworld\r\n0\r\n\r\n", b"6\r\nhello\r\n0\r\n\r\n", b"\r\n0\r\n\r\n", b"+5\r\nhello\r\n",
        b"-5\r\nhello\r\n", b" 5\r\nhello\r\n", b"5 \r\nhello\r\n", b"5 ;a\r\nhello\r\n", b"0x5\r\nhello\r\n",
        b"5_0\r\nhello\r\n",
        b"g\r\nhello\r\n", b"000000005\r\nhello\r\n", b"0" * 5_000, b";a\r\nhello\r\n", b"5;a\rb\r\nhello\r\n",
        b"5;a\x00\r\nhello\r\n", b"5;" + b"a" * 5_000, b"5;" + b"a" * 5_000 + b"\r\nhello\r\n",
        b"FFFFFFFFF\r\n", "\u0665\r\nhello\r\n".encode(),
        b"0\r\n" + b"a: b\r\n" * 5_000 + b"\r\n", b"0\r\na: " + b"b" * 17_000,
    ],
)  # fmt: skip
def test_what_two_readers_could_read_in_two_ways_is_refused(wire: bytes) -> None:
    """Bare line ends, signs, spaces, long zeros, control bytes, sizes that do not fit and endless lines break the wire,
    however they are cut."""
    assert outcome([wire]) == "BadWire"
    assert outcome([wire[at : at + 1] for at in range(len(wire))]) == "BadWire"


def test_extensions_are_bounded_over_the_whole_body() -> None:
    """Many bytes of extensions for few bytes of body are refused, a few per chunk are not."""
    assert outcome([b"1;abcdefgh\r\nx\r\n" * 1_000 + b"0\r\n\r\n"]) == (b"x" * 1_000, True, b"")
    assert outcome([b"1;" + b"a" * 100 + b"\r\nx\r\n"] * 1_000) == "BadWire"


@pytest.mark.parametrize("size", [1, 16, 63, 64, 65, 200])
def test_chunks_are_bounded_by_what_is_in_them(size: int) -> None:
    """1,024 chunks of any size are taken; beyond them, only as many as hold 64 bytes each on average."""
    one = b"%x\r\n%b\r\n" % (size, b"x" * size)
    assert outcome([one * 1_024 + LAST]) == (b"x" * size * 1_024, True, b"")
    many = outcome([one * 70_000 + LAST], limit=100 * MANY)
    assert many == ((b"x" * size * 70_000, True, b"") if size >= 64 else "BadWire")


def test_a_large_chunk_pays_for_small_ones() -> None:
    """What counts is the whole body so far, not the chunks in a row; the last chunk is none."""
    large = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    small = b"1\r\nx\r\n"
    assert outcome([large + small * 2_047 + LAST]) == (b"x" * (65_536 + 2_047), True, b"")
    assert outcome([large + small * 2_100]) == "BadWire"


@pytest.mark.parametrize("wire", [b"b\r\n", b"5\r\nhello\r\n6\r\n", b"ffffffff\r\n"])
def test_the_limit_is_kept_before_the_bytes_come(wire: bytes) -> None:
    """A chunk that would pass the limit is refused at its size, before any of it is taken."""
    assert outcome([wire], limit=10) == "TooLarge"
    assert outcome([b"5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n"], limit=10) == (b"helloworld", True, b"")
    assert TooLarge.close
    assert BadWire.close


def test_a_request_behind_the_body_stays_where_it_is() -> None:
    """Bytes behind the end are given back, not read."""
    behind = b"GET /v1/models HTTP/1.1\r\n\r\n"
    assert outcome([b"5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n" + behind]) == (b"hello", True, behind)
