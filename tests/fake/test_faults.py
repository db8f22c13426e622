"""Every fault, seen from the other end of a real socket."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import Callable

import pytest

from gateline.fake.server import FakeProvider
from tests.fake.faulty import LIMIT, Seen, exchange, play, request, see


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503, 529])
def test_status(status: int) -> None:
    """Any status, with OpenAI's error object and Retry-After."""

    def check(seen: Seen) -> None:
        assert seen.head.startswith(b"HTTP/1.1 %d " % status)
        assert b"retry-after: 7" in seen.head
        assert set(json.loads(seen.body)["error"]) == {"message", "type", "param", "code"}

    for stream in (False, True):
        see(f"m@status={status},retry_after=7", check, stream=stream, until=b"}}")


@pytest.mark.parametrize("stream", [False, True])
def test_reset(stream: bool) -> None:
    """RST before the head, after it, and between events: never an orderly end."""

    def before(seen: Seen) -> None:
        assert (seen.data, seen.end) == (b"", "reset")

    def after_head(seen: Seen) -> None:
        assert seen.end == "reset"
        assert seen.head.startswith(b"HTTP/1.1 200")
        assert seen.body == b""

    def later(seen: Seen) -> None:
        assert seen.end == "reset"
        assert seen.body.count(b"data: ") == 2 if stream else seen.body.startswith(b'{"id"')

    see("m@reset", before, stream=stream)
    see("m@reset,after=0", after_head, stream=stream)
    see("m@reset,after=2", later, stream=stream)


def test_stall() -> None:
    """Nothing comes any more, and the connection stays open until the peer leaves."""

    async def story(fake: FakeProvider) -> None:
        for model, wanted in (("m@stall", b""), ("m@stall,after=2", b"data: ")):
            reader, writer = await asyncio.open_connection("127.0.0.1", fake.port)
            mark = fake.log.last
            writer.write(request(model, stream=True))
            struck = await fake.seen("fault", after=mark)
            assert struck.n == (2 if wanted else 0)
            if wanted:
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            assert not reader.at_eof()
            writer.close()
            await fake.seen("cancelled", after=mark)
        assert [line.outcome for line in fake.invoice.lines()] == ["faulted", "faulted"]

    play(story)


def test_close_and_cut() -> None:
    """An orderly end in the wrong place: between two events, or in the middle of one."""

    def closed(seen: Seen) -> None:
        assert seen.end == "closed"
        assert seen.rest.endswith(b"\n\n\r\n")
        assert not seen.rest.endswith(b"0\r\n\r\n")

    def cut(seen: Seen) -> None:
        assert seen.end == "closed"
        assert not seen.rest.endswith(b"\n\n\r\n")
        assert seen.body.count(b"data: ") == 1

    def half(seen: Seen) -> None:
        assert seen.end == "closed"
        announced = int(seen.head.partition(b"content-length: ")[2].partition(b"\r")[0])
        assert 0 < len(seen.rest) < announced

    see("m@close,after=2", closed, stream=True)
    see("m@cut,after=1", cut, stream=True)
    see("m@cut", half, stream=False)


@pytest.mark.parametrize("stream", [False, True])
def test_bad_chunk(stream: bool) -> None:
    """A chunk whose size is no number."""

    def check(seen: Seen) -> None:
        assert b"chunked" in seen.head
        assert b"\r\nzz\r\n" in seen.rest

    see("m@bad_chunk,after=1", check, stream=stream)


def test_bad_json() -> None:
    """One event, or the whole body, is no JSON; the framing is right and the stream goes on."""

    def event(seen: Seen) -> None:
        broken = 0
        for line in seen.body.splitlines():
            if line.startswith(b"data: ") and line != b"data: [DONE]":
                try:
                    json.loads(line[6:])
                except ValueError:
                    broken += 1
        assert broken == 1
        assert seen.body.endswith(b"data: [DONE]\n\n")

    def whole(seen: Seen) -> None:
        assert len(seen.body) == int(seen.head.partition(b"content-length: ")[2].partition(b"\r")[0])
        with pytest.raises(ValueError, match=r".*"):
            json.loads(seen.body)

    see("m@bad_json,after=2", event, stream=True, until=b"0\r\n\r\n")
    see("m@bad_json", whole, stream=False, until=b'"choices":[{')


def test_no_done() -> None:
    """The stream ends orderly, its terminator missing."""

    def check(seen: Seen) -> None:
        assert seen.rest.endswith(b"0\r\n\r\n")
        assert b"[DONE]" not in seen.body
        assert b'"finish_reason":"stop"' in seen.body

    see("m@no_done", check, stream=True, until=b"\r\n0\r\n\r\n")


def test_error_event() -> None:
    """An error object in place of an event, then the end, without a terminator; a whole body is the error."""

    def stream(seen: Seen) -> None:
        assert json.loads(seen.body.rpartition(b"data: ")[2])["error"]["code"] == "fake_error"
        assert seen.rest.endswith(b"0\r\n\r\n")

    def whole(seen: Seen) -> None:
        assert seen.head.startswith(b"HTTP/1.1 200")
        assert "error" in json.loads(seen.body)

    see("m@error_event,after=2", stream, stream=True, until=b"\r\n0\r\n\r\n")
    see("m@error_event", whole, stream=False, until=b"}}")


def test_length() -> None:
    """More announced than sent, and the connection closes; or less, and bytes are left over."""

    def long(seen: Seen) -> None:
        assert seen.end == "closed"
        assert int(seen.head.partition(b"content-length: ")[2].partition(b"\r")[0]) == len(seen.body) + 50

    def short(seen: Seen) -> None:
        assert int(seen.head.partition(b"content-length: ")[2].partition(b"\r")[0]) == len(seen.body) - 50

    see("m@length=50", long, stream=False)
    see("m@length=-50", short, stream=False)


def test_gzip() -> None:
    """Coded replies to a client that did not ask for them."""

    def whole(seen: Seen) -> None:
        assert b"content-encoding: gzip" in seen.head
        assert json.loads(gzip.decompress(seen.body))["object"] == "chat.completion"

    def stream(seen: Seen) -> None:
        assert zlib.decompress(seen.body, wbits=31).endswith(b"data: [DONE]\n\n")

    async def story(fake: FakeProvider) -> None:
        whole(await exchange(fake, request("m@gzip", stream=False, headers="connection: close\r\n")))
        stream(await exchange(fake, request("m@gzip", stream=True, headers="connection: close\r\n")))

    play(story)


def test_drip() -> None:
    """The bytes come one at a time, and all of them."""

    def check(seen: Seen) -> None:
        assert seen.body.endswith(b"data: [DONE]\n\n")

    see("m@drip=0.000001,tokens=1", check, stream=True, until=b"\r\n0\r\n\r\n")


def test_huge_and_endless() -> None:
    """A megabyte more than asked for; or bytes for as long as the client reads, held back while it does not."""

    def huge(seen: Seen) -> None:
        assert json.loads(seen.body)["usage"]["completion_tokens"] == 4
        assert len(seen.body) > 1_000_000

    async def story(fake: FakeProvider) -> None:
        for stream in (False, True):
            seen = await exchange(fake, request("m@endless", stream=stream))
            assert len(seen.data) > LIMIT
            await fake.seen("cancelled")
            fake.provider.reset()

    see("m@huge=1000000", huge, stream=False, until=b'"fp_gateline_fake"}')
    play(story)


@pytest.mark.parametrize("status", [100, 103])
def test_interim(status: int) -> None:
    """A 1xx head comes before the real one."""

    def check(seen: Seen) -> None:
        assert seen.head.startswith(b"HTTP/1.1 %d " % status)
        assert seen.rest.startswith(b"HTTP/1.1 200 OK\r\n")

    see(f"m@interim={status}", check, stream=False, until=b'"fp_gateline_fake"}')


def test_second() -> None:
    """A whole reply is followed by one that nobody asked for."""

    def check(seen: Seen) -> None:
        assert seen.data.count(b"HTTP/1.1 200") == 2

    see("m@second", check, stream=False, until=b'{"unasked":true}')


def test_garbage() -> None:
    """Bytes that are no HTTP, in place of the head or in the middle of a stream."""

    def start(seen: Seen) -> None:
        assert seen.data.startswith(b"\xff\xfe")

    def middle(seen: Seen) -> None:
        assert seen.head.startswith(b"HTTP/1.1 200")
        assert b"\n\n\r\n\xff\xfe" in seen.rest

    see("m@garbage", start, stream=False)
    see("m@garbage,after=2", middle, stream=True)


def test_big_head_and_redirect() -> None:
    """A head of 100,000 bytes; a redirect to the address that clouds keep their secrets at."""

    def big(seen: Seen) -> None:
        assert len(seen.head) > 100_000

    def elsewhere(seen: Seen) -> None:
        assert seen.head.startswith(b"HTTP/1.1 307")
        assert b"location: http://169.254.169.254/" in seen.head

    def told(seen: Seen) -> None:
        assert seen.head.startswith(b"HTTP/1.1 302")
        assert b"location: http://127.0.0.1:1/x" in seen.head

    see("m@big_head", big, stream=False, until=b'"fp_gateline_fake"}')
    see("m@redirect", elsewhere, stream=False, until=b"}}")
    see("m@redirect=302,to=http://127.0.0.1:1/x", told, stream=False, until=b"}}")


def test_wrong_type_and_false_type() -> None:
    """Another kind of answer than was asked for; and the right one under the other's content type."""

    def is_json(seen: Seen) -> None:
        assert b"content-type: application/json" in seen.head
        assert json.loads(seen.body)["usage"]["completion_tokens"] == 4

    def is_stream(seen: Seen) -> None:
        assert b"content-type: text/event-stream" in seen.head
        assert seen.body.startswith(b"data: {")
        assert seen.body.endswith(b"\n\ndata: [DONE]\n\n")

    def falsely(body: Callable[[Seen], None], kind: bytes, *, instead_of: bytes) -> Callable[[Seen], None]:
        def check(seen: Seen) -> None:
            assert b"content-type: " + kind + b"\r\n" in seen.head
            seen.head = seen.head.replace(kind, instead_of)
            body(seen)

        return check

    json_type, events_type = b"application/json", b"text/event-stream"
    see("m@wrong_type", is_json, stream=True, until=b'"fp_gateline_fake"}')
    see("m@wrong_type", is_stream, stream=False, until=b"0\r\n\r\n")
    see("m@false_type", falsely(is_stream, json_type, instead_of=events_type), stream=True, until=b"0\r\n\r\n")
    see("m@false_type", falsely(is_json, events_type, instead_of=json_type), stream=False, until=b'"fp_gateline_fake"}')


@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/models"])
def test_what_is_never_streamed_is_a_stream_too(path: str) -> None:
    """Embeddings and lists of models, which have no stream of their own, come as the one event of one."""

    async def story(fake: FakeProvider) -> None:
        body = b'{"model":"m","input":"hi"}' if path == "/v1/embeddings" else b""
        head = f"{'POST' if body else 'GET'} {path} HTTP/1.1\r\nhost: f\r\ncontent-length: {len(body)}\r\n"
        seen = await exchange(fake, head.encode() + b"x-fake-wrong-type: 1\r\n\r\n" + body, until=b"0\r\n\r\n")
        event, done, nothing = seen.body.split(b"\n\n")
        assert json.loads(event.removeprefix(b"data: "))["object"] == "list"
        assert (done, nothing) == (b"data: [DONE]", b"")
        (line,) = fake.invoice.lines()
        assert (line.fault, line.outcome) == ("wrong_type", "faulted")

    play(story)


def test_faults_come_by_header_metadata_name_and_script() -> None:
    """Four ways to ask for the same fault; the nearer one to the request wins."""

    async def story(fake: FakeProvider) -> None:
        async def status(sent: bytes) -> bytes:
            return (await exchange(fake, sent, until=b"}")).head[9:12]

        assert await status(request("scripted", stream=False)) == b"502"
        assert await status(request("scripted@status=503", stream=False)) == b"503"
        by_header = "x-fake-status: 504\r\nX-Fake-Retry-After: 1\r\n"
        assert await status(request("scripted@status=503", stream=False, headers=by_header)) == b"504"
        body = json.dumps(
            {"model": "scripted", "messages": [{"role": "user", "content": "hi"}], "metadata": {"fake": "status=418"}}
        ).encode()
        head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: f\r\ncontent-length: %d\r\n\r\n" % len(body)
        assert await status(head + body) == b"418"
        assert await status(request("m@statsu=1", stream=False)) == b"400"

    play(story, "rules: [{match: {model: scripted}, cue: status=502}]")
