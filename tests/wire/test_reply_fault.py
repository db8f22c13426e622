"""A parser's complaints, by what they mean for the caller of an upstream."""

from __future__ import annotations

import httptools
import pytest

from gateline.model.errors import UpstreamBroken
from gateline.wire.reply_fault import reply_fault


class Raising:
    """A parser's owner whose callback fails with `error`."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def on_headers_complete(self) -> None:
        raise self._error


def complaint(wire: bytes, owner: object) -> Exception:
    with pytest.raises((httptools.HttpParserError, httptools.HttpParserUpgrade)) as caught:
        httptools.HttpResponseParser(owner).feed_data(wire)
    return caught.value


def test_what_our_own_callback_raised_comes_through() -> None:
    """An UpstreamError keeps its words; any other error says no more than that the reply is broken."""
    wire = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    own = UpstreamBroken("said by a callback")
    assert reply_fault(complaint(wire, Raising(own))) is own
    assert "secret" not in str(reply_fault(complaint(wire, Raising(KeyError("secret")))))


def test_bytes_that_are_no_reply_are_told_from_a_switch_of_protocols() -> None:
    assert "valid HTTP" in str(reply_fault(complaint(b"SSH-2.0\r\n", object())))
    switched = b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"
    assert "switched" in str(reply_fault(complaint(switched, object())))
