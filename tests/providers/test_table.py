from __future__ import annotations

import pytest

from gateline.model.snapshot import Provider
from gateline.providers.table import TABLE, authorization, request_target


def test_every_row_can_be_asked() -> None:
    """Each vendor of the table has a target for each operation under its base path."""
    for kind in TABLE:
        provider = Provider("p", kind, path="/v1")
        assert request_target(provider, "chat.completions") == b"/v1/chat/completions"
        assert request_target(provider, "completions") == b"/v1/completions"
        assert request_target(provider, "embeddings") == b"/v1/embeddings"
    assert request_target(Provider("p", "openai"), "embeddings") == b"/embeddings"


def test_the_key_is_one_header_line() -> None:
    """The provider's key becomes a whole header line; without a key, or with an engine, there is none."""
    assert authorization(Provider("p", "openai", api_key="sk-1")) == b"Authorization: Bearer sk-1\r\n"
    assert authorization(Provider("p", "openai-compatible")) == b""
    assert authorization(Provider("p", "local", api_key="sk-1")) == b""


@pytest.mark.parametrize("key", ["canary\r\nX: y", "canary\n", "can ary", "canaryé", "canary\0"])
def test_a_key_cannot_write_a_header(key: str) -> None:
    """A key that is no header value raises, and the error does not show it."""
    with pytest.raises(ValueError, match="characters that no key has") as caught:
        authorization(Provider("p", "openai", api_key=key))
    assert "canary" not in str(caught.value)
