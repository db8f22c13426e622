"""The vendors' rows: what they say can be asked for, where, and with which credential."""

from __future__ import annotations

import pytest

from gateline.model.call import KINDS
from gateline.model.snapshot import Provider
from gateline.providers.authorization import authorization
from gateline.providers.head import upstream_head
from gateline.providers.paths import request_target
from gateline.providers.table import TABLE


def test_paths_stand_below_the_base_url() -> None:
    """Of every vendor that speaks OpenAI's operations without departing from them."""
    for kind, row in TABLE.items():
        if row.paths or "chat.completions" not in row.speaks:
            continue
        provider = Provider("p", kind, path="/v1")
        assert request_target(provider, row, "chat.completions", "m") == "/v1/chat/completions"
    assert request_target(Provider("p", "openai"), TABLE["openai"], "embeddings", "m") == "/embeddings"


def test_every_row_can_be_asked_for_all_it_speaks() -> None:
    """A head can be made for each operation, streamed or not, once its options are given."""
    for kind, row in TABLE.items():
        options = tuple((name, "x1") for name in row.options)
        provider = Provider("p", kind, "https", "h.example", 443, "", "sk", options=options)
        for operation in row.speaks:
            for stream in (False, True):
                head = upstream_head(provider, row, operation, "a/b:c", stream=stream)
                assert head.startswith(b"POST /"), (kind, operation)
                assert b"{" not in head


def test_an_operation_is_sent_as_itself_or_as_the_first_of_its_kind() -> None:
    """What a vendor has nothing like is not sent at all."""
    assert TABLE["openai"].spoken("responses") == "responses"
    assert TABLE["openai"].spoken("messages") == "chat.completions"
    assert TABLE["anthropic"].spoken("chat.completions") == "messages"
    assert TABLE["anthropic"].spoken("embeddings") is None
    for row in TABLE.values():
        for operation in KINDS:
            spoken = row.spoken(operation)
            assert spoken is None or (spoken in row.speaks and KINDS[spoken] == KINDS[operation])


def test_the_credential_is_shown_as_the_vendor_wants_it() -> None:
    """One header line, or none where there is nothing to show."""
    assert authorization("bearer", "sk-1", "p") == b"Authorization: Bearer sk-1\r\n"
    assert authorization("x-api-key", "sk-1", "p") == b"x-api-key: sk-1\r\n"
    assert authorization("x-goog-api-key", "sk-1", "p") == b"x-goog-api-key: sk-1\r\n"
    assert authorization("bearer", "", "p") == b""
    assert authorization("none", "sk-1", "p") == b""


@pytest.mark.parametrize("key", ["sk 1", "sk\r\nX: y", "sk-ü", "sk\0"])
def test_a_key_that_is_no_header_value_is_refused_without_being_shown(key: str) -> None:
    """The message names the provider only."""
    with pytest.raises(ValueError, match="'p'") as caught:
        authorization("bearer", key, "p")
    assert key not in str(caught.value)


def test_reasoning_that_a_vendor_sealed_is_known_for_its_own() -> None:
    """By its kind, wherever its format is another's: xAI opens nothing that OpenAI sealed. Claude's signatures hold on
    each cloud that has Claude."""
    own = {"openai", "openai-responses", "anthropic", "vertex-anthropic"}
    for kind, row in TABLE.items():
        if {"responses", "messages"} & set(row.speaks):
            assert row.dialect.maker == ("" if kind in own else kind)
