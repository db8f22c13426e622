"""AWS event streams, beside the reader that AWS ships (botocore)."""

from __future__ import annotations

import itertools
from binascii import crc32
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from gateline.model.errors import UpstreamBroken
from gateline.wire.bound import MAX_EVENT
from gateline.wire.eventstream import HeaderValue, Message, MessageSplitter, write_message

USUAL = {":event-type": "contentBlockDelta", ":content-type": "application/json", ":message-type": "event"}
PAYLOAD = b'{"contentBlockIndex":0,"delta":{"text":"\xe2\x82\xac"}}'
# One header of each type: its bytes, and what it says.
TYPED: list[tuple[bytes, HeaderValue]] = [
    (b"\x01t\x00", True),
    (b"\x01f\x01", False),
    (b"\x01b\x02\xff", -1),
    (b"\x01s\x03\x80\x00", -32768),
    (b"\x01i\x04\x00\x00\x00\x07", 7),
    (b"\x01l\x05\x00\x00\x00\x01\x00\x00\x00\x00", 2**32),
    (b"\x01y\x06\x00\x02\x00\xff", b"\x00\xff"),
    (b"\x02st\x07\x00\x03\xe2\x82\xac", "€"),
    (b"\x02ts\x08\x00\x00\x01\x8b\xcf\xe5\x68\x00", 1_700_000_000_000),
    (b"\x01u\x09" + bytes(range(16)), bytes(range(16))),
]
Written = tuple[dict[str, str], bytes]
names = st.text(min_size=1, max_size=20).filter(lambda name: len(name.encode()) <= 255)
written = st.tuples(st.dictionaries(names, st.text(max_size=20), max_size=4), st.binary(max_size=60))


def framed(block: bytes, payload: bytes = b"", *, total: int | None = None, size: int | None = None) -> bytes:
    """A message with any header block and, if wanted, lengths that are not its own; its CRCs are right."""
    total = 16 + len(block) + len(payload) if total is None else total
    size = len(block) if size is None else size
    prelude = total.to_bytes(4, "big") + size.to_bytes(4, "big")
    message = prelude + crc32(prelude).to_bytes(4, "big") + block + payload
    return message + crc32(message).to_bytes(4, "big")


def split(stream: bytes, cuts: list[int]) -> tuple[list[tuple[dict[str, HeaderValue], bytes, bytes]], bytes]:
    splitter = MessageSplitter()
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    found: list[Message] = []
    for start, end in itertools.pairwise(edges):
        found += splitter.feed(stream[start:end])
        assert splitter.is_between == (not splitter.rest())
    return [(dict(each.headers), each.payload, each.raw) for each in found], splitter.rest()


def read_by_botocore(stream: bytes) -> list[tuple[dict[str, Any], bytes]]:
    buffer = EventStreamBuffer()
    buffer.add_data(stream)
    return [(message.headers, message.payload) for message in buffer]


def test_every_cut_gives_the_same_messages() -> None:
    """A stream cut at any offset, or at all of them, splits as it does whole; all its bytes come out."""
    exception = {":exception-type": "throttlingException", ":message-type": "exception"}
    messages = [write_message(USUAL, PAYLOAD), write_message({}, b""), write_message(exception, b"{}")]
    stream = b"".join(messages)
    whole = split(stream, [])
    assert whole == (
        [(USUAL, PAYLOAD, messages[0]), ({}, b"", messages[1]), (exception, b"{}", messages[2])],
        b"",
    )
    for cut in range(len(stream)):
        assert split(stream, [cut]) == whole
    assert split(stream, list(range(len(stream)))) == whole
    assert split(stream[:-1], [5, 90])[1] == messages[2][:-1]


@given(st.lists(written, max_size=5), st.lists(st.integers(0, 400), max_size=8))
def test_what_is_written_is_read_here_and_by_botocore(messages: list[Written], cuts: list[int]) -> None:
    """Any headers and payloads come back, however the stream is cut; AWS's own reader finds the same."""
    stream = b"".join(write_message(headers, payload) for headers, payload in messages)
    found, rest = split(stream, cuts)
    assert [(headers, payload) for headers, payload, _ in found] == messages
    assert b"".join(raw for _, _, raw in found) == stream
    assert rest == b""
    assert read_by_botocore(stream) == messages


@given(st.lists(st.sampled_from(TYPED), unique=True), st.binary(max_size=20))
def test_headers_of_all_types_are_read_as_botocore_reads_them(
    headers: list[tuple[bytes, HeaderValue]], payload: bytes
) -> None:
    """Each of the specification's ten types, in any company."""
    message = framed(b"".join(raw for raw, _ in headers), payload)
    expected = {raw[1 : 1 + raw[0]].decode(): value for raw, value in headers}
    assert split(message, [])[0] == [(expected, payload, message)]
    assert read_by_botocore(message) == [(expected, payload)]


@given(st.integers(0, 200), st.integers(0, 7))
def test_a_damaged_message_is_a_broken_upstream(at: int, bit: int) -> None:
    """Whatever bit is turned, no message comes out: the stream is broken, or waits for bytes that a length asks for."""
    message = bytearray(write_message(USUAL, PAYLOAD))
    message[at % len(message)] ^= 1 << bit
    with pytest.raises(UpstreamBroken):
        MessageSplitter().feed(bytes(message))


@pytest.mark.parametrize(
    "message",
    [
        framed(b"", total=15),
        framed(b"", total=0),
        framed(b"", b"1234", size=5),
        framed(b"", total=MAX_EVENT + 1),
        framed(b"", total=MAX_EVENT, size=128 * 1024 + 1),
        framed(b"\x00\x00"),
        framed(b"\x01a"),
        framed(b"\x01a\x0a"),
        framed(b"\x01a\x04\x00"),
        framed(b"\x01a\x07\x00"),
        framed(b"\x01a\x07\x00\x02x"),
        framed(b"\x01a\x07\x00\x01\xff"),
        framed(b"\x01\xff\x00"),
        framed(b"\x01a\x00\x01a\x00"),
        framed(b"\x05a\x00"),
        framed(b"\x01a\x09" + bytes(15)),
    ],
)
def test_what_is_no_message_is_a_broken_upstream(message: bytes) -> None:
    """Lengths that cannot be and malformed headers raise, whole and byte by byte, and go on raising."""
    with pytest.raises(UpstreamBroken):
        split(message, [])
    with pytest.raises(UpstreamBroken):
        split(message, list(range(len(message))))


def test_a_message_is_bounded() -> None:
    """16 MiB pass in small pieces; one byte more is refused from its prelude, before it is gathered."""
    fits = write_message({}, bytes(MAX_EVENT - 16))
    assert split(fits, list(range(0, len(fits), 65_536)))[0] == [({}, bytes(MAX_EVENT - 16), fits)]
    splitter = MessageSplitter()
    with pytest.raises(UpstreamBroken, match="over 16777216 bytes"):
        splitter.feed(write_message({}, bytes(MAX_EVENT - 15))[:12])


def test_header_blocks_are_remembered_up_to_a_bound() -> None:
    """Headers that come again are one object; a stream of ever new ones is remembered no further."""
    splitter = MessageSplitter()
    first, again = splitter.feed(write_message(USUAL, b"1") + write_message(USUAL, b"2"))
    assert first.headers is again.headers
    for number in range(100):
        splitter.feed(write_message({"n": str(number)}, b""))
    assert len(splitter._known) == 32
    assert splitter.feed(write_message({"n": "99"}, b""))[0].headers == {"n": "99"}


@pytest.mark.parametrize("headers", [{"": "x"}, {"n" * 256: "x"}, {"n": "x" * 32_768}])
def test_headers_that_readers_could_not_read_are_not_written(headers: dict[str, str]) -> None:
    """A name or value out of the specification's bounds raises."""
    with pytest.raises(ValueError, match="event stream header"):
        write_message(headers, b"")


def test_headers_are_bounded_together() -> None:
    """Headers over 128 KiB raise."""
    with pytest.raises(ValueError, match="at most 131072 bytes"):
        write_message({str(number): "x" * 30_000 for number in range(5)}, b"")
