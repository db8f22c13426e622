from __future__ import annotations

import json

import anthropic
import httpx2
import pytest
from anthropic.types import ErrorResponse

from gateline.formats.anthropic.error import write_error, write_stream_error
from gateline.formats.anthropic.sides import ERRORS
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

RAISED: list[tuple[GatewayError, str]] = [
    (BadRequest("m"), "invalid_request_error"),
    (Unauthenticated("m"), "authentication_error"),
    (UpstreamRefused("m", 402), "billing_error"),
    (Forbidden("m"), "permission_error"),
    (ModelNotFound("m"), "not_found_error"),
    (TooSlow("m"), "timeout_error"),
    (TooLarge("m"), "request_too_large"),
    (RateLimited("m"), "rate_limit_error"),
    (Internal("m"), "api_error"),
    (UpstreamBroken("m"), "api_error"),
    (Unavailable("m"), "api_error"),
    (UpstreamTimeout("m"), "timeout_error"),
    (UpstreamRefused("m", 529), "overloaded_error"),
    (UpstreamRefused("m", 422), "invalid_request_error"),
    (UpstreamRefused("m", 502, code="overloaded_error"), "overloaded_error"),
    (UpstreamRefused("m", 401, code="invalid_request_error"), "authentication_error"),
    (UpstreamRefused("m", 400, type="tokens", code="context_length_exceeded"), "invalid_request_error"),
]


@pytest.mark.parametrize(("error", "word"), RAISED)
def test_each_status_has_the_vendors_word(error: GatewayError, word: str) -> None:
    """The type says what the vendor would say for that status, whoever failed and in whose words."""
    body = json.loads(ERRORS.write(error, "req_1"))
    assert (body["type"], body["error"]["type"], body["request_id"]) == ("error", word, "req_1")
    assert body["error"]["message"] == ("m (request id req_1)" if error.status >= 500 else "m")
    if word != "request_too_large":  # the SDK has no type of its own for that
        ErrorResponse.model_validate(body)
    assert read_error(error.status, (), write_error(error)).message == "m"


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (BadRequest("m"), anthropic.BadRequestError),
        (Unauthenticated("m"), anthropic.AuthenticationError),
        (Forbidden("m"), anthropic.PermissionDeniedError),
        (ModelNotFound("m"), anthropic.NotFoundError),
        (RateLimited("m"), anthropic.RateLimitError),
        (Internal("m"), anthropic.InternalServerError),
    ],
)
def test_the_sdk_raises_what_it_should(error: GatewayError, raised: type[anthropic.APIStatusError]) -> None:
    """The official client raises its own class for it, with our message and request id in its body."""
    transport = httpx2.MockTransport(lambda _: httpx2.Response(error.status, content=write_error(error, "req_1")))
    with (
        anthropic.Anthropic(api_key="k", max_retries=0, http_client=httpx2.Client(transport=transport)) as client,
        pytest.raises(raised) as caught,
    ):
        client.messages.create(model="m", max_tokens=1, messages=[{"role": "user", "content": "x"}])
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["request_id"] == "req_1"


def test_a_stream_ends_in_an_event_of_that_name() -> None:
    """The in-band error is an event `error`, with text that cannot be encoded made so."""
    event = write_stream_error(UpstreamBroken("half \ud83d"), "req_1")
    assert event.startswith(b"event: error\ndata: {")
    assert event.endswith(b"}\n\n")
    assert json.loads(event[19:])["error"]["message"] == "half ? (request id req_1)"
    assert "request_id" not in json.loads(write_error(BadRequest("m")))
