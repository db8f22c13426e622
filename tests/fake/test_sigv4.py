"""Signatures are checked as AWS checks them: botocore makes them."""

from __future__ import annotations

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from gateline.fake.request import Request
from gateline.fake.sigv4 import is_signed, is_signed_with


def signed(path: str, secret: str = "right", body: bytes = b"{}", token: str | None = None) -> Request:
    asked = AWSRequest("POST", f"https://bedrock{path}", data=body, headers={"content-type": "application/json"})
    SigV4Auth(Credentials("AKIDEXAMPLE", secret, token), "bedrock", "us-east-1").add_auth(asked)
    headers = [("Host", "bedrock"), *((name, str(value)) for name, value in asked.headers.items())]
    return Request("POST", path, "1.1", headers, body)


@pytest.mark.parametrize(
    "path", ["/model/m/converse", "/model/anthropic.claude%3A0/converse", "/model/a%2Fb/x?b=2&a=%20"]
)
@pytest.mark.parametrize("token", [None, "session"])
def test_the_secret_that_made_it_is_known(path: str, token: str | None) -> None:
    """Whatever is in the path, with and without a session's token; another secret is another."""
    request = signed(path, token=token)
    assert is_signed(request)
    assert is_signed_with(request, "right")
    assert not is_signed_with(request, "wrong")


def test_what_was_signed_cannot_be_changed() -> None:
    """Body, path and signed headers are all in it."""
    request = signed("/model/m/converse")
    assert not is_signed_with(request._replace(body=b"{ }"), "right")
    assert not is_signed_with(request._replace(target="/model/n/converse"), "right")
    later = [(name, "20300101T000000Z" if name.lower() == "x-amz-date" else value) for name, value in request.headers]
    assert not is_signed_with(request._replace(headers=later), "right")


@pytest.mark.parametrize("value", ["", "Bearer x", "AWS4-HMAC-SHA256 Credential=a", "AWS4-HMAC-SHA256 " + "x" * 500])
def test_what_is_no_signature_is_none(value: str) -> None:
    """In any other shape, it is as if nothing were there."""
    request = Request("POST", "/", "1.1", [("authorization", value), ("x-amz-date", "20250101T000000Z")], b"")
    assert not is_signed(request)
    assert not is_signed_with(request, "right")
