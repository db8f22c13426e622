"""Signature Version 4 against the figures of AWS's own test suite and against botocore's signer."""

from __future__ import annotations

from hashlib import sha256
from unittest.mock import patch

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from gateline.model.token import AwsKeys
from gateline.providers.sigv4 import sign

SUITE_KEYS = AwsKeys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
SUITE_NOW = 1_440_938_160.0  # 20150830T123600Z
EMPTY = sha256(b"").hexdigest()
NOW = 1_764_547_199.0

CLAUDE = "/model/anthropic.claude-3-5-sonnet-20241022-v2:0/converse"
CLAUDE_ENCODED = "/model/anthropic.claude-3-5-sonnet-20241022-v2%3A0/converse-stream"
PROFILE = "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.meta.llama3/invoke"
# What may stand in a path or query that is sent: unreserved, sub-delimiters, and percent-encoded bytes.
_PIECE = st.one_of(
    st.text("abcXYZ019-._~!$&'()*+,;=:@", max_size=8),
    st.binary(max_size=3).map(lambda raw: "".join(f"%{b:02X}" for b in raw)),
)
PATHS = st.lists(st.lists(_PIECE, max_size=3).map("".join), max_size=5).map(lambda parts: "/" + "/".join(parts))
QUERIES = st.lists(
    st.tuples(st.text("abZ09-._~", min_size=1, max_size=5), st.text("abZ09-._~%", max_size=5)), max_size=4
)


def signature(lines: bytes) -> str:
    return lines.rsplit(b"Signature=", 1)[1].rstrip(b"\r\n").decode()


@pytest.mark.parametrize(
    ("name", "method", "path", "query", "expected"),
    [
        ("get-vanilla", "GET", "/", "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("post-vanilla", "POST", "/", "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        (
            "get-vanilla-query-order-key-case",
            "GET",
            "/",
            "Param2=value2&Param1=value1",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
    ],
)
def test_it_signs_as_the_test_suite_does(name: str, method: str, path: str, query: str, expected: str) -> None:
    """The requests of AWS's published suite get the signatures of the suite."""
    lines = sign(method, "example.amazonaws.com", path, EMPTY, SUITE_KEYS, "us-east-1", "service", SUITE_NOW, query)
    assert lines == (
        b"X-Amz-Date: 20150830T123600Z\r\n"
        b"Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        b"SignedHeaders=host;x-amz-date, Signature=" + expected.encode() + b"\r\n"
    ), name


def by_botocore(
    method: str, host: str, path: str, body: bytes, keys: AwsKeys, now: float, query: str
) -> dict[str, str]:
    import datetime

    request = AWSRequest(method, f"https://{host}{path}{'?' + query if query else ''}", data=body)
    credentials = Credentials(keys.access_key, keys.secret_key, keys.session_token or None)
    moment = datetime.datetime.fromtimestamp(now, datetime.UTC)
    with patch("botocore.auth.get_current_datetime", lambda: moment):
        SigV4Auth(credentials, "bedrock", "eu-west-3").add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


@pytest.mark.parametrize("path", [CLAUDE, CLAUDE_ENCODED, PROFILE, "/", "/a//b/../c/", "/.."])
@pytest.mark.parametrize("token", ["", "FwoGZXIvYXdzE+session/token=="])
def test_it_signs_as_botocore_does(path: str, token: str) -> None:
    """Model ids with `:` and `%3A` in them are encoded once more, as botocore does for Bedrock; a session token is
    signed along."""
    keys, host, body = AwsKeys("AKIA", "secret", token), "bedrock-runtime.eu-west-3.amazonaws.com", b'{"messages":[]}'
    expected = by_botocore("POST", host, path, body, keys, NOW, "")
    lines = sign("POST", host, path, sha256(body).hexdigest(), keys, "eu-west-3", "bedrock", NOW)
    sent = dict(line.split(": ", 1) for line in lines.decode().split("\r\n")[:-1])
    assert {name.lower(): value for name, value in sent.items()} == expected


@given(
    path=PATHS,
    query=QUERIES,
    body=st.binary(max_size=40),
    secret=st.text("abcXYZ/+09", min_size=1, max_size=40),
    token=st.text("abcXYZ/+=09", max_size=20),
    now=st.integers(0, 4_000_000_000),
)
def test_any_request_is_signed_as_botocore_signs_it(
    path: str, query: list[tuple[str, str]], body: bytes, secret: str, token: str, now: int
) -> None:
    """Whatever path, query, body, keys and moment: the two signers agree."""
    asked = "&".join(f"{name}={value}" for name, value in query)
    keys = AwsKeys("AKIA", secret, token)
    expected = by_botocore("POST", "h.example", path, body, keys, now, asked)["authorization"]
    lines = sign("POST", "h.example", path, sha256(body).hexdigest(), keys, "eu-west-3", "bedrock", now, asked)
    assert f"Authorization: {expected}\r\n".encode() in lines


@pytest.mark.parametrize(
    "keys",
    [AwsKeys("AK\r\nX: y", "s"), AwsKeys("A", "s", "canary\n"), AwsKeys("A", "s", "canaryé"), AwsKeys("A\n", "s")],
)
def test_a_key_cannot_write_a_header(keys: AwsKeys) -> None:
    """Keys that are no header values raise, and the error does not show them."""
    with pytest.raises(ValueError, match="characters that no key has") as caught:
        sign("POST", "h", "/", EMPTY, keys, "r", "s", NOW)
    assert "canary" not in str(caught.value)


def test_the_signing_key_changes_with_the_day() -> None:
    """A key derived yesterday signs nothing today."""
    at = [sign("POST", "h", "/", EMPTY, SUITE_KEYS, "r", "s", moment) for moment in (NOW, NOW + 1)]
    assert [b"20251130/r/s" in at[0], b"20251201/r/s" in at[1]] == [True, True]
    assert signature(at[0]) != signature(at[1])
