from __future__ import annotations

import pytest

from gateline.gateway.facts import Facts
from gateline.gateway.routes import Asked
from gateline.model.call import Operation
from gateline.model.key import key_hash
from gateline.wire.http1 import RequestHead, check_request_head

PEPPER = bytes(32)
EMBEDDINGS = Asked("embeddings", "openai")


def head(*headers: tuple[bytes, bytes]) -> RequestHead:
    return check_request_head(b"POST", b"/v1/embeddings", "1.1", [(b"Host", b"a"), *headers])


def test_a_token_becomes_its_hash() -> None:
    """Only the keyed hash is kept; a token too long to be ours is one, but has no hash; without one there is none."""
    facts = Facts(head((b"Authorization", b"Bearer sk-gl-x")), EMBEDDINGS, PEPPER)
    assert (facts.has_token, facts.digest) == (True, key_hash(b"sk-gl-x", PEPPER))
    long = Facts(head((b"x-api-key", b"k" * 257)), EMBEDDINGS, PEPPER)
    assert (long.has_token, long.digest) == (True, None)
    none = Facts(head(), EMBEDDINGS, PEPPER)
    assert (none.has_token, none.digest, none.lines) == (False, None, b"")


def test_only_what_passes_goes_on() -> None:
    """Credentials, cookies and what nobody thought of stay; content type and the like go to the upstream."""
    request = head((b"x-api-key", b"k"), (b"Cookie", b"a=b"), (b"X-Odd", b"1"), (b"Content-Type", b"application/json"))
    facts = Facts(request, EMBEDDINGS, PEPPER)
    assert facts.lines == b"content-type: application/json\r\n"


def test_a_strict_caller_says_so_in_a_header() -> None:
    """`true` and `1`, in any case; anything else is not strict, and the header does not go on."""
    for value, strict in ((b"true", True), (b"TRUE", True), (b"1", True), (b"false", False), (b"", False)):
        facts = Facts(head((b"X-Gateline-Strict", value)), EMBEDDINGS, PEPPER)
        assert (facts.is_strict, facts.lines) == (strict, b"")


@pytest.mark.parametrize(
    "operation", ["models", "ollama.show", "passthrough", "responses.read", "responses", "images.edits"]
)
def test_calls_with_a_life_or_a_shape_of_their_own_are_not_usual(operation: Operation) -> None:
    assert not Facts(head(), Asked(operation, "openai"), PEPPER).is_usual
    assert Facts(head(), EMBEDDINGS, PEPPER).is_usual
