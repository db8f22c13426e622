"""HTTP/1 requests: what the parser (llhttp) lets through and a gateway must not. Knows RFC 9110 and 9112, no sockets.

`HeadGuard` looks at the bytes before the parser does; `check_request_head` looks at what the parser made of them.
Anything two parsers could read in two ways is refused here, since one of them may stand in front of or behind us.
"""

from __future__ import annotations

import re
import string
from urllib.parse import unquote_to_bytes

import msgspec

from gateline.model.errors import BadRequest, BadWire, HeadTooLarge, MethodNotAllowed

MAX_HEAD = 65_536
_LEADING_LINES = 2  # RFC 9112, section 2.2: at least one empty line ahead of a request is to be ignored

_VERSIONS = (b" HTTP/1.1", b" HTTP/1.0")
_LINE_END = "a line must end in CR LF"
_REQUEST_LINE = "the request line must be a method, a path and HTTP/1.1 or HTTP/1.0, one space apart"

METHODS = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"})

_TARGET_BYTES = bytes(set(range(0x21, 0x7F)) - set(b"#"))  # printable ASCII; "#" begins a fragment
_HOST_BYTES = string.ascii_letters.encode() + string.digits.encode() + b"-._~%:[]"

# Headers that may come once: of two, one parser takes the first and another the last.
_ONCE = frozenset({
    b"host", b"content-length", b"transfer-encoding", b"content-type", b"content-encoding", b"expect",
    b"authorization", b"proxy-authorization", b"x-api-key", b"api-key", b"x-goog-api-key", b"user-agent", b"date",
    b"from", b"origin", b"referer", b"max-forwards", b"if-modified-since", b"if-unmodified-since", b"range",
    b"idempotency-key", b"access-control-request-method",
})  # fmt: skip
# Headers that `Connection` may not name: a proxy behind us would drop them.
_END_TO_END = frozenset({
    b"host", b"content-length", b"transfer-encoding", b"content-type", b"content-encoding", b"expect",
    b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key", b"trailer",
})  # fmt: skip
AMBIGUOUS = "ambiguous_credentials"

_KEY_HEADERS = (b"x-api-key", b"api-key", b"x-goog-api-key")
# Google's way of sending one in the URL, however its name is spelled: cloud.google.com/apis/docs/system-parameters
_QUERY_KEY = re.compile(rb"(?:^|&)(?:k|%6[Bb])(?:e|%65)(?:y|%79)(?:=([^&]*))?(?=&|\Z)")


class RequestHead(msgspec.Struct):
    """A request's head, checked. `headers` has lower-case names; repeated list headers are joined by `, `.

    `credential` is the one token the caller showed, None if none; `content_length` is None when not announced, `path`
    ends before the `?`, `query` begins after it and has no `key`, which is a credential: nobody can pass it on or quote
    it. `version_minor` is 0 or 1. `facts` is its handler's: what follows from this head alone, kept for as long as the
    connection repeats the head.
    """

    method: bytes
    path: bytes
    query: bytes
    version_minor: int
    headers: dict[bytes, bytes]
    keep_alive: bool
    expect_continue: bool
    content_length: int | None
    chunked: bool
    content_type: bytes
    content_encoding: bytes
    credential: bytes | None
    facts: object | None = None


def check_request_line(line: bytes) -> None:
    """Refuses what the parser does not tell: more than one space between the parts, and RTSP/1.0 or ICE/1.0, which it
    reports as version 1.0."""
    if line.count(b" ") != 2 or line[-9:] not in _VERSIONS:
        raise BadWire(_REQUEST_LINE)


def check_request_head(method: bytes, target: bytes, version: str, headers: list[tuple[bytes, bytes]]) -> RequestHead:
    """The head, or the error that answers it. Raises BadWire for what breaks HTTP (close the connection),
    MethodNotAllowed, and BadRequest for two different credentials."""
    minor = 1 if version == "1.1" else 0
    if minor == 0 and version != "1.0":
        raise BadWire("speak HTTP/1.1 or HTTP/1.0")
    if target[:1] != b"/" or target.translate(None, _TARGET_BYTES):
        raise BadWire("the request target must be a path in printable ASCII, without a host and without a fragment")
    fields = _collect(headers)
    get = fields.get
    host = get(b"host")
    if (host is None and minor == 1) or (host and host.translate(None, _HOST_BYTES)):
        raise BadWire("HTTP/1.1 needs one Host header with nothing but a host in it")
    length, chunked = _framing(get(b"content-length"), get(b"transfer-encoding"), minor)
    connection = get(b"connection")
    keep_alive = minor == 1 if connection is None else _keeps_alive(connection, minor)
    expect = get(b"expect")
    if expect is not None and expect.lower() != b"100-continue":
        raise BadWire("the only expectation met here is 100-continue")
    if method not in METHODS:
        raise MethodNotAllowed("this method is not served here: use GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS")
    path, _, query = target.partition(b"?")
    keys: list[bytes] = []
    if query and _QUERY_KEY.search(query) is not None:
        keys = [unquote_to_bytes(key) for key in _QUERY_KEY.findall(query) if key]
        query = _QUERY_KEY.sub(b"", query).removeprefix(b"&")
    return RequestHead(
        method,
        path,
        query,
        minor,
        fields,
        keep_alive,
        expect is not None and minor == 1,
        length,
        chunked,
        get(b"content-type", b""),
        get(b"content-encoding", b""),
        _credential(fields, keys),
    )


def _collect(headers: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    fields: dict[bytes, bytes] = {}
    for name, value in headers:
        key = name.lower()
        if key not in fields:
            fields[key] = value
        elif key in _ONCE:
            raise BadWire(f"the header {key.decode('latin-1')} may be sent once")
        else:
            fields[key] += (b"; " if key == b"cookie" else b", ") + value
    return fields


def _framing(length: bytes | None, coding: bytes | None, minor: int) -> tuple[int | None, bool]:
    if coding is not None:
        if length is not None:
            raise BadWire("send Content-Length or Transfer-Encoding, not both")
        if minor == 0 or coding.lower() != b"chunked":
            raise BadWire("the only Transfer-Encoding is chunked, and only in HTTP/1.1")
        return None, True
    if length is None:
        return None, False
    if not length.isdigit() or len(length) > 18:
        raise BadWire("Content-Length must be a number of bytes")
    return int(length), False


def _keeps_alive(connection: bytes, minor: int) -> bool:
    lowered = connection.lower()
    if lowered == b"keep-alive":
        return True
    if lowered == b"close":
        return False
    options = {option.strip(b" \t") for option in lowered.split(b",")}
    if not options.isdisjoint(_END_TO_END):
        raise BadWire("Connection may not name a header that is meant for the other end")
    return b"close" not in options and (minor == 1 or b"keep-alive" in options)


def _credential(fields: dict[bytes, bytes], keys: list[bytes]) -> bytes | None:
    """Two different credentials make the caller ambiguous: what we check, the next hop might not use. `keys` are those
    of the query."""
    token: bytes | None = None
    foreign = False  # a scheme we do not take still speaks for somebody
    authorization = fields.get(b"authorization")
    if authorization:
        if authorization[:7].lower() == b"bearer ":
            token = authorization[7:].strip(b" ") or None
        else:
            foreign = authorization.lower() != b"bearer"
    for name in _KEY_HEADERS:
        if name in fields and (value := fields[name]):
            if foreign or (token is not None and token != value):
                raise _ambiguous()
            token = value
    for value in keys:
        if foreign or (token is not None and token != value):
            raise _ambiguous()
        token = value
    return token


def _ambiguous() -> BadRequest:
    return BadRequest("the request carries two different credentials: send one", code=AMBIGUOUS)


class HeadGuard:
    """Collects a request's head before the parser sees any of it, so that the parser gets it whole and bounded.

    llhttp has no limit of its own: it takes any amount of blank lines, joins a huge header again at every read
    (32 MB: 23 s), and accepts two spaces in the request line. One guard a connection, used again for every request.
    """

    __slots__ = ("_leading", "_limit", "_pending", "_scanned")

    def __init__(self, limit: int = MAX_HEAD) -> None:
        self._limit = limit
        self._pending = b""
        self._scanned = 0
        self._leading = 0

    @property
    def is_idle(self) -> bool:
        """No byte of a request has come since the last whole head."""
        return not self._pending and not self._leading

    def feed(self, data: bytes) -> tuple[bytes, bytes] | None:
        """`(head, rest)` once the head is whole, None while it is not. Raises BadWire or HeadTooLarge."""
        pending = self._pending + data if self._pending else data
        if pending[:1] in (b"\r", b"\n"):
            pending = self._skip_leading(pending)
        end = pending.find(b"\r\n\r\n", max(self._scanned - 3, 0))
        if end < 0:
            self._check_part(pending)
            self._pending = pending
            self._scanned = len(pending)
            return None
        end += 4
        if end > self._limit:
            raise HeadTooLarge(f"the request head is over {self._limit} bytes")
        check_request_line(pending[: pending.find(b"\r\n")])
        self._pending = b""
        self._scanned = self._leading = 0
        if end == len(pending):
            return pending, b""
        return pending[:end], pending[end:]

    def _skip_leading(self, pending: bytes) -> bytes:
        """Takes away the blank lines that a sound client may leave behind its last body."""
        while pending[:2] == b"\r\n":
            self._leading += 1
            if self._leading > _LEADING_LINES:
                raise BadWire("too many blank lines ahead of the request line")
            pending = pending[2:]
            self._scanned = 0
        if pending[:1] == b"\n" or (pending[:1] == b"\r" and len(pending) > 1):
            raise BadWire(_LINE_END)
        return pending

    def _check_part(self, pending: bytes) -> None:
        """Refuses early what would otherwise wait for an end that never comes. A whole head needs none of it: the
        parser refuses a bare LF, and is about to see it."""
        if len(pending) > self._limit:
            raise HeadTooLarge(f"the request head is over {self._limit} bytes")
        # An LF that opens this read belongs to the CR that closed the last one.
        if pending.count(b"\n", self._scanned) != pending.count(b"\r\n", max(self._scanned - 1, 0)):
            raise BadWire(_LINE_END)
        line = pending.find(b"\r\n")
        if line >= 0:
            check_request_line(pending[:line])
        elif pending.count(b" ") > 2:
            raise BadWire(_REQUEST_LINE)
