"""Fuzz targets, one a function: each takes any bytes and fails by raising what its promise rules out.

Knows nothing of what calls it: pytest over the committed corpus, or atheris (`drive.py`). The first byte of an input
says where the bytes after it are cut.
"""

from __future__ import annotations

import contextlib
from binascii import crc32
from collections.abc import Callable
from typing import Protocol
from urllib.parse import unquote_to_bytes

import httptools
import msgspec

from gateline.formats.call import read_call, write_body, write_body_parts
from gateline.formats.openai.usage import read_usage, usage_in_tail
from gateline.formats.openai.watch import StreamCodec
from gateline.formats.vendor_error import read_error
from gateline.model.errors import BadRequest, GatewayError, UpstreamBroken
from gateline.wire.eventstream import MessageSplitter, write_message
from gateline.wire.head_memo import HeadMemo
from gateline.wire.http1 import HeadGuard, RequestHead, check_request_head
from gateline.wire.jsonarray import MAX_DEPTH, ElementSplitter
from gateline.wire.multipart import Part, find_part, read_parts, with_field
from gateline.wire.ndjson import LineSplitter
from gateline.wire.sse import EventSplitter, event_data, event_name
from tests.fuzz.pieces import pieces
from tests.fuzz.translated import translated_call, translated_reply, translated_stream
from tests.wire.readers import Parsed, dechunked


def first_head(reads: list[bytes]) -> bytes | None:
    """The first whole head; empty when none came, None when it was refused."""
    guard = HeadGuard(4096)
    try:
        for read in reads:
            found = guard.feed(read)
            if found is not None:
                return found[0]
    except GatewayError:
        return None
    return b""


def http1(data: bytes) -> None:
    """A head is judged alike whole and in pieces; a refusal is one of our errors; no head has two hosts."""
    body, cut = pieces(data)
    whole, recut = first_head([body]), first_head(cut)
    # A bare LF is refused early in pieces, and by the parser when the head came whole.
    assert whole == recut or (recut is None and b"\n" in (whole or body).replace(b"\r\n", b""))
    if not whole:
        return
    first, *lines = whole[:-4].split(b"\r\n")
    method, target, version = first.split(b" ")
    headers = [(name, value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
    with contextlib.suppress(GatewayError):
        checked = check_request_head(method, target, version[5:].decode("latin-1"), headers)
        assert len([name for name, _ in headers if name.lower() == b"host"]) <= 1
        assert checked.path.startswith(b"/")
        assert b"key" not in {unquote_to_bytes(pair.partition(b"=")[0]) for pair in checked.query.split(b"&")}
        assert not (checked.chunked and checked.content_length is not None)


def sse(data: bytes) -> None:
    """Events are the same however they are cut, and reading them raises nothing."""
    body, cut = pieces(data)
    found = []
    for reads in ([body], cut):
        splitter = EventSplitter()
        events = [event for read in reads for event in splitter.feed(read)]
        found.append([*events, splitter.rest()])
    assert found[0] == found[1]
    for event in found[0]:
        event_data(event)
        event_name(event)


def openai_call(data: bytes) -> None:
    """A body is refused as a bad request, or written again with the same values for every key."""
    try:
        call = read_call(data, "chat.completions")
    except BadRequest:
        return
    written = write_body(call, "target", ask_usage=True)
    assert b"".join(write_body_parts(call, "target", ask_usage=True)) == written
    again = read_call(written, "chat.completions")
    assert again.model == "target"
    assert again.include_usage is call.stream or again.include_usage is call.include_usage
    for key, value in call.fields.items():
        if key not in ("model", "stream_options"):
            assert bytes(again.fields[key]) == bytes(value)


def openai_stream(data: bytes) -> None:
    """A stream is relayed the same however it is cut, says whether it was whole, and keeps its end back."""
    body, cut = pieces(data)
    for include_usage in (True, False):
        outcomes = []
        for reads in ([body], cut):
            codec = StreamCodec(include_usage)
            relayed = b"".join([codec.feed(read) for read in reads])
            codec.end()
            outcomes.append((relayed, codec.visible, codec.finished, codec.done, codec.usage, str(codec.error)))
            assert codec.done == (codec.error is None)
            assert codec.error is None or not codec.last
        assert outcomes[0] == outcomes[1]


def openai_reply(data: bytes) -> None:
    """Whatever an upstream answers, reading usage and errors from it raises nothing and writes JSON."""
    read_usage(data)
    usage_in_tail(data)
    detail = read_error(500, [(b"retry-after", data[:30])], data, secret="canary-secret")
    written = msgspec.json.encode(detail)
    assert b"canary-secret" not in written


def dechunk(data: bytes) -> None:
    """A chunked body is read alike however it is cut, and llhttp reads nothing else in it."""
    body, cut = pieces(data)
    whole, recut = dechunked_or_none([body]), dechunked_or_none(cut)
    assert whole == recut
    if whole is None or not whole[1]:
        return
    parsed = Parsed()
    with contextlib.suppress(httptools.HttpParserError):  # it is strict about trailers, of which we read none
        parser = httptools.HttpRequestParser(parsed)
        parser.feed_data(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
    assert whole[0].startswith(parsed.body)


def dechunked_or_none(reads: list[bytes]) -> tuple[bytes, bool, bytes] | None:
    try:
        return dechunked(reads, 65_536)
    except GatewayError:
        return None


def head_memo(data: bytes) -> None:
    """Two heads, cut apart at the first byte's place: the memo of one says nothing of the other that a parse does not
    say."""
    body = data[1:]
    half = data[0] * len(body) // 256 if data else 0
    first, second = body[:half], body[half:]
    known = _request(first)
    if known is None:
        return
    memo = HeadMemo(first[: known[1]], known[0])
    for read in (first, second):
        body_at = memo.match(read)
        assert body_at or read is not first
        if body_at:
            parsed = _request(read)
            assert parsed is not None
            assert parsed[1] == body_at
            parsed[0].headers.pop(b"content-length", None)
            memo.request.headers.pop(b"content-length", None)
            assert parsed[0] == memo.request


def _request(data: bytes) -> tuple[RequestHead, int] | None:
    head = Parsed()
    parser = httptools.HttpRequestParser(head)
    try:
        found = HeadGuard(4096).feed(data)
        if found is None:
            return None
        with contextlib.suppress(httptools.HttpParserUpgrade):
            parser.feed_data(found[0])
        checked = check_request_head(parser.get_method(), head.url, parser.get_http_version(), head.headers)
    except (GatewayError, httptools.HttpParserError):
        return None
    # A head behind blank lines is no head to begin with for the memo, which knows the bytes of the head alone.
    return (checked, len(found[0])) if data.startswith(found[0]) else None


class _Splitter(Protocol):
    def feed(self, data: bytes) -> list[bytes]: ...

    def rest(self) -> bytes: ...


def _split(splitter: _Splitter, reads: list[bytes]) -> list[bytes] | None:
    """What it gives back, then what it holds; None when it refuses."""
    try:
        return [*(each for read in reads for each in splitter.feed(read)), splitter.rest()]
    except UpstreamBroken:
        return None


class _RawMessages:
    """Messages as bytes, to compare them."""

    def __init__(self) -> None:
        self._splitter = MessageSplitter()
        self.rest = self._splitter.rest

    def feed(self, data: bytes) -> list[bytes]:
        return [message.raw for message in self._splitter.feed(data)]


def eventstream(data: bytes) -> None:
    """Messages are the same however they are cut; headers of any bytes, under checksums that are right, are read or
    refused; what is written is read."""
    body, cut = pieces(data)
    assert _split(_RawMessages(), [body]) == _split(_RawMessages(), cut)
    with contextlib.suppress(UpstreamBroken):
        MessageSplitter().feed(_framed(body))
    headers, payload = {body[:40].hex() or "none": body.decode("latin-1")}, body[::-1]
    message = write_message(headers, payload)
    [found] = MessageSplitter().feed(message)
    assert (found.headers, found.payload, found.raw) == (headers, payload, message)


def _framed(block: bytes) -> bytes:
    """A message of these headers and no payload."""
    prelude = (16 + len(block)).to_bytes(4, "big") + len(block).to_bytes(4, "big")
    message = prelude + crc32(prelude).to_bytes(4, "big") + block
    return message + crc32(message).to_bytes(4, "big")


def ndjson(data: bytes) -> None:
    """Lines are the same however they are cut, whole, and all of the bytes but blank lines."""
    body, cut = pieces(data)
    lines = _split(LineSplitter(), [body])
    assert lines is not None
    assert lines == _split(LineSplitter(), cut)
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in lines[:-1])
    assert b"".join(lines).split() == body.split()


def jsonarray(data: bytes) -> None:
    """An array is judged alike however it is cut; of one that is JSON, the elements are those that its decoder sees."""
    body, cut = pieces(data)
    found = _split(ElementSplitter(), [body])
    assert found == _split(ElementSplitter(), cut)
    try:
        elements = [bytes(each) for each in msgspec.json.decode(body, type=list[msgspec.Raw])]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return
    if body.count(b"{") + body.count(b"[") <= MAX_DEPTH and all(each.startswith(b"{") for each in elements):
        assert found == [*elements, b""]


def multipart(data: bytes) -> None:
    """A form, its first line its Content-Type, is refused as a bad request, or read alike from bytes and from a view;
    a field that is written anew changes no other."""
    content_type, _, body = data.partition(b"\n")
    parts = _parts(body, content_type)
    assert _parts(memoryview(body), content_type) == parts
    if parts is None:
        return
    try:
        written = b"".join(with_field(body, parts, "model", "target"))
    except BadRequest:
        return
    again = read_parts(written, content_type)
    field = find_part(again, "model")
    assert field is not None
    assert written[field.start : field.end] == b"target"
    kept = [body[part.head : part.end] for part in parts if part.name != "model"]
    assert kept == [written[part.head : part.end] for part in again if part is not field]


def _parts(body: bytes | memoryview, content_type: bytes) -> list[Part] | None:
    try:
        return read_parts(body, content_type)
    except BadRequest:
        return None


TARGET_LIST = (
    http1, sse, openai_call, openai_stream, openai_reply, dechunk, head_memo, eventstream, ndjson, jsonarray, multipart,
    translated_call, translated_reply, translated_stream,
)  # fmt: skip
TARGETS: dict[str, Callable[[bytes], None]] = {target.__name__: target for target in TARGET_LIST}
