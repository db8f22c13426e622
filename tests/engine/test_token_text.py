"""Incremental text: however tokens cut characters and stop strings, the whole is what a whole decode gives."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateline.engine.text import TextStream


def _cut(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({place for place in cuts if 0 < place < len(data)})
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


@given(st.binary(max_size=40) | st.text(max_size=20).map(str.encode), st.lists(st.integers(0, 60)))
def test_any_cut_of_any_bytes_gives_the_same_text(data: bytes, cuts: list[int]) -> None:
    pieces = _cut(data, cuts)
    stream = TextStream(pieces)
    shown = "".join([stream.push([token]) for token in range(len(pieces))]) + stream.finish()
    assert shown == data.decode("utf-8", "replace")


@given(st.text("abc", max_size=30), st.lists(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=3))
def test_text_ends_where_the_first_stop_string_begins(text: str, stops: list[str]) -> None:
    """One character a token is the hardest cut: nothing of a stop string is ever shown."""
    stream = TextStream([character.encode() for character in text], tuple(stops))
    shown = ""
    for token in range(len(text)):
        shown += stream.push([token])
        assert not any(stop in shown for stop in stops)
        if stream.stopped:
            break
    shown += stream.finish()
    ends = [end for stop in stops if (at := text.find(stop)) >= 0 for end in (at + len(stop),)]
    if not ends:
        assert shown == text
        assert not stream.stopped
    else:  # the stop string that is complete first ends it; of those, the one that began first
        until = text[: min(ends)]
        assert shown == until[: min(until.find(stop) for stop in stops if stop in until)]
        assert stream.stopped


def test_half_a_character_is_held_until_it_is_whole() -> None:
    euro = "€".encode()
    stream = TextStream([euro[:1], euro[1:2], euro[2:]])
    assert [stream.push([0]), stream.push([1]), stream.push([2])] == ["", "", "€"]


def test_what_might_become_a_stop_string_is_shown_once_it_cannot() -> None:
    stream = TextStream([b"one E", b"N", b"x", b" EN", b""], ("END",))
    assert [stream.push([token]) for token in range(4)] == ["one ", "", "ENx", " "]
    assert stream.finish() == "EN"


def test_tokens_outside_the_vocabulary_show_nothing() -> None:
    assert TextStream([b"a"]).push([7, 0, -1]) == "a"
