from __future__ import annotations

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.wire.chunked import LAST_CHUNK, chunk, whole_chunks
from gateline.wire.http1_write import response_head


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


@given(st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=20), st.booleans())
def test_whole_chunks_are_read_and_nothing_less(pieces: list[bytes], is_upper: bool) -> None:
    """However often: exactly the body. One byte less, the end of the body behind it or another start: not whole."""
    wire = b"".join(b"%b\r\n%b\r\n" % (b"%X" % len(each) if is_upper else b"%x" % len(each), each) for each in pieces)
    for _ in range(2):
        assert whole_chunks(wire) == b"".join(pieces)
        assert whole_chunks(wire[:-1]) is None
        assert whole_chunks(wire + LAST_CHUNK) is None
        assert whole_chunks(b"\r\n" + wire) is None


@pytest.mark.parametrize(
    "wire",
    [
        b"0\r\n\r\n", b"00\r\n\r\n", b"01\r\na\r\n", b"1;x\r\na\r\n", b"+1\r\na\r\n", b" 1\r\na\r\n", b"1 \r\na\r\n",
        b"0x1\r\na\r\n", b"1_0\r\n" + b"a" * 16 + b"\r\n", b"1\na\n", b"1\r\nab\r\n", b"2\r\na\r\n", b"g\r\na\r\n",
        b"-1\r\na\r\n",
        b"1\r\na\r\nx", b"1\r\na\r\n1", b"1\r\na\r\n1\r\n", b"1\r\na\rX", b"\r\n", b"fffff\r\n",
    ],
)  # fmt: skip
def test_what_is_not_plain_is_left_to_a_parser(wire: bytes) -> None:
    """Ends, extensions, signs, spaces, bare LF, wrong sizes, pieces: None, before sizes were learned and after."""
    for size in range(1, 300):
        assert whole_chunks(b"%x\r\n%b\r\n" % (size, b"a" * size)) == b"a" * size
        assert whole_chunks(wire) is None
