from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateline.model.errors import UpstreamBroken
from gateline.wire.bound import MAX_EVENT
from gateline.wire.jsonarray import CLOSE, MAX_DEPTH, ElementSplitter, write_element

ELEMENTS = [
    b'{"candidates":[{"content":{"parts":[{"text":"a ] } \\" , \\\\"}],"role":"model"}}]}',
    b'{\n  "text": "\xe2\x82\xac\\u005d\\\\\\"",\r\n  "none": {}, "many": [[], [1, 2, [3]]]\n}',
    b"{}",
    b'{"error":{"code":503,"message":"\xf0\x9f\x98\x80"}}',
]
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", '"', "\\", "]", "}", "{", ",", "\\\\", "é"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", '"]', "\\"]), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.sampled_from(["a", "}", '\\"']), values, max_size=3)
spaces = st.sampled_from([b"", b" ", b"\r\n", b"\n\t"])


def split(stream: bytes, cuts: list[int]) -> tuple[list[bytes], bytes, bool]:
    """The elements of the stream cut at these offsets, what is left over, and whether the array ended."""
    splitter = ElementSplitter()
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    elements: list[bytes] = []
    for start, end in itertools.pairwise(edges):
        elements += splitter.feed(stream[start:end])
        assert splitter.is_between == (not splitter.rest())
    return elements, splitter.rest(), splitter.is_closed


def written(elements: list[bytes]) -> bytes:
    return b"".join(write_element(not at, element) for at, element in enumerate(elements)) + CLOSE


def test_every_cut_gives_the_same_elements() -> None:
    """An array cut at any offset, or at all of them, splits as it does whole; elements come out byte for byte."""
    stream = written(ELEMENTS)
    assert split(stream, []) == (ELEMENTS, b"", True)
    for cut in range(len(stream)):
        assert split(stream, [cut]) == (ELEMENTS, b"", True)
    assert split(stream, list(range(len(stream)))) == (ELEMENTS, b"", True)


@given(st.lists(st.tuples(objects, spaces, spaces), max_size=4), st.lists(st.integers(0, 200), max_size=6))
def test_any_elements_and_cuts_are_read_as_a_json_reader_reads_them(
    parts: list[tuple[dict[str, object], bytes, bytes]], cuts: list[int]
) -> None:
    """Whatever the objects hold and white space stands around them: each comes out whole, and JSON."""
    stream = b"[" + b",".join(before + json.dumps(value).encode() + after for value, before, after in parts) + b" ]\n"
    elements, rest, closed = split(stream, cuts)
    assert [json.loads(element) for element in elements] == json.loads(stream)
    assert (rest, closed) == (b"", True)
    again = written(elements) if elements else b"[]"
    assert split(again, cuts) == (elements, b"", True)
    assert json.loads(again) == json.loads(stream)


@given(
    st.lists(st.sampled_from([b"[", b"]", b"{", b"}", b'"', b"\\", b",", b"{}", b"1"]), max_size=14), st.integers(1, 4)
)
@example([b"[", b"{", b"]", b",", b"{}", b"]"], 1)
def test_bytes_of_any_shape_are_judged_alike_at_every_cut(parts: list[bytes], size: int) -> None:
    """What is no JSON gives the same elements or is refused, however it is cut."""
    stream = b"".join(parts)
    outcomes = []
    for cuts in ([], list(range(0, len(stream), size))):
        try:
            outcomes.append(split(stream, cuts))
        except UpstreamBroken:
            outcomes.append(([], b"", False))
    assert outcomes[0] == outcomes[1]


def test_an_element_passes_with_its_last_byte() -> None:
    """No element waits for what follows it; a stream that ends before its array does is seen to."""
    splitter = ElementSplitter()
    assert splitter.feed(b'[{"a":1') == []
    assert splitter.rest() == b'{"a":1'
    assert splitter.feed(b"}") == [b'{"a":1}']
    assert splitter.feed(b"\r\n,\r\n") == []
    assert splitter.feed(b'{"b":2}\r\n') == [b'{"b":2}']
    assert not splitter.is_closed
    assert splitter.feed(b"]\n ") == []
    assert splitter.is_closed


@pytest.mark.parametrize(
    "stream",
    [
        b'{"error":1}', b"<html>", b"null", b"[1]", b'["a"]', b"[[]]", b"[,{}]", b"[{},]", b"[{}{}]", b"[{}],",
        b"[]]", b"[{}]{}", b"\xef\xbb\xbf[]", b"[{},1]", b"}", b"[}",
    ],
)  # fmt: skip
def test_what_is_no_array_of_objects_is_a_broken_upstream(stream: bytes) -> None:
    """Anything but objects between commas in one pair of brackets raises, whole and byte by byte."""
    with pytest.raises(UpstreamBroken, match="not a JSON array"):
        split(stream, [])
    with pytest.raises(UpstreamBroken, match="not a JSON array"):
        split(stream, list(range(len(stream))))


@pytest.mark.parametrize("size", [65536, 2 * MAX_EVENT])
def test_an_element_is_bounded(size: int) -> None:
    """16 MiB pass, a byte more is a broken upstream, whole, in pieces, and while it still grows."""
    start = b'[{"a":"'
    fits = start + b"x" * (MAX_EVENT - 8) + b'"}]'
    assert split(fits, list(range(size, len(fits), size)))[0] == [fits[1:-1]]
    for over in (fits[:-3] + b'x"}]', start + b"x" * MAX_EVENT):
        with pytest.raises(UpstreamBroken, match="over 16777216 bytes"):
            split(over, list(range(size, len(over), size)))


@pytest.mark.parametrize("size", [1, 100, 10_000])
def test_depth_is_bounded(size: int) -> None:
    """An element nested 128 deep passes, one deeper is a broken upstream; many brackets side by side are not deep."""
    for opened, closed in ((b"[", b"]"), (b'{"a":', b"}")):
        fits = b'[{"a":' + opened * (MAX_DEPTH - 1) + b"1" + closed * (MAX_DEPTH - 1) + b"}]"
        assert split(fits, list(range(size, len(fits), size)))[0] == [fits[1:-1]]
        deeper = b'[{"a":' + opened * MAX_DEPTH + b"1" + closed * MAX_DEPTH + b"}]"
        with pytest.raises(UpstreamBroken, match="over 128 deep"):
            split(deeper, list(range(size, len(deeper), size)))
    wide = b'[{"a":[' + b",".join([b"[[]]"] * 300) + b"]}]"
    assert split(wide, list(range(size, len(wide), size))) == ([wide[1:-1]], b"", True)
