"""Answers are a function of the question."""

from __future__ import annotations

import math
import struct
from base64 import b64decode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.fake.answer import Question, embed, pack_vector, read_inputs, read_question, write_answer


def question(text: str, **fields: object) -> Question:
    return read_question(msgspec.json.encode({"model": "m", "messages": [{"content": text}], **fields}))


def test_the_same_question_has_the_same_answer() -> None:
    """Model and messages decide the words, nothing else does."""
    one, again, other = (write_answer(question(text), "m", 8, cached=0, reasoning=0) for text in ("a", "a", "b"))
    assert one == again
    assert one.words != other.words
    assert write_answer(question("a"), "n", 8, cached=0, reasoning=0).words != one.words


@given(st.integers(0, 40), st.none() | st.integers(0, 60))
def test_the_answer_has_the_length_asked_for(length: int, limit: int | None) -> None:
    """The request's limit cuts the answer and shows in the finish reason; usage counts what is there."""
    answer = write_answer(question("a", max_tokens=limit), "m", length, cached=3, reasoning=5)
    expected = length if limit is None else min(length, limit)
    assert len(answer.words) == expected
    assert answer.finish == ("stop" if expected == length else "length")
    assert answer.usage.output == expected + 5
    assert answer.usage.reasoning == 5
    assert answer.usage.cached <= answer.usage.input


@given(st.binary(max_size=40), st.integers(1, 64))
def test_an_embedding_is_a_unit_vector_in_both_codings(text: bytes, dimensions: int) -> None:
    """Its norm is one, and base64 holds the same numbers as 32-bit floats."""
    vector = embed(text, dimensions)
    assert math.isclose(sum(number * number for number in vector), 1.0, rel_tol=1e-9)
    packed = struct.unpack(f"<{dimensions}f", b64decode(pack_vector(vector)))
    assert all(math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-9) for a, b in zip(vector, packed, strict=True))


@pytest.mark.parametrize(
    ("raw", "count"), [(b'"a"', 1), (b'["a","b"]', 2), (b"[1,2,3]", 1), (b"[[1],[2,3]]", 2), (b'["a"]', 1)]
)
def test_every_kind_of_input_is_read(raw: bytes, count: int) -> None:
    """A string, strings, tokens, lists of tokens."""
    assert len(read_inputs(raw)) == count


@pytest.mark.parametrize("raw", [b"", b"null", b"[]", b"{}", b'["a",1]', b"3"])
def test_any_other_input_is_refused(raw: bytes) -> None:
    """What OpenAI refuses is refused."""
    with pytest.raises(ValueError, match="input must be"):
        read_inputs(raw)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"model":1}', b'{"messages":[]}', b"[" * 100_000, b"\xff"])
def test_a_body_that_is_no_question_raises_value_error(body: bytes) -> None:
    """However broken, it ends as one kind of error."""
    with pytest.raises(ValueError):  # noqa: PT011  msgspec's own words
        read_question(body)
