"""Bytes that two parsers could read in two ways: 400, the connection ends, and nothing of them reaches an upstream."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.journey.gate import Gate, settings
from tests.journey.upstream import Upstream
from tests.journey.wire import Wire, request

TOKEN = b"@TOKEN@"
SECOND = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer @TOKEN@\r\nContent-Length: 2\r\n\r\n{}"
)
BODY = b'{"model":"plain","messages":[]}'


def head(*lines: bytes, line: bytes = b"POST /v1/chat/completions HTTP/1.1", host: bytes = b"Host: g\r\n") -> bytes:
    return (
        line
        + b"\r\n"
        + host
        + b"Authorization: Bearer @TOKEN@\r\n"
        + b"".join(each + b"\r\n" for each in lines)
        + b"\r\n"
    )


def sized(*lines: bytes, line: bytes = b"POST /v1/chat/completions HTTP/1.1", host: bytes = b"Host: g\r\n") -> bytes:
    return head(b"Content-Length: %d" % len(BODY), *lines, line=line, host=host) + BODY


SECOND = sized()
CHUNKED = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)

WIRES = {
    # what the parser would let through
    "absolute form": sized(line=b"POST http://g/v1/chat/completions HTTP/1.1"),
    "absolute form with userinfo": sized(line=b"POST http://u:p@g/v1/chat/completions HTTP/1.1"),
    "asterisk with POST": sized(line=b"POST * HTTP/1.1"),
    "fragment": sized(line=b"POST /v1/chat/completions#x HTTP/1.1"),
    "version 0.9": sized(line=b"POST /v1/chat/completions HTTP/0.9"),
    "version 2.0": sized(line=b"POST /v1/chat/completions HTTP/2.0"),
    "version 1.2": sized(line=b"POST /v1/chat/completions HTTP/1.2"),
    "RTSP": sized(line=b"POST /v1/chat/completions RTSP/1.0"),
    "ICE": sized(line=b"SOURCE /v1/chat/completions ICE/1.0"),
    "no Host": sized(host=b""),
    "two Hosts": sized(host=b"Host: g\r\nHost: g\r\n"),
    "a Host with a path": sized(host=b"Host: g/v1\r\n"),
    "a Host with userinfo": sized(host=b"Host: u@g\r\n"),
    "leading LF": b"\n" + sized(),
    "leading CR": b"\r" + sized(),
    "leading blank lines": b"\r\n" * 3 + sized(),
    "leading blank lines without end": b"\r\n" * 10_000,
    "two spaces": sized(line=b"POST  /v1/chat/completions HTTP/1.1"),
    "two spaces before the version": sized(line=b"POST /v1/chat/completions  HTTP/1.1"),
    "tab in the request line": sized(line=b"POST\t/v1/chat/completions HTTP/1.1"),
    "identity, chunked": head(b"Transfer-Encoding: identity, chunked") + CHUNKED,
    "gzip, chunked": head(b"Transfer-Encoding: gzip, chunked") + CHUNKED,
    "chunked twice": head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked") + CHUNKED,
    "chunked on 1.0": head(b"Transfer-Encoding: chunked", line=b"POST /v1/chat/completions HTTP/1.0") + CHUNKED,
    "Connection: Content-Length": sized(b"Connection: Content-Length"),
    "Connection: Authorization": sized(b"Connection: keep-alive, Authorization"),
    "two Authorizations": sized(b"Authorization: Bearer @TOKEN@"),
    # what it refuses by itself
    "two lengths": sized(b"Content-Length: 2"),
    "two equal lengths": sized(b"Content-Length: %d" % len(BODY)),
    "a list of lengths": head(b"Content-Length: 2, 2") + BODY,
    "a signed length": head(b"Content-Length: +%d" % len(BODY)) + BODY,
    "a hexadecimal length": head(b"Content-Length: 0x1f") + BODY,
    "an endless length": head(b"Content-Length: " + b"9" * 30) + BODY,
    "length and chunked": sized(b"Transfer-Encoding: chunked") + CHUNKED,
    "chunked and length": head(b"Transfer-Encoding: chunked", b"Content-Length: 2") + CHUNKED,
    "xchunked": head(b"Transfer-Encoding: xchunked") + CHUNKED,
    "chunked, identity": head(b"Transfer-Encoding: chunked, identity") + CHUNKED,
    "a folded line": sized(b"X-A: 1", b" folded: 2"),
    "a space before the colon": sized(b"X-A : 1"),
    "a bare LF": sized(b"X-A: 1\nX-B: 2"),
    "a bare CR": sized(b"X-A: 1\rX-B: 2"),
    "a NUL in a value": sized(b"X-A: 1\x002"),
    "a control byte in a name": sized(b"X\x01A: 1"),
    "a name that is none": sized(b"X(A): 1"),
    "a line without a colon": sized(b"X-A"),
    "CONNECT": b"CONNECT g:443 HTTP/1.1\r\nHost: g\r\n\r\n",
    "the HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64) + b"\r\n\r\n",
    "not ASCII": sized(line="POST /v1/chat/completions?é HTTP/1.1".encode()),
    "a space in the path": sized(line=b"POST /v1/chat completions HTTP/1.1"),
}

CHUNKS = {
    "no number": b"zz\r\n{}\r\n0\r\n\r\n",
    "a signed size": b"+2\r\n{}\r\n0\r\n\r\n",
    "a size with a prefix": b"0x2\r\n{}\r\n0\r\n\r\n",
    "a size with a blank": b" 2\r\n{}\r\n0\r\n\r\n",
    "forty zeros": b"0" * 40 + b"2\r\n{}\r\n0\r\n\r\n",
    "a size of 17 digits": b"1" + b"0" * 16 + b"\r\n{}\r\n",
    "a bare LF": b"2\n{}\r\n0\r\n\r\n",
    "a chunk that is longer": b"2\r\n{}x\r\n0\r\n\r\n",
    "an extension without end": b"2;" + b"x" * 10_000,
    "extensions beyond measure": b"".join(b"1;%b\r\n \r\n" % (b"x" * 1_000) for _ in range(40)),
    "trailers without end": b"2\r\n{}\r\n0\r\n" + b"X-A: 1\r\n" * 4_000,
}


@pytest.fixture(scope="module")
def gate(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    with Gate(tmp_path_factory.mktemp("gate"), settings(upstream.url), workers=1) as running:
        yield running
        assert upstream.lines() == [], "something of it reached the upstream"


def refused(gate: Gate, data: bytes) -> str:
    """Sends it with another request right behind: one answer, an orderly end, nothing more. Returns the code."""
    with Wire(gate.port) as wire:
        wire.send_while_it_takes((data + SECOND).replace(TOKEN, gate.token.encode()))
        answer = wire.answer()
        assert (answer.status, answer.header("connection")) == (400, "close"), answer
        assert answer.error["type"] == "invalid_request_error"
        assert answer.id
        assert wire.rest() == b""
    return str(answer.error["code"])


@pytest.mark.parametrize("name", WIRES)
def test_ambiguous_bytes_are_400_and_the_end(name: str, gate: Gate) -> None:
    assert refused(gate, WIRES[name]) == "malformed_http"


@pytest.mark.parametrize("name", CHUNKS)
def test_ambiguous_chunks_are_400_and_the_end(name: str, gate: Gate) -> None:
    """The caller is known by then: each leaves its record."""
    before = len(gate.records())
    assert refused(gate, head(b"Transfer-Encoding: chunked") + CHUNKS[name]) == "malformed_http"
    rows = gate.records()
    assert (len(rows), rows[-1]["status"], rows[-1]["error"]) == (before + 1, 400, "malformed_http")


@pytest.mark.parametrize("name", ["absolute form", "no Host", "two lengths", "a bare LF", "xchunked"])
def test_the_same_byte_by_byte(name: str, gate: Gate) -> None:
    """How TCP cuts it makes no difference."""
    with Wire(gate.port) as wire:
        for byte in WIRES[name].replace(TOKEN, gate.token.encode()):
            if not wire.send_while_it_takes(bytes((byte,))):
                break
        assert wire.answer().status == 400


@pytest.mark.parametrize(
    "data",
    [
        head(b"X-A: " + b"x" * 70_000),
        head(*[b"X-A: " + b"x" * 100] * 800),
        head(*[b"X-%d: 1" % number for number in range(150)]),
        b"GET /" + b"x" * 70_000,
    ],
    ids=["one long value", "many lines", "many short lines", "a path without end"],
)
def test_a_head_over_its_bounds_is_431(data: bytes, gate: Gate) -> None:
    with Wire(gate.port) as wire:
        wire.send_while_it_takes(data.replace(TOKEN, gate.token.encode()))
        answer = wire.answer()
        assert (answer.status, answer.error["code"], answer.header("connection")) == (431, "headers_too_large", "close")


def test_an_endless_head_costs_a_bounded_wait(gate: Gate) -> None:
    """32 MB of a header value: answered after 64 KiB of it, and the worker goes on."""
    with Wire(gate.port) as wire:
        sent = wire.send_while_it_takes(head(b"X-A: " + b"x" * 32_000_000))
        assert sent < 16_000_000
        assert wire.answer().status == 431
    with Wire(gate.port) as wire:
        assert wire.send(request("GET", "/livez")).answer().status == 200


def test_ten_thousand_pipelined_requests_keep_nobody_waiting(gate: Gate) -> None:
    """Only so many bytes of later requests are kept: the rest ends the connection, and others are served meanwhile."""
    with Wire(gate.port) as flood, Wire(gate.port) as other:
        flood.send_while_it_takes(request("GET", "/livez") * 10_000)
        assert other.send(request("GET", "/livez")).answer().status == 200
        assert flood.answer().status == 200
