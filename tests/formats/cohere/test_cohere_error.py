"""Cohere's errors that call themselves a success."""

from __future__ import annotations

import pytest

from gateline.formats.cohere.error import reported
from gateline.formats.table import WATCHES


@pytest.mark.parametrize("body", [b'{"id":"1","message":"it broke: sk-1"}', b'{"error":{"message":"it broke: sk-1"}}'])
def test_words_in_place_of_an_answer_are_an_error(body: bytes) -> None:
    """Cohere's own shape is told from an answer, whose message is an object; the secret does not show."""
    found = reported(body, "sk-1")
    assert found is not None
    assert str(found).startswith("it broke: ")
    assert "sk-1" not in str(found)
    assert WATCHES["cohere.chat"].error_key in body or WATCHES["cohere.embed"].error_key in body


def test_an_answer_is_no_error() -> None:
    """An answer has its message as an object, whatever words are in it."""
    body = b'{"id":"1","message":{"role":"assistant","content":[{"type":"text","text":"error"}]}}'
    assert reported(body, "") is None
