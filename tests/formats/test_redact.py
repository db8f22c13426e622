from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.formats.redact import CUT, redact


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcDEF123456", "sk-ant-api03-AbCdEf_123", "sk-abcdefghijklmnop", "gsk_abcdef123456",
        "xai-abcdef123456", "hf_abcdefghijkl", "AIzaSyA1234567890abcdefgh", "AKIAIOSFODNN7EXAMPLE",
        "ghp_abcdef123456", "sk-gl-abcdefgh1234",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc", "sk-pr****************abcd", "Bearer abc.def9",
    ],
)  # fmt: skip
def test_what_looks_like_a_credential_is_cut(secret: str) -> None:
    """Keys of the known shapes, tokens after `Bearer`, and masked keys do not survive; the words around them do."""
    assert redact(f"the key {secret} is wrong") == f"the key {CUT} is wrong"


@pytest.mark.parametrize(
    "text",
    [
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
        "Invalid value: 'x'. Supported values are: 'system', 'assistant' and 'user'.",
        "The model `gpt-4o-mini-2024-07-18` does not exist or you do not have access to it.",
        "basic authentication is not supported; see https://platform.openai.com/docs/guides/error-codes.",
        "risk-free key-value store: key-events",
    ],
)
def test_plain_messages_pass(text: str) -> None:
    """What says what is wrong with a call is not mistaken for a secret."""
    assert redact(text) == text


@given(st.text(), st.text(min_size=8), st.text())
def test_the_sent_secret_never_survives(before: str, secret: str, after: str) -> None:
    """Whatever surrounds it, the credential that was sent is not in the result."""
    if secret not in CUT:
        assert secret not in redact(before + secret + after, secret).replace(CUT, "\0")
