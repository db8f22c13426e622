"""What the end of a reply says by itself: only what stands at its top level, and soon said of hostile text."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.formats.tail import head_object, last_object, object_in_tail

KEY = b'"usage"'


def read(body: bytes) -> int | None:
    try:
        found = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    usage = found.get("usage")
    return usage if isinstance(usage, int) else None


@given(
    st.dictionaries(st.text(), st.recursive(st.integers() | st.text(), lambda inner: st.lists(inner, max_size=2))),
    st.integers(0, 200),
)
def test_what_stands_at_the_top_level_is_found_from_any_cut_ahead_of_it(rest: dict[str, Any], cut: int) -> None:
    """And says what a reader of the whole reply is told."""
    body = json.dumps({**rest, "usage": 5, "z": 1}).encode()
    assert object_in_tail(body[min(cut, body.rfind(KEY) - 1) :], KEY, read) == 5


@pytest.mark.parametrize(
    "tail",
    [
        b'{"choices": [{"usage": 7}]}',
        b'{"text": "\\"usage\\": 7}"}',
        b'x"usage": 7}',
        b'"usage": 7}',
        b"",
    ],
    ids=["nested", "in a string", "no key", "nothing ahead", "empty"],
)
def test_what_is_not_the_replys_own_is_not_believed(tail: bytes) -> None:
    assert object_in_tail(tail, KEY, read) is None
    assert last_object(tail, KEY, read) is None


def test_text_full_of_the_key_is_given_up() -> None:
    """After 16 tries, each of which may read the whole rest; where only the last is asked for, after one."""
    tried: list[int] = []

    def count(body: bytes) -> None:
        tried.append(len(body))

    tail = b'{"usage": 7, "text": [' + b'{"usage": 1},' * 1_000 + b"0]}"
    assert object_in_tail(tail, KEY, count) is None
    assert len(tried) == 16
    assert last_object(tail, KEY, count) is None
    assert len(tried) == 17


@given(
    st.dictionaries(st.text(), st.recursive(st.integers() | st.text(), lambda inner: st.lists(inner, max_size=2))),
    st.integers(0, 400),
)
def test_the_members_that_are_whole_at_a_beginning_are_the_replys_own(rest: dict[str, Any], cut: int) -> None:
    """From any cut: none is made up, nested ones are not taken for it, and only the last may be missing."""
    whole = {**rest, "z": 1}
    body = json.dumps(whole).encode()
    found = json.loads(head_object(body[:cut]))
    assert list(whole)[: len(found)] == list(found)
    assert all(whole[key] == value for key, value in found.items())
    assert list(json.loads(head_object(body + b","))) == list(whole)[:-1]


@pytest.mark.parametrize("head", [b"", b"{", b"[1,2", b'{"a":[{"usage":7},{"b":[', b"," * 1_000])
def test_a_beginning_without_a_whole_member_has_none(head: bytes) -> None:
    assert head_object(head) == b"{}"
