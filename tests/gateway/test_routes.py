"""Which path is which operation."""

from __future__ import annotations

import pytest

from gateline.gateway.routes import Asked, family_of, route
from gateline.wire.http1 import check_request_head


def asked(target: bytes, *headers: tuple[bytes, bytes], method: bytes = b"POST") -> Asked | None:
    return route(check_request_head(method, target, "1.1", [(b"Host", b"a"), *headers]))


@pytest.mark.parametrize(
    ("target", "operation", "family"),
    [
        (b"/v1/chat/completions", "chat.completions", "openai"),
        (b"/openai/v1/chat/completions", "chat.completions", "openai"),
        (b"/v1/responses", "responses", "openai"),
        (b"/v1/messages", "messages", "anthropic"),
        (b"/anthropic/v1/messages", "messages", "anthropic"),
        (b"/anthropic/v1/messages/count_tokens", "messages.count_tokens", "anthropic"),
        (b"/v2/chat", "cohere.chat", "cohere"),
        (b"/v1/rerank", "rerank", "cohere"),
        (b"/api/chat", "ollama.chat", "ollama"),
        (b"/ollama/api/generate", "ollama.generate", "ollama"),
        (b"/v1/audio/speech", "audio.speech", "openai"),
        (b"/v1/responses/resp_1/cancel", "responses.read", "openai"),
    ],
)
def test_a_path_is_an_operation_of_one_api(target: bytes, operation: str, family: str) -> None:
    """With or without its vendor's prefix."""
    found = asked(target)
    assert found is not None
    assert (found.operation, found.family) == (operation, family)


@pytest.mark.parametrize("root", [b"/v1/", b"/v1beta/", b"/gemini/v1/", b"/gemini/v1beta/"])
def test_gemini_has_model_and_stream_in_its_path(root: bytes) -> None:
    """Under both versions; without `alt=sse` a stream is one JSON array."""
    found = asked(root + b"models/gemini-2.5-pro:generateContent")
    assert found is not None
    assert (found.operation, found.model, found.stream) == ("generate_content", "gemini-2.5-pro", False)
    found = asked(root + b"models/team%2Fm:streamGenerateContent?alt=sse")
    assert found is not None
    assert (found.model, found.stream, found.is_array) == ("team/m", True, False)
    found = asked(root + b"models/a/b:streamGenerateContent")
    assert found is not None
    assert (found.model, found.stream, found.is_array) == ("a/b", True, True)
    found = asked(root + b"models/m:embedContent")
    assert found is not None
    assert (found.operation, found.stream) == ("embed_content", None)


def test_four_vendors_lists_of_models_share_a_path() -> None:
    """The SDK that asks is known by its headers; a prefix says it outright."""
    get = {"method": b"GET"}
    for target, headers, family in (
        (b"/v1/models", (), "openai"),
        (b"/v1/models", ((b"x-goog-api-key", b"k"),), "gemini"),
        (b"/v1/models/m", ((b"anthropic-version", b"2023-06-01"),), "anthropic"),
        (b"/v1/models", ((b"x-fern-sdk-name", b"cohere"),), "cohere"),
        (b"/cohere/v1/models/m", (), "cohere"),
        (b"/v1beta/models", (), "gemini"),
        (b"/anthropic/v1/models", (), "anthropic"),
        (b"/gemini/v1beta/models/m", (), "gemini"),
        (b"/openai/v1/models", ((b"x-goog-api-key", b"k"),), "openai"),
        (b"/api/tags", (), "ollama"),
    ):
        found = asked(target, *headers, **get)
        assert found is not None
        assert (found.operation, found.family) == ("models", family), target


def test_bedrock_has_model_and_stream_in_its_path() -> None:
    """The model's name is percent-encoded there."""
    found = asked(b"/model/anthropic.claude-3%3A0/converse-stream")
    assert found is not None
    assert (found.operation, found.model, found.stream) == ("converse", "anthropic.claude-3:0", True)


@pytest.mark.parametrize(
    "target",
    [b"/", b"/v1", b"/v2/models", b"/v1/chat/completions/", b"/nobody/v1/chat/completions", b"/model/m/invoke",
     b"/openai", b"/openai/", b"/gemini/livez", b"/v1//models"],
)  # fmt: skip
def test_other_paths_are_nothing(target: bytes) -> None:
    """No path is guessed at."""
    assert asked(target) is None


@pytest.mark.parametrize(
    ("path", "family"),
    [
        (b"/v1/nothing", "openai"),
        (b"/", "openai"),
        (b"/anthropic/v1/nothing", "anthropic"),
        (b"/v1/messages/batches", "anthropic"),
        (b"/v1beta/files", "gemini"),
        (b"/gemini/v1beta/files", "gemini"),
        (b"/v2/nothing", "cohere"),
        (b"/api/pull", "ollama"),
        (b"/model/m/invoke", "bedrock"),
    ],
)
def test_a_path_that_is_not_served_is_refused_in_its_apis_words(path: bytes, family: str) -> None:
    assert family_of(path) == family
