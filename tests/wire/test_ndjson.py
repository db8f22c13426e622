from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.model.errors import UpstreamBroken
from gateline.wire.bound import MAX_EVENT
from gateline.wire.ndjson import LineSplitter

USUAL = b'{"message":{"content":"\xe2\x82\xac"},"done":false}\r\n\n{"a":\r1}\n \r\n{"done":true}\n{"last":1}'
LINES = [b'{"message":{"content":"\xe2\x82\xac"},"done":false}\r\n', b'{"a":\r1}\n', b'{"done":true}\n']


def split(stream: bytes, cuts: list[int]) -> list[bytes]:
    """The lines of the stream cut at these offsets, then what is left over."""
    splitter = LineSplitter()
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    lines: list[bytes] = []
    for start, end in itertools.pairwise(edges):
        lines += splitter.feed(stream[start:end])
        assert splitter.is_between or not stream[:end].endswith(b"\n")
    return [*lines, splitter.rest()]


def test_every_cut_gives_the_same_lines() -> None:
    """A stream cut at any offset, or at all of them, splits as it does whole: lines as they came, no blank ones."""
    assert split(USUAL, []) == [*LINES, b'{"last":1}']
    for cut in range(len(USUAL)):
        assert split(USUAL, [cut]) == [*LINES, b'{"last":1}']
    assert split(USUAL, list(range(len(USUAL)))) == [*LINES, b'{"last":1}']


@given(
    st.lists(st.sampled_from([b'{"a":1}', b"\n", b"\r\n", b"\r", b" ", b"{}\n", b""]), max_size=12),
    st.lists(st.integers(0, 60), max_size=8),
)
def test_any_cuts_give_the_lines_that_split_gives(pieces: list[bytes], cuts: list[int]) -> None:
    """For bytes of any shape: the lines are those between the LFs, white space aside."""
    stream = b"".join(pieces)
    *lines, rest = split(stream, cuts)
    expected = stream.split(b"\n")
    assert lines == [line + b"\n" for line in expected[:-1] if line.strip()]
    assert rest == (expected[-1] if expected[-1].strip() else b"")


def test_a_line_passes_with_its_last_byte() -> None:
    """No line waits for a byte of the next one."""
    splitter = LineSplitter()
    assert splitter.feed(b'{"a":1}') == []
    assert not splitter.is_between
    assert splitter.feed(b"\n") == [b'{"a":1}\n']
    assert splitter.is_between
    assert splitter.rest() == b""


@pytest.mark.parametrize("size", [65536, 4 * MAX_EVENT])
def test_a_line_is_bounded(size: int) -> None:
    """A line over 16 MiB is a broken upstream, whole or in pieces, blank or not; one of just that passes."""
    for byte in (b"x", b" "):
        big = byte * MAX_EVENT + b"\n"
        with pytest.raises(UpstreamBroken):
            split(big, list(range(size, len(big), size)))
    fits = b"x" * (MAX_EVENT - 1) + b"\n"
    assert split(fits, list(range(size, len(fits), size))) == [fits, b""]
    with pytest.raises(UpstreamBroken):
        split(b"x" * (MAX_EVENT + 1), list(range(size, MAX_EVENT, size)))
