"""Coded bodies: decoded exactly, refused when they are out of proportion or not what they say."""

from __future__ import annotations

import contextlib
import gzip
import io
import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.wire.inflate import CodingError, Inflater

MIB = 1_048_576
names = st.sampled_from(["", "a-name"])


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


def member(data: bytes, level: int = 6, name: str = "") -> bytes:
    """One gzip member; with a name its header has an optional field."""
    out = io.BytesIO()
    with gzip.GzipFile(name, "wb", level, out, mtime=0) as file:
        file.write(data)
    return out.getvalue()


members = st.lists(
    st.builds(lambda *fields: (fields[0], member(*fields)), st.binary(max_size=40), st.sampled_from([0, 1, 9]), names),
    min_size=1,
    max_size=4,
)


def read(reads: list[bytes], limit: int | None = None) -> tuple[bytes, bool]:
    """What came out and whether it was whole."""
    inflater = Inflater(b"gzip", limit)
    return b"".join([inflater.feed(each) for each in reads]), inflater.finished


@given(members)
def test_members_behind_one_another_are_one_body(parts: list[tuple[bytes, bytes]]) -> None:
    """However many there are and wherever they are cut, at any one byte or at all of them."""
    body, wire = b"".join(data for data, _ in parts), b"".join(gz for _, gz in parts)
    assert read([wire]) == (body, True)
    assert read([wire[at : at + 1] for at in range(len(wire))]) == (body, True)
    for cut in range(len(wire)):
        assert read([wire[:cut], wire[cut:]]) == (body, True)


@given(members)
def test_members_are_whole_at_their_ends_only(parts: list[tuple[bytes, bytes]]) -> None:
    """A body that stops inside a member is not finished, and what came out is the beginning of the body."""
    body, wire = b"".join(data for data, _ in parts), b"".join(gz for _, gz in parts)
    ends = {sum(len(gz) for _, gz in parts[:count]) for count in range(1, len(parts) + 1)}
    for size in range(len(wire) + 1):
        out, finished = read([wire[:size]])
        assert body.startswith(out)
        assert finished == (size in ends)


@given(members, st.binary(min_size=1, max_size=30), st.integers(0, 30))
def test_what_is_no_member_behind_a_member_is_an_error(
    parts: list[tuple[bytes, bytes]], garbage: bytes, cut: int
) -> None:
    """Whatever follows the end, zeros too, in one read with it or in later ones: two bytes that begin no member are
    enough to say so, and what only begins like one is never whole."""
    wire = b"".join(gz for _, gz in parts)
    for reads in ([wire + garbage], [wire, garbage], [wire + garbage[:cut], garbage[cut:]]):
        if len(garbage) > 1 and garbage[0] != 0x1F:
            with pytest.raises(zlib.error):
                read(reads)
        else:
            with contextlib.suppress(zlib.error):
                assert not read(reads)[1]


@given(members, st.integers(0, 200))
def test_the_limit_is_over_all_members(parts: list[tuple[bytes, bytes]], limit: int) -> None:
    """The same sum is refused however many members it comes in."""
    body, wire = b"".join(data for data, _ in parts), b"".join(gz for _, gz in parts)
    if len(body) <= limit:
        assert read([wire], limit) == (body, True)
    else:
        with pytest.raises(CodingError):
            read([wire], limit)


def test_a_bomb_in_parts_is_a_bomb() -> None:
    """Members that each stay below what is free are refused when they do not together."""
    part = gzip.compress(bytes(MIB // 2))
    assert read([part * 2]) == (bytes(MIB), True)
    with pytest.raises(CodingError):
        read([part * 3])
    out: list[bytes] = []
    with pytest.raises(CodingError):
        take(Inflater(b"gzip"), part * 100, out)
    assert sum(map(len, out)) <= max(MIB, len(part) * 100 * 200)


def test_members_are_counted() -> None:
    """Each costs a decoder: ten thousand are read, one more is not, though nothing is in them."""
    empty = gzip.compress(b"")
    assert read([empty * 10_000]) == (b"", True)
    with pytest.raises(CodingError, match="members"):
        read([empty * 10_001])


def test_garbage_is_garbage() -> None:
    """Bytes that are not the coding they claim, and bytes behind its end, raise zlib's error. Only gzip has members."""
    with pytest.raises(zlib.error):
        Inflater(b"gzip").feed(b"{} is not gzip")
    for coding in (b"gzip", b"deflate"):
        wire = coded(b"{}", coding)
        with pytest.raises(zlib.error):
            Inflater(coding).feed(wire + b"more")
        inflater = Inflater(coding)
        inflater.feed(wire)
        with pytest.raises(zlib.error):
            inflater.feed(b"more")
    with pytest.raises(zlib.error):
        Inflater(b"deflate").feed(coded(b"{}", b"deflate") * 2)
    broken = bytearray(gzip.compress(b"{}") * 2)
    broken[-5] ^= 1  # the checksum of the second member
    with pytest.raises(zlib.error):
        Inflater(b"gzip").feed(bytes(broken))


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


@given(members, st.integers(1, 9), st.integers(1, 40))
def test_decoded_a_little_at_a_time_it_is_the_same(parts: list[tuple[bytes, bytes]], most: int, cut: int) -> None:
    """`most` bytes a call and no more; while it waits nothing is finished, and an empty call gives the next ones."""
    body, wire = b"".join(data for data, _ in parts), b"".join(gz for _, gz in parts)
    inflater = Inflater(b"gzip")
    found = b""
    for at in range(0, len(wire), cut):
        piece = inflater.feed(wire[at : at + cut], most)
        while True:
            assert len(piece) <= most
            found += piece
            if not inflater.waits:
                break
            assert not inflater.finished
            piece = inflater.feed(b"", most)
    assert (found, inflater.finished) == (body, True)


def in_turns(wire: bytes, limit: int) -> tuple[int, bool]:
    """How much comes out, 64 KiB a turn, and whether it was whole when it ended or was refused."""
    inflater, out = Inflater(b"gzip", limit), 0
    data = wire
    while data or inflater.waits:
        try:
            out += len(inflater.feed(data, 65_536))
        except CodingError:
            break
        data = b""
    return out, inflater.finished


@pytest.mark.parametrize("limit", [MIB, 2 * MIB, 3 * MIB - 1, 3 * MIB, 4 * MIB])
def test_a_bomb_goes_off_a_little_at_a_time(limit: int) -> None:
    """What comes out is counted over all calls, so the caps hold; the last byte that is allowed is."""
    wire = gzip.compress(random.Random(1).randbytes(MIB) + bytes(2 * MIB), 1)
    assert in_turns(wire, limit) == ((3 * MIB, True) if limit >= 3 * MIB else (limit // 65_536 * 65_536, False))
    assert in_turns(gzip.compress(bytes(30 * MIB)), 40 * MIB)[0] < 7 * MIB  # out of proportion
