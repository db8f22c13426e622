from __future__ import annotations

from gateline.gateway.facts import Facts
from gateline.model.key import key_hash
from gateline.wire.http1 import RequestHead, check_request_head

PEPPER = bytes(32)


def head(*headers: tuple[bytes, bytes]) -> RequestHead:
    return check_request_head(b"POST", b"/v1/embeddings", "1.1", [(b"Host", b"a"), *headers])


def test_a_token_becomes_its_hash() -> None:
    """Only the keyed hash is kept; a token too long to be ours is one, but has no hash; without one there is none."""
    facts = Facts(head((b"Authorization", b"Bearer sk-gl-x")), "embeddings", PEPPER)
    assert (facts.has_token, facts.digest) == (True, key_hash(b"sk-gl-x", PEPPER))
    long = Facts(head((b"x-api-key", b"k" * 257)), "embeddings", PEPPER)
    assert (long.has_token, long.digest) == (True, None)
    none = Facts(head(), "embeddings", PEPPER)
    assert (none.has_token, none.digest, none.lines) == (False, None, b"")


def test_only_what_passes_goes_on() -> None:
    """Credentials, cookies and what nobody thought of stay; content type and the like go to the upstream."""
    request = head((b"x-api-key", b"k"), (b"Cookie", b"a=b"), (b"X-Odd", b"1"), (b"Content-Type", b"application/json"))
    facts = Facts(request, "embeddings", PEPPER)
    assert facts.lines == b"content-type: application/json\r\n"
