"""Whole heads, from bytes to what the server acts on."""

from __future__ import annotations

import pytest

from gateline.model.errors import BadWire, GatewayError, HeadTooLarge, MethodNotAllowed
from gateline.wire.http1_read import read_request_head

HEAD = b"POST /v1/x?a=b HTTP/1.1\r\nHost: a\r\nX-Api-Key: k\r\nContent-Length: 3\r\n\r\n"


def test_a_head_is_read_whole() -> None:
    """Method, path, query, framing and credential are those of the bytes."""
    head = read_request_head(HEAD, 3)
    assert (head.method, head.path, head.query, head.content_length) == (b"POST", b"/v1/x", b"a=b", 3)
    assert (head.credential, head.keep_alive, head.version_minor) == (b"k", True, 1)


def test_a_long_target_is_joined() -> None:
    """A target is whole, however the parser hands it over."""
    path = b"/" + b"p" * 50_000
    assert read_request_head(HEAD.replace(b"/v1/x", path), 3).path == path


def test_fields_are_counted() -> None:
    """One field more than allowed is refused."""
    with pytest.raises(HeadTooLarge, match="more than 2 header fields"):
        read_request_head(HEAD, 2)


def test_an_upgrade_is_no_obstacle() -> None:
    """`Upgrade: h2c`, which the parser stops at, is a request like any other."""
    head = read_request_head(HEAD[:-2] + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 9)
    assert head.content_length == 3


@pytest.mark.parametrize(
    ("wire", "refusal"),
    [
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", MethodNotAllowed),
        (HEAD[:-2] + b"Content-Length: 3\r\n\r\n", BadWire),
        (HEAD[:-2] + b"Bad Name: x\r\n\r\n", BadWire),
        (HEAD.replace(b"Host: a\r\n", b""), BadWire),
    ],
)
def test_what_is_no_request_is_refused(wire: bytes, refusal: type[GatewayError]) -> None:
    """What the parser refuses and what the check does end as errors of the one tree."""
    with pytest.raises(GatewayError) as caught:
        read_request_head(wire, 9)
    assert isinstance(caught.value, refusal | BadWire)
