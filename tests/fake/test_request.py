"""Requests: what is read of their head and body."""

from __future__ import annotations

import pytest

from gateline.fake.request import Request


def request(body: bytes = b"", target: str = "/v1/x?a=1&key=k%20y", **headers: str) -> Request:
    return Request("POST", target, "1.1", list(headers.items()), body)


def test_path_query_and_token_are_read() -> None:
    """The path ends at the query; a token is one of the Bearer scheme only."""
    asked = request(Authorization="bearer t")
    assert (asked.path, asked.query("key"), asked.query("none"), asked.bearer()) == ("/v1/x", "k y", "", "t")
    assert request(Authorization="Basic t").bearer() == ""


def test_a_field_keeps_its_bytes() -> None:
    """What an answer hangs on is what came, blanks and all; the last of repeated names counts."""
    assert request(b'{"a": [1,  2], "a":[ 3 ]}').raw("a") == b"[ 3 ]"
    assert request(b"{}").raw("a") == b""


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"[" * 100_000, b'{"a":' * 100_000, b"\xff", b'"a"'])
def test_a_body_that_is_no_object_raises_value_error(body: bytes) -> None:
    """However broken, it ends as one kind of error."""
    with pytest.raises(ValueError):  # noqa: PT011  msgspec's own words
        request(body).json()
