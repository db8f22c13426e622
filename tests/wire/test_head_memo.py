"""A head that comes again: recognised exactly when a full parse would say the same of it."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateline.model.errors import GatewayError
from gateline.wire.head_memo import HeadMemo
from gateline.wire.http1 import HeadGuard, RequestHead
from gateline.wire.http1_read import read_request_head

LINES = [
    b"Host: a", b"host: a", b"Host: b", b"Content-Length: 5", b"content-length:7", b"CONTENT-LENGTH: \t 07",
    b"Content-Length: 5 ", b"Content-Length: 123456789012345678", b"Content-Length: 1234567890123456789",
    b"Content-Length: +5", b"Content-Length: 5, 5", b"Content-Length: ", b"Transfer-Encoding: chunked",
    b"Authorization: Bearer k", b"Authorization: Bearer kk", b"X-Content-Length: 9", b"Connection: close", b"A:",
    b"Expect: 100-continue", b"X: content-length: 3",
]  # fmt: skip
lines = st.lists(st.sampled_from(LINES), min_size=1, max_size=5)
HOSTS, LENGTHS, OTHERS = LINES[:3], LINES[3:8], LINES[13:14] + LINES[15:]
sound = st.builds(  # most of these are heads that pass
    lambda host, length, others: [*others[:1], host, *length, *others[1:]],
    st.sampled_from(HOSTS),
    st.lists(st.sampled_from(LENGTHS), max_size=1),
    st.lists(st.sampled_from(OTHERS), max_size=3, unique=True),
)
starts = st.sampled_from([b"POST /a HTTP/1.1", b"POST /b HTTP/1.1", b"GET /a HTTP/1.1", b"POST /a HTTP/1.0"])
bodies = st.sampled_from([b"", b"hello", b"GET /", b"\r\n", b"5\r\n\r\n"])
Verdict = tuple[RequestHead, int] | None


def parse(data: bytes) -> Verdict:
    """The checked head at the start of `data` and where its body begins; None when it is refused or not whole."""
    try:
        found = HeadGuard().feed(data)
        if found is None:
            return None
        head = read_request_head(found[0], 100)
    except GatewayError:
        return None
    return head, len(data) - len(found[1])


def wire(start: bytes, fields: list[bytes]) -> bytes:
    return b"\r\n".join([start, *fields, b"", b""])


@given(starts, sound, starts, lines, bodies)
def test_a_match_is_what_a_parse_would_say(
    start: bytes, fields: list[bytes], start2: bytes, fields2: list[bytes], body: bytes
) -> None:
    """For any two heads: when the memo of one recognises the other, a full parse of that other agrees in every field
    but the bytes of its length header; and the same head again is always recognised."""
    first = wire(start, fields)
    known = parse(first)
    assume(known is not None)
    assert known is not None
    memo = HeadMemo(first, known[0])
    assert memo.match(first + body) == len(first)
    agrees(memo, wire(start2, fields2) + body)


@given(starts, sound, st.data())
def test_a_head_that_is_nearly_the_same_is_judged_as_a_parse_judges_it(
    start: bytes, fields: list[bytes], draw: st.DataObject
) -> None:
    """One byte changed, put in or taken out, and the memo still says nothing that a parse does not say."""
    first = wire(start, fields)
    known = parse(first)
    assume(known is not None)
    assert known is not None
    memo = HeadMemo(first, known[0])
    at = draw.draw(st.integers(0, len(first) - 1))
    byte = draw.draw(st.sampled_from([b"0", b"9", b" ", b"\r", b"\n", b":", b"a", b"\x00", b""]))
    end = draw.draw(st.sampled_from([at, at + 1]))
    agrees(memo, first[:at] + byte + first[end:])


def agrees(memo: HeadMemo, data: bytes) -> None:
    body_at = memo.match(data)
    if not body_at:
        return
    parsed = parse(data)
    assert parsed is not None, "recognised what a parse refuses"
    head, parsed_at = parsed
    assert body_at == parsed_at
    head.headers.pop(b"content-length", None)
    memo.request.headers.pop(b"content-length", None)
    assert memo.request == head


def test_only_the_digits_of_the_length_may_differ() -> None:
    """A new length is taken over; a length without digits, with too many, or with anything else is not recognised."""
    head = wire(b"POST /a HTTP/1.1", [b"Host: a", b"Content-Length: 5", b"X: y"])
    known = parse(head)
    assert known is not None
    memo = HeadMemo(head, known[0])
    longer = head.replace(b": 5", b": 1234")
    assert memo.match(longer + b"body") == len(longer)
    assert memo.request.content_length == 1234
    for value in (b"", b"-1", b"1 2", b"5x", b"0x5", b"5;", b"9" * 19):
        assert memo.match(head.replace(b": 5", b": " + value)) == 0
    assert memo.request.content_length == 1234


@pytest.mark.parametrize("cut", range(60))
def test_a_head_that_is_not_whole_is_not_recognised(cut: int) -> None:
    """However much of a known head has come, only all of it is recognised."""
    head = wire(b"POST /a HTTP/1.1", [b"Host: a", b"Content-Length: 5"])
    known = parse(head)
    assert known is not None
    assert len(head) < 60
    assert HeadMemo(head, known[0]).match(head[:cut]) == (len(head) if cut >= len(head) else 0)
