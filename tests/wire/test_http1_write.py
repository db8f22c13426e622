from __future__ import annotations

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.wire.http1_write import header_lines, request_head, response_head


def read_response(raw: bytes) -> h11.Response:
    peer = h11.Connection(h11.CLIENT)
    peer.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    peer.receive_data(raw)
    event = peer.next_event()
    assert isinstance(event, h11.Response)
    return event


def read_request(raw: bytes) -> h11.Request:
    peer = h11.Connection(h11.SERVER)
    peer.receive_data(raw)
    event = peer.next_event()
    assert isinstance(event, h11.Request)
    return event


def test_a_response_head_reads_back() -> None:
    """Another implementation reads status, headers, ready-made lines and framing as they were meant."""
    raw = response_head(429, [(b"x-request-id", b"r1")], lines=b"content-type: a/b\r\n", content_length=3, close=True)
    response = read_response(raw)
    assert (response.status_code, bytes(response.reason)) == (429, b"Too Many Requests")
    assert list(response.headers) == [
        (b"content-type", b"a/b"), (b"x-request-id", b"r1"), (b"content-length", b"3"), (b"connection", b"close"),
    ]  # fmt: skip
    assert (b"transfer-encoding", b"chunked") in list(read_response(response_head(200, chunked=True)).headers)
    assert response_head(204) == b"HTTP/1.1 204 No Content\r\n\r\n"
    assert read_response(response_head(529)).status_code == 529


def test_a_request_head_reads_back() -> None:
    """Another implementation reads the upstream request; it asks for no content coding."""
    raw = request_head(
        b"POST", b"/v1/embeddings", b"[::1]:9000", [(b"a", b"b")], 7, lines=b"Authorization: Bearer k\r\n"
    )
    request = read_request(raw)
    assert (bytes(request.method), bytes(request.target)) == (b"POST", b"/v1/embeddings")
    assert dict(request.headers) == {
        b"host": b"[::1]:9000", b"accept-encoding": b"identity", b"authorization": b"Bearer k", b"a": b"b",
        b"content-length": b"7",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"a", b"b\r\nc: d"), (b"a", b"b\n"), (b"a", b"b\r"), (b"a", b"b\0"), (b"a\r\nb", b"c"), (b"a: b\r\nc", b"d"),
        (b"", b"c"), (b"a b", b"c"), (b"a:", b"c"), (b"a\xe9", b"c"), (b"a", b"\x7f"),
    ],
)  # fmt: skip
def test_a_header_cannot_write_a_line_of_its_own(name: bytes, value: bytes) -> None:
    """Line ends, NUL and bytes outside of a token raise instead of being written."""
    for write in (header_lines, lambda pairs: response_head(200, pairs), lambda p: request_head(b"GET", b"/", b"a", p)):
        with pytest.raises(ValueError, match="does not allow"):
            write([(b"x", b"y"), (name, value), (b"z", b"")])


@pytest.mark.parametrize(
    ("method", "path", "host"),
    [
        (b"GET /x", b"/", b"a"), (b"GET", b"/ HTTP/1.1\r\nX: y", b"a"), (b"GET", b"/", b"a\r\nX: y"),
        (b"GET", b"x", b"a"), (b"", b"/", b"a"), (b"GET", b"/", b""), (b"GET", b"/#a", b"a"),
    ],
)  # fmt: skip
def test_a_request_line_cannot_be_injected_into(method: bytes, path: bytes, host: bytes) -> None:
    """A method, path or host that could end its line raises."""
    with pytest.raises(ValueError, match="does not allow"):
        request_head(method, path, host)


@given(st.lists(st.tuples(st.binary(max_size=8), st.binary(max_size=12)), max_size=4))
def test_whatever_is_written_reads_back_as_many_headers(headers: list[tuple[bytes, bytes]]) -> None:
    """Any headers are either refused or read back as exactly as many."""
    try:
        block = header_lines(headers)
    except ValueError:
        return
    assert block.count(b"\r\n") == block.count(b"\n") == block.count(b"\r") == len(headers)
