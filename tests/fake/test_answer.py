"""The parts of answers: embeddings and what is embedded."""

from __future__ import annotations

import math
import struct
from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.fake.answer import embed, pack_vector, read_inputs


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
