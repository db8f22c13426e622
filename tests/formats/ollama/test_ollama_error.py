from __future__ import annotations

import json

import pytest
from ollama import ResponseError

from gateline.formats.table import ERRORS
from gateline.formats.vendor_error import read_error
from gateline.model import errors

CASES = [
    (errors.BadRequest("bad"), 400, "bad"),
    (errors.Unauthenticated("who"), 401, "who"),
    (errors.Forbidden("no"), 403, "no"),
    (errors.ModelNotFound("none"), 404, "none"),
    (errors.TooSlow("slow"), 408, "slow"),
    (errors.TooLarge("large"), 413, "large"),
    (errors.RateLimited("wait"), 429, "wait"),
    (errors.Internal("oops"), 500, "oops (request id r-1)"),
    (errors.UpstreamBroken("broken"), 502, "broken (request id r-1)"),
    (errors.Unavailable("later"), 503, "later (request id r-1)"),
    (errors.UpstreamTimeout("late"), 504, "late (request id r-1)"),
    (errors.UpstreamRefused("busy", 529), 529, "busy (request id r-1)"),
]


@pytest.mark.parametrize(("error", "status", "message"), CASES)
def test_the_sdk_understands_every_error(error: errors.GatewayError, status: int, message: str) -> None:
    """One sentence, whatever the status; the request id stands in it where the caller cannot help it."""
    body = ERRORS["ollama"].write(error, "r-1")
    assert json.loads(body) == {"error": message}
    told = ResponseError(body.decode(), error.status)
    assert (told.error, told.status_code) == (message, status)


def test_a_message_that_is_no_text_can_be_written() -> None:
    assert json.loads(ERRORS["ollama"].write(errors.BadRequest("half \ud83d"), "")) == {"error": "half ?"}


def test_ollamas_own_errors_are_explained() -> None:
    """Its message goes on to the client in whatever format it speaks."""
    detail = read_error(404, (), b'{"error":"model \'x\' not found"}')
    assert (detail.status, detail.message) == (404, "model 'x' not found")
