"""The usual reply, read in one pass: wherever an answer is given, the full parser gives the same."""

from __future__ import annotations

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.wire.header_policy import filter_response_headers
from gateline.wire.plain_reply import read_plain_reply

LINES = [
    b"Content-Type: application/json", b"content-type:application/json", b"Content-Type: text/event-stream",
    b"Content-Type: Text/Event-Stream; charset=utf-8", b"Content-Length: 5", b"content-length:\t12",
    b"Content-Length: 05", b"Content-Length: 5, 5", b"Content-Length: -1", b"Content-Length: 5 ", b"Content-Length:",
    b"Connection: keep-alive", b"Connection: close", b"Connection: Keep-Alive", b"connection: x, close",
    b"Transfer-Encoding: chunked", b"Content-Encoding: gzip", b"Set-Cookie: a=b", b"retry-after: 3", b" folded",
    b"openai-version: 2020-10-01 ", b"X: \xff\x80", b"Cache-Control:", b"a b: c", b": c", b"X:\ty", b"Upgrade: h2c",
    b"Trailer: x", b"Cache-Control: no\x00",
]  # fmt: skip
STARTS = [
    b"HTTP/1.1 200 OK", b"HTTP/1.1 200", b"HTTP/1.1 200 ", b"HTTP/1.1 2000 OK", b"HTTP/1.0 200 OK", b"HTTP/1.1 204 No",
    b"HTTP/1.1 100 Continue", b"HTTP/1.1  200 OK", b"HTTP/1.1 200 \xc3\xa9", b"http/1.1 200 OK", b"HTTP/1.1 200OK",
]  # fmt: skip
heads = st.builds(
    lambda start, fields, end: b"\r\n".join([start, *fields]) + end,
    st.sampled_from(STARTS),
    st.lists(st.sampled_from(LINES), max_size=6),
    st.sampled_from([b"\r\n\r\n", b"\r\n\r\n", b"\r\n\r\n", b"\n\n", b"\r\n", b"\r\n\r"]),
)


class Parsed:
    """A reply as httptools reads it."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.headers: list[tuple[bytes, bytes]] = []
        self.complete = False
        self.keeps_alive: bool | None = None  # known once the head is whole
        self.body = b""

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.keeps_alive = self.parser.should_keep_alive()

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.complete = True


def check(head: bytes, body: bytes) -> None:
    """Fails when an answer is given that the full parser would not give."""
    plain = read_plain_reply(head + body)
    if plain is None:
        return
    parsed = Parsed()
    parsed.parser.feed_data(head + body)  # must not raise
    assert parsed.keeps_alive is True
    assert parsed.parser.get_status_code() == 200
    fields = dict(parsed.headers)
    assert int(fields[b"content-length"]) == plain.length
    assert not fields.keys() & {b"transfer-encoding", b"content-encoding"}
    assert not fields.get(b"content-type", b"").lower().startswith(b"text/event-stream")
    assert filter_response_headers(parsed.headers) == plain.lines
    arrived = (head + body)[plain.body_at :]
    assert parsed.complete == (len(arrived) >= plain.length)
    assert parsed.body == arrived[: plain.length]


@given(heads, st.sampled_from([b"", b"hel", b"hello", b"hello world!"]))
def test_it_agrees_with_the_full_parser(head: bytes, body: bytes) -> None:
    """Status, length, keep-alive, the headers that pass and where the body begins are those of httptools."""
    check(head, body)


@given(heads, st.integers(0, 200), st.sampled_from([b"\r", b"\n", b"\x00", b" ", b":", b"1", b""]))
def test_it_agrees_after_one_byte_was_changed(head: bytes, at: int, byte: bytes) -> None:
    """The same for heads that are nearly right."""
    at %= len(head)
    check(head[:at] + byte + head[at + 1 :], b"hello")


def test_the_usual_reply_is_answered() -> None:
    """An everyday reply is read here, and only the headers that pass come out."""
    head = (
        b"HTTP/1.1 200 OK\r\nDate: x\r\nContent-Type: application/json\r\nSet-Cookie: a=b\r\nx-request-id: u\r\n"
        b"openai-version: 2020-10-01\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\n"
    )
    plain = read_plain_reply(head + b"{}")
    assert plain is not None
    assert plain.lines == b"content-type: application/json\r\nopenai-version: 2020-10-01\r\n"
    assert (plain.length, plain.body_at) == (2, len(head))


@pytest.mark.parametrize("cut", range(64))
def test_a_head_that_is_not_whole_gets_no_answer(cut: int) -> None:
    """A part of a head is left to the parser, which waits for the rest."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 2\r\n\r\n"
    assert (read_plain_reply(head[:cut]) is None) == (cut < len(head))


@pytest.mark.parametrize(
    "line",
    [
        b"Transfer-Encoding: chunked", b"Content-Encoding: gzip", b"Connection: close", b"Upgrade: h2c", b"Trailer: x",
        b"Content-Type: text/event-stream", b"Content-Type: TEXT/EVENT-STREAM", b"Content-Length: 2",
    ],
)  # fmt: skip
def test_what_is_not_plain_is_left_to_the_parser(line: bytes) -> None:
    """A stream, a coding, a second length or an end of the connection is none of the usual."""
    assert read_plain_reply(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n%b\r\n\r\n{}" % line) is None
