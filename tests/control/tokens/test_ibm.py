"""IBM's IAM, spoken to over HTTP; with it what all endpoints have in common."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateline.control.tokens.endpoint import ask
from gateline.control.tokens.ibm import IbmIam
from gateline.control.tokens.source import NoToken
from gateline.model.credential import Ibm
from gateline.model.token import Bearer
from tests.control.tokens.issuer import issuer

NOW = 1_000_000.0
CANARY = "canary-8f2e1a"


def fetch(url: str) -> Bearer:
    return asyncio.run(IbmIam(Ibm(CANARY), f"{url}/identity/token", lambda: NOW).fetch())


def reason(url: str) -> str:
    with pytest.raises(NoToken) as caught:
        fetch(url)
    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None
    return str(caught.value)


def test_an_api_key_becomes_a_token() -> None:
    """The key goes out as a form, and the token is good for as long as IAM says."""
    with issuer((200, {"access_token": "eyJ.ibm", "expires_in": 3600, "token_type": "Bearer"})) as iam:
        assert fetch(iam.url) == Bearer("eyJ.ibm", NOW + 3600)
        assert (iam.asked[0].method, iam.asked[0].path) == ("POST", "/identity/token")
        assert iam.asked[0].form == {"grant_type": "urn:ibm:params:oauth:grant-type:apikey", "apikey": CANARY}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (
            400,
            {"errorCode": "BXNIM0415E", "errorMessage": f"key {CANARY} not found"},
            "127.0.0.1 answered 400 BXNIM0415E",
        ),
        (401, {"error": "invalid_client", "error_description": CANARY}, "127.0.0.1 answered 401 invalid_client"),
        (
            403,
            {"error": {"status": "PERMISSION_DENIED", "message": CANARY}},
            "127.0.0.1 answered 403 PERMISSION_DENIED",
        ),
        (401, {"error": f"no key like {CANARY}"}, "127.0.0.1 answered 401"),
        (500, b"<html>" + CANARY.encode(), "127.0.0.1 answered 500"),
        (302, b"", "127.0.0.1 answered 302"),
        (200, b"[]", "127.0.0.1 answered something else than a JSON object"),
        (200, b"[" * 50_000, "127.0.0.1 answered something else than a JSON object"),
        (200, b" " * 70_000, "127.0.0.1 answered more than 65536 bytes"),
        (200, {"expires_in": 3600}, "the token endpoint answered without a token"),
        (200, {"access_token": f"{CANARY}\r\nX: y"}, "the token endpoint answered without a token"),
        (200, {"access_token": ""}, "the token endpoint answered without a token"),
    ],
)
def test_a_refusal_is_named_and_nothing_else_repeated(status: int, body: Any, expected: str) -> None:
    """Of what an endpoint says only the name of the error goes on, since callers of the gateway may see it."""
    with issuer((status, body)) as iam:
        assert reason(iam.url) == expected


def test_an_endpoint_that_is_away_is_named() -> None:
    with issuer((200, {})) as iam:
        pass
    assert reason(iam.url) == "127.0.0.1 cannot be asked (ConnectError)"


def test_a_token_of_unsaid_life_is_taken_for_five_minutes() -> None:
    with issuer((200, {"access_token": "t"})) as iam:
        assert fetch(iam.url) == Bearer("t", NOW + 300)


@pytest.mark.parametrize("url", ["http://iam.example/token", "ftp://127.0.0.1/", "http://[::1", "iam.example"])
def test_a_secret_never_leaves_in_the_clear(url: str) -> None:
    """Without TLS only this machine is asked."""
    with pytest.raises(NoToken, match=r"over https|no URL"):
        asyncio.run(ask("POST", url, form={"apikey": CANARY}))


def test_tokens_and_credentials_show_nothing() -> None:
    assert CANARY not in f"{Ibm(CANARY)!r} {Bearer(CANARY)!r} {[Ibm(CANARY)]}"
