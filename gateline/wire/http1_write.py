"""HTTP/1 heads as bytes: responses to clients, requests to upstreams. Nothing a caller passes can add a line."""

from __future__ import annotations

import http
import re
from collections.abc import Iterable

Pairs = Iterable[tuple[bytes, bytes]]

_LINES = re.compile(rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+: [^\x00-\x08\x0a-\x1f\x7f]*\r\n)*")
_TARGET = re.compile(rb"/[!\"$-~]*")
_HOST = re.compile(rb"[-._~%:\[\]A-Za-z0-9]+")

_STATUS_LINES: dict[int, bytes] = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in http.HTTPStatus
}


def status_line(status: int) -> bytes:
    return _STATUS_LINES.get(status) or b"HTTP/1.1 %d Unknown\r\n" % status


def header_lines(headers: Pairs) -> bytes:
    """The headers as lines, with their line ends. Raises ValueError for a name or value that HTTP does not allow:
    above all for a line end inside one, which would write a header of its own."""
    lines = [b"%b: %b\r\n" % header for header in headers]
    block = b"".join(lines)
    if block.count(b"\n") != len(lines) or _LINES.fullmatch(block) is None:
        raise ValueError("a header's name or value has bytes that HTTP does not allow")
    return block


def response_head(
    status: int,
    headers: Pairs = (),
    *,
    lines: bytes = b"",
    content_length: int | None = None,
    chunked: bool = False,
    close: bool = False,
) -> bytes:
    """A response's head. `lines` are header lines that were checked when they were made (`header_lines`,
    `filter_response_headers`); `headers` are checked here. Give `content_length`, or `chunked`, or neither (204, 304,
    or a body that ends with the connection)."""
    parts = [status_line(status), lines]
    if headers:
        parts.append(header_lines(headers))
    if content_length is not None:
        parts.append(b"content-length: %d\r\n" % content_length)
    elif chunked:
        parts.append(b"transfer-encoding: chunked\r\n")
    parts.append(b"connection: close\r\n\r\n" if close else b"\r\n")
    return b"".join(parts)


def request_head(
    method: bytes,
    path: bytes,
    host: bytes,
    headers: Pairs = (),
    content_length: int | None = None,
    *,
    lines: bytes = b"",
) -> bytes:
    """A request's head for an upstream. `path` is in origin-form, `host` with its port where that is not the default;
    `lines` as for `response_head`. Asks for no content coding: usage is read from what comes back.

    Raises ValueError when `path`, `host` or a header could write a line of its own.
    """
    if not method.isalpha() or _TARGET.fullmatch(path) is None or _HOST.fullmatch(host) is None:
        raise ValueError("an upstream's method, path or host has bytes that HTTP does not allow")
    checked = header_lines(headers) if headers else b""
    length = b"" if content_length is None else b"Content-Length: %d\r\n" % content_length
    return b"%b %b HTTP/1.1\r\nHost: %b\r\nAccept-Encoding: identity\r\n%b%b%b\r\n" % (
        method,
        path,
        host,
        lines,
        checked,
        length,
    )
