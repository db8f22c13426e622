from __future__ import annotations

import pytest

from gateline.model.errors import UpstreamBroken
from gateline.wire.header_policy import (
    FORWARDED_REQUEST_HEADERS,
    FORWARDED_RESPONSE_HEADERS,
    filter_request_headers,
    filter_response_headers,
)

NEVER = {
    b"authorization", b"proxy-authorization", b"x-api-key", b"api-key", b"x-goog-api-key", b"cookie", b"set-cookie",
    b"host", b"connection", b"keep-alive", b"transfer-encoding", b"te", b"trailer", b"upgrade", b"content-length",
    b"content-encoding", b"openai-organization", b"openai-project", b"idempotency-key", b"x-ratelimit-limit-requests",
    b"x-request-id", b"request-id", b"server", b"forwarded", b"x-forwarded-for", b"x-goog-api-client",
    b"x-goog-user-project", b"x-stainless-os", b"x-gateline-strict", b"x-gateline-dropped",
    b"anthropic-organization-id", b"anthropic-ratelimit-requests-limit",
}  # fmt: skip


def test_credentials_framing_and_hop_by_hop_never_pass() -> None:
    """None of the headers that would leak or smuggle is on either list."""
    assert not NEVER & FORWARDED_REQUEST_HEADERS
    assert not NEVER & FORWARDED_RESPONSE_HEADERS


def test_response_headers_pass_by_allowlist() -> None:
    """Listed headers pass in order and in any case, everything else stays behind."""
    headers = [(b"Date", b"x"), (b"Content-Type", b"a/b"), (b"Set-Cookie", b"c"), (b"OPENAI-version", b"v")]
    assert filter_response_headers(headers) == b"content-type: a/b\r\nopenai-version: v\r\n"
    assert filter_response_headers([(b"Date", b"x")]) == b""


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: b", b"a\n", b"\r"])
def test_an_upstream_cannot_write_lines(value: bytes) -> None:
    """A line end in an upstream's header value is a broken upstream."""
    with pytest.raises(UpstreamBroken):
        filter_response_headers([(b"content-type", value)])
    with pytest.raises(UpstreamBroken):
        filter_response_headers([(b"retry-after", b"1"), (b"content-type", value)])


def test_request_headers_pass_by_allowlist() -> None:
    """Towards the upstream go the listed headers of the checked head and no other."""
    headers = {b"content-type": b"application/json", b"authorization": b"Bearer x", b"openai-beta": b"y", b"host": b"h"}
    lines = filter_request_headers(headers)
    assert sorted(lines.split(b"\r\n")) == [b"", b"content-type: application/json", b"openai-beta: y"]


def test_what_chooses_the_shape_of_an_api_passes() -> None:
    """A vendor's edition and its betas go on as the client sent them: the body was written for them."""
    headers = {b"anthropic-version": b"2023-06-01", b"anthropic-beta": b"a-1,b-2", b"openai-beta": b"assistants=v2"}
    lines = filter_request_headers({**headers, b"x-gateline-strict": b"true"})
    assert sorted(lines.split(b"\r\n")) == [b"", *sorted(b"%b: %b" % pair for pair in headers.items())]
