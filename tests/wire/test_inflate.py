"""Coded bodies: decoded exactly, refused when they are out of proportion or not what they say."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.wire.inflate import CodingError, Inflater

MIB = 1_048_576


def coded(data: bytes, coding: bytes) -> bytes:
    return zlib.compress(data) if coding == b"deflate" else gzip.compress(data)


@given(st.binary(max_size=2_000), st.sampled_from([b"gzip", b"x-gzip", b"deflate", b" GZIP "]), st.integers(1, 50))
def test_what_was_coded_comes_back(data: bytes, coding: bytes, size: int) -> None:
    """Every body comes back as it was, in whatever pieces its coding arrives."""
    wire = coded(data, coding.strip().lower())
    inflater = Inflater(coding)
    assert b"".join([inflater.feed(wire[at : at + size]) for at in range(0, len(wire), size)]) == data
    assert inflater.finished


@given(st.binary(min_size=1, max_size=500), st.data())
def test_a_body_that_was_cut_is_not_finished(body: bytes, draw: st.DataObject) -> None:
    """Whatever part of a coding is missing, `finished` stays false."""
    wire = gzip.compress(body)
    inflater = Inflater(b"gzip")
    inflater.feed(wire[: draw.draw(st.integers(0, len(wire) - 1))])
    assert not inflater.finished


@pytest.mark.parametrize("coding", [b"br", b"zstd", b"gzip, gzip", b"identity", b"", b"\xff"])
def test_other_codings_are_named_as_unsupported(coding: bytes) -> None:
    """What is not gzip or deflate is refused before a byte is decoded."""
    with pytest.raises(CodingError, match="not supported"):
        Inflater(coding)


def test_garbage_is_garbage() -> None:
    """Bytes that are not the coding they claim, and bytes behind its end, raise zlib's error."""
    with pytest.raises(zlib.error):
        Inflater(b"gzip").feed(b"{} is not gzip")
    wire = gzip.compress(b"{}")
    with pytest.raises(zlib.error):
        Inflater(b"gzip").feed(wire + b"more")
    inflater = Inflater(b"gzip")
    inflater.feed(wire)
    with pytest.raises(zlib.error):
        inflater.feed(b"more")


def test_a_bomb_is_refused_before_it_goes_off() -> None:
    """Ten MiB of zeros are stopped at the first MiB or at 200 times what came in, whichever is more."""
    bomb = gzip.compress(bytes(10 * MIB))
    with pytest.raises(CodingError, match="over"):
        Inflater(b"gzip").feed(bomb)
    out: list[bytes] = []
    with pytest.raises(CodingError):
        take(Inflater(b"gzip"), bomb, out)
    assert sum(map(len, out)) <= max(MIB, len(bomb) * 200)


def take(inflater: Inflater, wire: bytes, out: list[bytes]) -> None:
    out.extend(inflater.feed(wire[at : at + 64]) for at in range(0, len(wire), 64))


def test_the_limit_counts_decoded_bytes() -> None:
    """A body of exactly the limit passes, one byte more does not."""
    data = bytes(range(256)) * 4
    assert Inflater(b"gzip", len(data)).feed(gzip.compress(data)) == data
    with pytest.raises(CodingError):
        Inflater(b"gzip", len(data) - 1).feed(gzip.compress(data))
    assert Inflater(b"gzip", 0).feed(gzip.compress(b"")) == b""
