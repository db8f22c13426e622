"""Our errors as Google's."""

from __future__ import annotations

import msgspec
import pytest
from google.genai import errors

from gateline.formats.gemini.error import status_word, write_error
from gateline.formats.vendor_error import read_error
from gateline.model.errors import (
    BadRequest,
    Forbidden,
    GatewayError,
    Internal,
    ModelNotFound,
    RateLimited,
    TooLarge,
    TooSlow,
    Unauthenticated,
    Unavailable,
    UpstreamBroken,
    UpstreamRefused,
    UpstreamTimeout,
)


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (BadRequest("x"), 400, "INVALID_ARGUMENT"),
        (Unauthenticated("x"), 401, "UNAUTHENTICATED"),
        (Forbidden("x"), 403, "PERMISSION_DENIED"),
        (ModelNotFound("x"), 404, "NOT_FOUND"),
        (TooSlow("x"), 408, "DEADLINE_EXCEEDED"),
        (TooLarge("x"), 413, "INVALID_ARGUMENT"),
        (RateLimited("x"), 429, "RESOURCE_EXHAUSTED"),
        (Internal("x"), 500, "INTERNAL"),
        (UpstreamBroken("x"), 502, "UNAVAILABLE"),
        (Unavailable("x"), 503, "UNAVAILABLE"),
        (UpstreamTimeout("x"), 504, "DEADLINE_EXCEEDED"),
        (UpstreamRefused("x", 529), 529, "UNAVAILABLE"),
        (UpstreamRefused("x", 418), 418, "INVALID_ARGUMENT"),
        (UpstreamRefused("x", 599), 599, "INTERNAL"),
    ],
)
def test_an_error_has_googles_word_for_its_status(error: GatewayError, code: int, status: str) -> None:
    """The SDK reads code, word and message; a failure of the server has the request id in its message."""
    body = msgspec.json.decode(write_error(error, "req-1"))
    read = errors.APIError(code, body)
    assert (read.code, read.status) == (code, status)
    assert read.message == ("x (request id req-1)" if code >= 500 else "x")
    assert status_word(code) == status


def test_details_name_the_field_and_the_wait() -> None:
    """As Google's own do: field violations, and how long to wait."""
    body = msgspec.json.decode(write_error(BadRequest("bad \ud800", param="contents")))
    assert body["error"]["details"] == [
        {
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{"field": "contents", "description": "bad ?"}],
        }
    ]
    body = msgspec.json.decode(write_error(RateLimited("slow", retry_after=2.5)))
    assert body["error"]["details"] == [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "2.5s"}]


def test_what_is_written_is_understood() -> None:
    """By the reader of any vendor's errors."""
    detail = read_error(429, [], write_error(RateLimited("slow down")))
    assert (detail.message, detail.code) == ("slow down", "RESOURCE_EXHAUSTED")
