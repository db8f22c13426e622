from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateline.model.errors import BadRequest, BadWire, GatewayError, HeadTooLarge, MethodNotAllowed
from gateline.wire.http1 import MAX_HEAD, HeadGuard, RequestHead, check_request_head
from gateline.wire.http1_read import read_request_head

HOST = (b"Host", b"gateline:8080")


def check(
    *headers: tuple[bytes, bytes],
    method: bytes = b"POST",
    target: bytes = b"/v1/chat/completions",
    version: str = "1.1",
    host: bool = True,
) -> RequestHead:
    return check_request_head(method, target, version, [HOST, *headers] if host else list(headers))


def outcome(raw: bytes, cuts: list[int]) -> str:
    """What becomes of `raw` cut at `cuts`: the guard, then the parser, then the check, as one word."""
    guard = HeadGuard()
    edges = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    for start, end in itertools.pairwise(edges):
        try:
            whole = guard.feed(raw[start:end]) if start < end else None
        except GatewayError as error:
            return type(error).__name__
        if whole is not None:
            return after_guard(whole[0])
    return "incomplete"


def after_guard(head: bytes) -> str:
    try:
        read_request_head(head, 100)
    except GatewayError as error:
        return type(error).__name__
    return "ok"


def test_a_usual_head_is_read_whole() -> None:
    """Every decided field of a client's usual head arrives where the pipeline reads it."""
    head = check(
        (b"Content-Type", b"application/json"),
        (b"Content-Length", b"250"),
        (b"Authorization", b"Bearer sk-gl-1"),
        (b"Connection", b"keep-alive"),
        target=b"/v1/chat/completions?a=1?b",
    )
    assert (head.method, head.path, head.query) == (b"POST", b"/v1/chat/completions", b"a=1?b")
    assert (head.content_length, head.chunked, head.keep_alive, head.expect_continue) == (250, False, True, False)
    assert (head.content_type, head.content_encoding, head.credential) == (b"application/json", b"", b"sk-gl-1")
    assert head.headers[b"host"] == b"gateline:8080"


@pytest.mark.parametrize(
    "target",
    [
        b"http://evil/v1/models", b"http://user:pw@host/", b"*", b"", b"v1/models", b"/v1#frag", b"/v1/a b", b"/\x7f",
        b"/\x01", b"/caf\xc3\xa9", b"/a\tb", b"host:443",
    ],
)  # fmt: skip
def test_only_origin_form_targets_pass(target: bytes) -> None:
    """A target with a host, a fragment, or a byte that is not printable ASCII breaks the wire."""
    with pytest.raises(BadWire):
        check(target=target)


@pytest.mark.parametrize("version", ["0.9", "2.0", "1.2", "3.0", ""])
def test_other_versions_break_the_wire(version: str) -> None:
    """Only HTTP/1.0 and HTTP/1.1 are spoken."""
    with pytest.raises(BadWire):
        check(version=version)


def test_host_is_needed_once() -> None:
    """HTTP/1.1 needs exactly one Host, HTTP/1.0 none or one; a Host with a path, userinfo or list in it is refused."""
    with pytest.raises(BadWire):
        check(host=False)
    with pytest.raises(BadWire):
        check(HOST)
    with pytest.raises(BadWire):
        check((b"hOST", b"other"))
    assert check(host=False, version="1.0").keep_alive is False
    for value in (b"a/b", b"u@h", b"a,b", b"a b", b"h\xc3\xa9"):
        with pytest.raises(BadWire):
            check((b"Host", value), host=False)
    for value in (b"[::1]:8080", b"localhost", b""):
        assert check((b"Host", value), host=False).headers[b"host"] == value


@pytest.mark.parametrize(
    "headers",
    [
        [(b"Content-Length", b"5"), (b"Content-Length", b"5")],
        [(b"Content-Length", b"5"), (b"Transfer-Encoding", b"chunked")],
        [(b"Transfer-Encoding", b"chunked"), (b"Transfer-Encoding", b"chunked")],
        [(b"Transfer-Encoding", b"identity, chunked")],
        [(b"Transfer-Encoding", b"gzip, chunked")],
        [(b"Transfer-Encoding", b"xchunked")],
        [(b"Transfer-Encoding", b"")],
        [(b"Content-Length", b"+5")],
        [(b"Content-Length", b"5 ")],
        [(b"Content-Length", b"0x5")],
        [(b"Content-Length", b"")],
        [(b"Content-Length", b"9" * 19)],
        [(b"Connection", b"content-length")],
        [(b"Connection", b"keep-alive, Content-Length")],
        [(b"Connection", b"close, AUTHORIZATION")],
        [(b"Connection", b"close"), (b"Connection", b"host")],
        [(b"Content-Type", b"a/b"), (b"content-type", b"a/b")],
        [(b"Authorization", b"Bearer a"), (b"Authorization", b"Bearer a")],
    ],
)
def test_ambiguous_framing_breaks_the_wire(headers: list[tuple[bytes, bytes]]) -> None:
    """What two parsers could read in two ways closes the connection."""
    with pytest.raises(BadWire) as caught:
        check(*headers)
    assert caught.value.close


def test_chunked_is_for_http_1_1_only() -> None:
    """`Transfer-Encoding: chunked` is taken in any case on 1.1, and refused on 1.0."""
    assert check((b"Transfer-Encoding", b"Chunked")).chunked
    with pytest.raises(BadWire):
        check((b"Transfer-Encoding", b"chunked"), version="1.0")


@pytest.mark.parametrize(
    ("version", "connection", "kept"),
    [
        ("1.1", None, True), ("1.1", b"close", False), ("1.1", b"Keep-Alive", True), ("1.0", None, False),
        ("1.0", b"keep-alive", True), ("1.1", b"Upgrade, HTTP2-Settings", True), ("1.1", b"upgrade, Close", False),
        ("1.0", b"te", False), ("1.0", b"te, keep-alive", True),
    ],
)  # fmt: skip
def test_keep_alive_follows_version_and_connection(version: str, connection: bytes | None, kept: bool) -> None:
    """HTTP/1.1 stays open unless told to close, HTTP/1.0 closes unless told to stay; an h2c upgrade is just ignored."""
    headers = [] if connection is None else [(b"Connection", connection)]
    assert check(*headers, version=version).keep_alive is kept


def test_expectations() -> None:
    """`100-continue` is met on 1.1, ignored on 1.0; any other expectation fails."""
    assert check((b"Expect", b"100-Continue")).expect_continue
    assert not check((b"Expect", b"100-continue"), version="1.0").expect_continue
    with pytest.raises(BadWire):
        check((b"Expect", b"200-ok"))


@pytest.mark.parametrize("method", [b"CONNECT", b"TRACE", b"PRI", b"BREW"])
def test_other_methods_are_not_allowed(method: bytes) -> None:
    """A method that is not listed is 405, but only once the framing is sound."""
    with pytest.raises(MethodNotAllowed):
        check(method=method)
    with pytest.raises(BadWire):
        check((b"Transfer-Encoding", b"gzip"), method=method)


@pytest.mark.parametrize(
    ("headers", "credential"),
    [
        ([], None),
        ([(b"Authorization", b"bEARER  abc ")], b"abc"),
        ([(b"Authorization", b"Bearer")], None),
        ([(b"Authorization", b"Bearer ")], None),
        ([(b"Authorization", b"Basic abc")], None),
        ([(b"x-api-key", b"abc")], b"abc"),
        ([(b"Api-Key", b"abc")], b"abc"),
        ([(b"X-Goog-Api-Key", b"abc")], b"abc"),
        ([(b"x-api-key", b"abc"), (b"Authorization", b"Bearer abc"), (b"api-key", b"abc")], b"abc"),
        ([(b"x-api-key", b""), (b"Authorization", b"Bearer abc")], b"abc"),
        ([(b"x-api-key", b"abc"), (b"Authorization", b"Bearer")], b"abc"),
    ],
)
def test_one_credential_is_found(headers: list[tuple[bytes, bytes]], credential: bytes | None) -> None:
    """The token is found in any of the four headers; shown twice it is still one."""
    assert check(*headers).credential == credential


@pytest.mark.parametrize(
    "headers",
    [
        [(b"Authorization", b"Bearer a"), (b"x-api-key", b"b")],
        [(b"x-api-key", b"a"), (b"api-key", b"b")],
        [(b"api-key", b"a"), (b"x-goog-api-key", b"ab")],
        [(b"Authorization", b"Basic a"), (b"x-api-key", b"a")],
    ],
)
def test_two_credentials_are_refused_without_being_shown(headers: list[tuple[bytes, bytes]]) -> None:
    """Two different credentials are 400, and the message quotes neither."""
    with pytest.raises(BadRequest) as caught:
        check(*headers)
    assert not isinstance(caught.value, BadWire)
    assert caught.value.reason == "ambiguous_credentials"


GEMINI = b"/v1beta/models/m:streamGenerateContent"


@pytest.mark.parametrize(
    ("query", "credential", "left"),
    [
        (b"key=abc", b"abc", b""),
        (b"key=abc&alt=sse", b"abc", b"alt=sse"),
        (b"alt=sse&key=abc", b"abc", b"alt=sse"),
        (b"a=1&key=abc&b=%20?2", b"abc", b"a=1&b=%20?2"),
        (b"key=abc&key=abc", b"abc", b""),
        (b"%6bey=a%62c", b"abc", b""),
        (b"a=1&%6B%65%79=abc", b"abc", b"a=1"),
        (b"key=", None, b""),
        (b"key&key=abc&key", b"abc", b""),
        (b"key=a=b", b"a=b", b""),
        (b"keys=abc&monkey=1&x=key", None, b"keys=abc&monkey=1&x=key"),
        (b"Key=abc", None, b"Key=abc"),
    ],
)
def test_a_key_of_the_query_is_a_credential(query: bytes, credential: bytes | None, left: bytes) -> None:
    """`?key=`, as Google's SDKs and curl users send it, is the token; the query that is kept has none, and all else of
    it byte for byte."""
    head = check(target=GEMINI + b"?" + query)
    assert (head.path, head.query, head.credential) == (GEMINI, left, credential)


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        (b"key=canary1", [(b"x-goog-api-key", b"canary2")]),
        (b"key=canary1", [(b"Authorization", b"Bearer canary2")]),
        (b"key=canary1", [(b"Authorization", b"Basic canary1")]),
        (b"key=canary1&key=canary2", []),
        (b"key=canary1&ke%79=canary2", []),
    ],
)
def test_a_key_of_the_query_may_not_differ(query: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    """Two different credentials are 400 wherever they stand, and the message quotes neither; the same twice is one."""
    with pytest.raises(BadRequest) as caught:
        check(*headers, target=GEMINI + b"?" + query)
    assert caught.value.reason == "ambiguous_credentials"
    assert "canary" not in str(caught.value)
    same = check((b"x-goog-api-key", b"canary1"), target=GEMINI + b"?key=canary1")
    assert (same.credential, same.query) == (b"canary1", b"")


def test_list_headers_are_joined() -> None:
    """Repeated list headers become one value in order; cookies are joined their own way."""
    head = check((b"Accept", b"a/b"), (b"accept", b"c/d"), (b"Cookie", b"x=1"), (b"Cookie", b"y=2"))
    assert head.headers[b"accept"] == b"a/b, c/d"
    assert head.headers[b"cookie"] == b"x=1; y=2"


HEADS = [
    (b"GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n", "ok"),
    (b"\r\n\r\nGET /v1/models HTTP/1.1\r\nHost: a\r\n\r\nrest", "ok"),
    (b"\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "BadWire"),
    (b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "BadWire"),
    (b"\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", "BadWire"),
    (b"\r\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "BadWire"),
    (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "BadWire"),
    (b"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", "BadWire"),
    (b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", "BadWire"),
    (b"GET /\r\nHost: a\r\n\r\n", "BadWire"),
    (b"GET / HTTP/1.1\nHost: a\r\n\r\n", "BadWire"),
    (b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", "BadWire"),
    (b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", "BadWire"),
    (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", "BadWire"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", "BadWire"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX\x00: b\r\n\r\n", "BadWire"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n", "BadWire"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n", "BadWire"),
    (b"GET / RTSP/1.0\r\nHost: a\r\n\r\n", "BadWire"),
    (b"SOURCE / ICE/1.0\r\nHost: a\r\n\r\n", "BadWire"),
    (b"GET / HTTP/0.9\r\nHost: a\r\n\r\n", "BadWire"),
    (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", "BadWire"),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "BadWire"),
    (b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "BadWire"),
    (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", "BadWire"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: upgrade\r\nContent-Length: 0\r\n\r\n", "ok"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "BadWire"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity, chunked\r\n\r\n", "BadWire"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: \xe9\r\n\r\n", "ok"),
]


@pytest.mark.parametrize(("raw", "word"), HEADS)
def test_any_cut_has_the_same_outcome(raw: bytes, word: str) -> None:
    """Wherever TCP cuts a head, guard, parser and check together say the same."""
    assert outcome(raw, []) == word
    for cut in range(len(raw)):
        assert outcome(raw, [cut]) == word
    assert outcome(raw, list(range(len(raw)))) == word


@given(st.sampled_from([raw for raw, _ in HEADS]), st.lists(st.integers(0, 120), max_size=12))
def test_many_cuts_have_the_same_outcome(raw: bytes, cuts: list[int]) -> None:
    """The same for several cuts at once."""
    assert outcome(raw, cuts) == outcome(raw, [])


@given(
    st.lists(st.sampled_from([b"GET ", b"/", b" ", b"HTTP/1.1", b"\r\n", b"\r", b"\n", b"Host: a", b":", b"X"])),
    st.lists(st.integers(0, 120), max_size=4),
)
@example(parts=[b"GET ", b"/ HTTP/1.1\r", b"\n"], cuts=[12])
def test_a_guard_never_passes_what_it_refuses_elsewhere(parts: list[bytes], cuts: list[int]) -> None:
    """For bytes of any shape: a refused head is refused at every cut, a passed one is passed at every cut.

    A refusal may only come earlier: what is refused while incomplete would be refused by the parser later.
    """
    raw = b"".join(parts) + b"\r\n\r\n"
    whole, cut = outcome(raw, []), outcome(raw, cuts)
    assert (whole == "ok") == (cut == "ok")


def test_the_guard_bounds_a_head_at_every_read_size() -> None:
    """A head over the limit is refused whole, in pieces, and while it is still growing; one at the limit passes."""
    start = b"GET / HTTP/1.1\r\nHost: a\r\nX: "
    fits = start + b"a" * (MAX_HEAD - len(start) - 4) + b"\r\n\r\n"
    assert HeadGuard().feed(fits) == (fits, b"")
    over = fits[:-4] + b"a\r\n\r\n"
    with pytest.raises(HeadTooLarge):
        HeadGuard().feed(over)
    assert outcome(start + b"a" * 10 * MAX_HEAD, list(range(0, 10 * MAX_HEAD, 4096))) == "HeadTooLarge"


def test_the_guard_gives_back_what_follows_a_head() -> None:
    """Body and pipelined requests come back untouched, and the guard serves the next request."""
    guard = HeadGuard()
    head = b"POST / HTTP/1.1\r\nHost: a\r\n\r\n"
    assert guard.is_idle
    assert guard.feed(head[:7]) is None
    assert not guard.is_idle
    assert guard.feed(head[7:] + b"\r\n\nbody\0") == (head, b"\r\n\nbody\0")
    assert guard.is_idle
    assert guard.feed(b"\r\n" + head) == (head, b"")
