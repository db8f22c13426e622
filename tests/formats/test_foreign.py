"""Which calls hold seals that their vendor must not get."""

from __future__ import annotations

import base64

import pytest

from gateline.formats.dialect import PLAIN, Dialect
from gateline.formats.foreign import holds_foreign, stands_in
from gateline.model.call import Operation

_ENCODED = base64.b64encode(b"gateline.anthropic.abc")


@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview])
@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("messages", b'{"signature":"gateline.gemini.abc"}'),
        ("messages", b'{"data":"before:gateline.openai.abc"}'),
        ("cohere.chat", b'{"signature":"gateline.anthropic.abc"}'),
        ("converse", b'{"signature":"gateline.gemini.abc"}'),
        ("converse", b'{"redactedContent":"' + _ENCODED + b'"}'),
        ("converse", b'{"redactedContent":"' + base64.b64encode(b"before:gateline.gemini.abc") + b'"}'),
        ("converse", b'{"redactedContent":"' + base64.b64encode(b"id:12345:gateline.openai.abc") + b'"}'),
        ("converse", b'{"redactedContent":"' + base64.b64encode(b"id:1234:gateline.openai.abc") + b'"}'),
        ("converse", b'{"reasoningText":{"text":"unsigned"}}'),
        ("generate_content", b'{"thoughtSignature":"' + _ENCODED + b'"}'),
        ("chat.completions", b'{"reasoning_details":[]}'),
    ],
)
def test_a_marked_seal_is_found(operation: Operation, body: bytes, wrap: type) -> None:
    """Wherever a format keeps it, and however the body is held."""
    assert holds_foreign(operation, wrap(body), PLAIN)


@pytest.mark.parametrize("operation", ["messages", "cohere.chat", "converse", "generate_content", "embeddings"])
def test_words_are_no_seals(operation: Operation) -> None:
    """People write of gateline.yaml, and a seal of the vendor's own has no mark."""
    assert not holds_foreign(
        operation, b'{"text":"see gateline.yaml","type":"thinking","reasoningText":{"signature":"EqoBabc"}}', PLAIN
    )


def test_a_vendor_that_takes_details_gets_them() -> None:
    """OpenRouter reads `reasoning_details` itself."""
    body = b'{"messages":[{"reasoning_details":[{"data":"x"}]}]}'
    assert not holds_foreign("chat.completions", body, Dialect(seals="reasoning_details"))


@pytest.mark.parametrize("wrap", [bytes, memoryview])
def test_large_bodies_are_searched_in_slices_that_overlap(wrap: type) -> None:
    """A mark that lies across the end of one is found as well, and what ends before it begins is not."""
    mark = b'"reasoning_details"'
    for before in (1_048_576 - len(mark) + 1, 1_048_576 - 1, 1_048_576, 2_097_152 - 5):
        assert stands_in(wrap(b"x" * before + mark + b"x"), mark)
        assert not stands_in(wrap(b"x" * before + mark[:-1]), mark)
