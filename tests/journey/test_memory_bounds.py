"""Bad input costs bounded memory: each case states how far above idle its worker may go, and the kernel keeps the peak.

One gateway with one worker for all of them, so that what an earlier case left behind counts against the later ones;
those with small bounds come first, since an allocator keeps some of what it once had.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import itertools
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import pytest

from tests.journey.gate import Gate, Row, settings
from tests.journey.memory import MIB, Bounded, linux_only, resident
from tests.journey.patience import until
from tests.journey.rawupstream import RawUpstream
from tests.journey.upstream import Upstream
from tests.journey.wire import Answer, Wire, ask, chat, request

pytestmark = linux_only

BODY_LIMIT = 16 * MIB
ENOUGH = 48 * MIB  # bytes of an endless reply that a client takes
CEILING = 128 * MIB  # where endless replies end all the same, should nothing hold them up
KERNEL = 24 * MIB  # bytes that sockets between upstream and client may hold
KEPT = 40 * MIB  # what allocators and the pool of large buffers may keep of earlier bodies
PIECE = b"x" * 65_536

CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
SIZED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10000000000\r\n\r\n"
STREAM = CHUNKED.replace(b"application/json", b"text/event-stream")
CODED = CHUNKED.replace(b"Transfer", b"Content-Encoding: gzip\r\nTransfer")
DENSE = b"{" + b"".join(b"%d" % number**5 + b"z" * 1_200 for number in range(300, 900))  # 100 times its coded form
EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n' % (b"y" * 4_000)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def endless(head: bytes, piece: bytes) -> Iterator[bytes]:
    """A beginning, and the same again and again up to the ceiling."""
    yield head
    yield from itertools.repeat(piece, CEILING // len(piece))


def coded(piece: bytes) -> Iterator[bytes]:
    """An endless gzip body in chunks, of one piece again and again."""
    yield CODED
    packer = zlib.compressobj(9, wbits=16 + zlib.MAX_WBITS)
    for _ in range(CEILING // len(piece)):
        data = packer.compress(piece)
        if data:
            yield chunk(data)


class Garbage(NamedTuple):
    """What an upstream answers that is no answer, in which words the gateway says so, and how much room it takes."""

    scene: Iterable[bytes]
    told: str
    room: int = 4 * MIB


GARBAGE = {
    "noise": Garbage([bytes(range(256)) * 4_096], "not valid HTTP"),
    "noise-without-end": Garbage(endless(b"", bytes(range(256)) * 256), "not valid HTTP"),
    "head-without-end": Garbage(endless(SIZED[:-2], b"X-A: " + PIECE[:4_096] + b"\r\n"), "response head is over"),
    "line-without-end": Garbage(endless(SIZED[:-2] + b"X-A: ", PIECE), "response head is over"),
    "early-hints-without-end": Garbage(endless(b"", b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" * 99), "informational"),
    "extensions-without-end": Garbage(endless(CHUNKED + b"1;", PIECE), "chunk extensions are over"),
    "trailers-without-end": Garbage(endless(CHUNKED + b"0\r\n", b"X-A: 1\r\n" * 4_096), "trailers"),
    "no-object-without-end": Garbage(endless(SIZED, PIECE), "not a JSON object"),
    "no-json": Garbage([SIZED.replace(b"10000000000", b"65536\r\nConnection: close") + PIECE], "not a JSON object"),
    "bomb": Garbage(coded(bytes(MIB)), "cannot be decoded", 12 * MIB),
}
# An event may hold a picture: what is kept of one is more than other tests may find in the worker's heap.
EVENTS = {
    "event-without-end": Garbage(endless(STREAM, chunk(b"data: " + PIECE)), "event", 40 * MIB),
    "comments-without-end": Garbage(endless(STREAM, chunk(b":" + PIECE)), "event", 40 * MIB),
}
ENDLESS = {
    "sized": lambda: endless(SIZED + b"{", PIECE),
    "chunked": lambda: endless(CHUNKED + chunk(b"{"), chunk(PIECE)),
    "small-chunks": lambda: endless(CHUNKED + chunk(b"{"), chunk(b"x" * 64) * 512),
    "stream": lambda: endless(STREAM, chunk(EVENT * 8)),
}
CUT = 24 * MIB


def cut() -> Iterator[bytes]:
    """What stops without its end."""
    return itertools.islice(endless(CHUNKED + chunk(b"{"), chunk(PIECE)), CUT // len(PIECE))


@pytest.fixture(scope="module")
def raw() -> Iterator[RawUpstream]:
    scenes: dict[str, Callable[[], Iterable[bytes]]] = {
        **ENDLESS,
        "dense": lambda: coded(DENSE),
        "silent": list,
        "cut": cut,
    }
    scenes |= {name: functools.partial(iter, each.scene) for name, each in (GARBAGE | EVENTS).items()}
    with RawUpstream(scenes, hasty={"cut"}) as running:
        yield running


@pytest.fixture(scope="module")
def gate(raw: RawUpstream, upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    patient = {"kind": "openai-compatible", "base_url": raw.url}
    hasty = {**patient, "timeouts": {"total": "300ms"}}
    names = [*GARBAGE, *EVENTS, *ENDLESS, "dense", "cut"]
    config = settings(
        upstream.url,
        server={"body_bytes": BODY_LIMIT, "body_timeout": "1s"},
        providers={"raw": patient, "hasty": hasty},
        models={
            **{name: {"targets": [{"provider": "raw", "model": name}]} for name in names},
            "silent": {"targets": [{"provider": "hasty", "model": "silent"}]},
        },
        retry={"attempts": 1},
    )
    with Gate(tmp_path_factory.mktemp("gate"), config) as running:
        running.settle()
        for _ in range(20):
            assert ask(running.port, chat(running.token)).status == 200
        yield running


@pytest.fixture(scope="module")
def worker(gate: Gate) -> Iterator[tuple[int, int]]:
    """Its process id, and what it holds when it has served a little and nothing runs; it is the same one at the end."""
    (pid,) = gate.worker_pids()
    yield pid, resident(pid)
    assert gate.worker_pids() == [pid]


def post(gate: Gate, body: bytes | None, *lines: str) -> bytes:
    return request("POST", "/v1/chat/completions", gate.token, body, *lines)


def the_record(gate: Gate, answer: Answer) -> Row:
    """The one record of an answer, which is of the same status."""
    row = gate.record_soon(answer.id)
    assert row["status"] == answer.status
    return row


def assert_broken(gate: Gate, answer: Answer, name: str, told: str) -> None:
    assert (answer.status, answer.error["code"]) == (502, "upstream_broken")
    assert told in answer.error["message"]
    row = the_record(gate, answer)
    assert [(each["target"], each["error"]) for each in row["attempts"]] == [(f"raw/{name}", "upstream_broken")]


@pytest.mark.parametrize("name", GARBAGE)
def test_an_upstream_that_answers_garbage(name: str, gate: Gate, worker: tuple[int, int]) -> None:
    """A bad gateway in plain words, one attempt that failed, and little kept of what came."""
    with Bounded(*worker, GARBAGE[name].room):
        answer = ask(gate.port, chat(gate.token, model=name))
    assert_broken(gate, answer, name, GARBAGE[name].told)


def test_an_upstream_that_never_answers(gate: Gate, worker: tuple[int, int]) -> None:
    """A hundred calls that wait for nothing cost little each, and all are told that it took too long."""
    count = 100
    with Bounded(*worker, count * 64 * 1024 + 6 * MIB), contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Wire(gate.port)) for _ in range(count)]
        for client in clients:
            client.send(chat(gate.token, model="silent"))
        answers = [client.answer() for client in clients]
    for answer in answers:
        assert (answer.status, answer.error["code"]) == (504, "upstream_timeout")
        assert "hasty" in answer.error["message"]
    rows = {row["id"]: row for row in gate.records()}
    assert [rows[answer.id]["error"] for answer in answers] == ["upstream_timeout"] * count
    assert [rows[answer.id]["attempts"][0]["target"] for answer in answers] == ["hasty/silent"] * count


@pytest.mark.parametrize("name", ENDLESS)
def test_a_reply_of_ten_gigabytes(name: str, raw: RawUpstream, gate: Gate, worker: tuple[int, int]) -> None:
    """While the client takes nothing the upstream is held up, and when it reads, the rest passes through: at no moment
    does the worker hold more than a few pieces. A client that leaves ends it."""
    with Bounded(*worker, 16 * MIB), Wire(gate.port) as client:
        client.send(chat(gate.token, model=name, stream=name == "stream"))
        status, headers = client.head()
        assert status == 200
        assert raw.wait_until_held_up(name) < KERNEL
        taken = 0
        while taken < ENOUGH:
            taken += len(client.read(len(PIECE)))
            assert raw.sent[name] - taken < KERNEL + taken // 8
    row = gate.record_soon(dict(headers)["x-request-id"])
    assert (row["status"], row["client_gone"]) == (499, 1)
    assert row["bytes_out"] >= ENOUGH


@pytest.mark.parametrize("version", [b"HTTP/1.1", b"HTTP/1.0"])
def test_a_reply_that_is_cut_after_much(version: bytes, gate: Gate, worker: tuple[int, int]) -> None:
    """The upstream is gone in the middle of it: the client's connection is reset, since a plain end would be the end of
    the body for a client that knows no chunks."""
    with Bounded(*worker, 16 * MIB), Wire(gate.port) as client:
        client.send(chat(gate.token, model="cut").replace(b"HTTP/1.1", version))
        status, headers = client.head()
        assert (status, "transfer-encoding" in dict(headers)) == (200, version == b"HTTP/1.1")
        with pytest.raises(ConnectionResetError):
            all(iter(functools.partial(client.read, len(PIECE)), b""))
    row = gate.record_soon(dict(headers)["x-request-id"])
    assert (row["status"], row["error"], row["client_gone"]) == (200, "upstream_broken", 0)


def test_bodies_that_stop_coming(gate: Gate, worker: tuple[int, int]) -> None:
    """A hundred clients announce the most there may be and send a little of it: they cost what they sent."""
    count, sent = 100, 40_000
    wire = request("POST", "/v1/chat/completions", gate.token, None, f"Content-Length: {BODY_LIMIT}")
    with Bounded(*worker, count * (sent + 64 * 1024) + 8 * MIB), contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Wire(gate.port)).send(wire + b"x" * sent) for _ in range(count)]
        answers = [client.answer() for client in clients]
    for answer in answers:
        assert (answer.status, answer.error["code"]) == (408, "request_timeout")
        assert "body" in answer.error["message"]
    rows = {row["id"]: row["status"] for row in gate.records()}
    assert [rows[answer.id] for answer in answers] == [408] * count


def bomb() -> bytes:
    """128 MiB of zeros, coded."""
    packer = zlib.compressobj(9, wbits=16 + zlib.MAX_WBITS)
    return b"".join([*(packer.compress(bytes(MIB)) for _ in range(128)), packer.flush()])


def is_refused_as_too_large(gate: Gate, client: Wire) -> None:
    """The sender is told the limit, and no upstream was asked."""
    answer = client.answer()
    assert (answer.status, answer.error["code"]) == (413, "request_too_large")
    assert "limit" in answer.error["message"]
    assert the_record(gate, answer)["attempts"] == []


def test_a_body_that_is_announced_too_large(gate: Gate, worker: tuple[int, int]) -> None:
    """Nothing of it is taken."""
    with Bounded(*worker, 16 * MIB), Wire(gate.port) as client:
        client.send(post(gate, None, "Content-Length: 10000000000") + b"x" * (MIB // 2))
        is_refused_as_too_large(gate, client)


@pytest.mark.parametrize("coded", [bomb(), gzip.compress(bytes(MIB)) * 512], ids=["one", "many"])
def test_a_body_that_is_a_bomb(coded: bytes, gate: Gate, worker: tuple[int, int]) -> None:
    """In one member or in many, little more of it is decoded than the mebibyte that may always come out."""
    with Bounded(*worker, 24 * MIB), Wire(gate.port) as client:
        client.send(post(gate, coded, "Content-Encoding: gzip"))
        is_refused_as_too_large(gate, client)


BROKEN_JSON = {
    # a beginning, what is repeated after it, and what the message says
    "cut": (b'{"model":"plain","messages":["', b"x", "not valid JSON"),
    "nested": (b'{"model":"plain","messages":', b"[", "nested too deeply"),
    "nested-objects": (b'{"model":"plain","messages":', b'{"a":', "nested too deeply"),
    "small-values": (b'{"model":"plain","messages":[', b"1,", "not valid JSON"),
    "many-fields": (b'{"model":"plain"', b',"k%07d":1', "more fields"),
}


@pytest.mark.parametrize("kind", BROKEN_JSON)
@pytest.mark.parametrize("size", [7, 15])
def test_malformed_json(kind: str, size: int, gate: Gate, worker: tuple[int, int]) -> None:
    """A body of that many MiB that is no call costs no multiple of itself, read here or by the other process."""
    start, more, told = BROKEN_JSON[kind]
    if b"%" in more:
        more = b"".join([more % number for number in range(size * MIB // 13)])
    body = start + more * (size * MIB // len(more))
    with Bounded(*worker, 2 * len(body) + KEPT):
        answer = ask(gate.port, post(gate, body))
    assert (answer.status, answer.error["type"]) == (400, "invalid_request_error")
    assert told in answer.error["message"]
    row = the_record(gate, answer)
    assert (row["bytes_in"], row["attempts"]) == (len(body), [])


def test_a_body_that_grows_too_large(gate: Gate, worker: tuple[int, int]) -> None:
    """In chunks nothing says how much will come: what came up to the limit is what it costs."""
    with Bounded(*worker, 2 * BODY_LIMIT + KEPT), Wire(gate.port) as client:
        client.send(post(gate, None, "Transfer-Encoding: chunked") + chunk(PIECE) * (BODY_LIMIT // len(PIECE) + 4))
        is_refused_as_too_large(gate, client)


def test_a_dense_reply_without_end(gate: Gate, worker: tuple[int, int]) -> None:
    """Coded so that it is no bomb yet, it is decoded read by read: a few times 64 KiB by 200 at most."""
    with Bounded(*worker, 64 * MIB + KEPT), Wire(gate.port) as client:
        client.send(chat(gate.token, model="dense"))
        assert client.head()[0] == 200
        for _ in range(ENOUGH // len(PIECE)):
            client.read(len(PIECE))


def test_the_worker_goes_on(gate: Gate) -> None:
    """After all of it calls are answered, and nothing is held for those that were not."""
    assert ask(gate.port, chat(gate.token)).status == 200
    until(lambda: gate.metric("gateline_requests_in_flight") == 0, "nothing runs")


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_without_end(name: str, gate: Gate, worker: tuple[int, int]) -> None:
    """The same of a stream, of which twice what an event may hold is the most there ever is. The last tests here: some
    of that may stay in the heap."""
    with Bounded(*worker, EVENTS[name].room):
        answer = ask(gate.port, chat(gate.token, model=name, stream=True))
    assert_broken(gate, answer, name, EVENTS[name].told)
