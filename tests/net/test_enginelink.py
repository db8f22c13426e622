"""A local engine as an upstream, over a real Unix socket."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateline.model.engine import Cancel, Data, End, Head, State, Submit, ToEngine
from gateline.model.errors import ModelLoading, TooLarge, Unavailable, UpstreamBroken, UpstreamUnreachable
from gateline.net import enginelink
from gateline.net.enginelink import EngineLease, EngineLink
from gateline.net.flow import Flow
from gateline.wire.frames import FrameReader, frame
from tests.net.transport import on_loop, until

READY = State("ready")


class Engine:
    """The engine's end: takes one connection after another and says what the test tells it to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.heard: list[Any] = []
        self.reads = asyncio.Event()
        self.reads.set()
        self._writer: asyncio.StreamWriter | None = None
        self._server: asyncio.Server | None = None

    async def start(self, first: State = READY) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._writer = writer
            self.say(first)
            frames = FrameReader()
            while await self.reads.wait() and (data := await reader.read(65_536)):
                self.heard += [msgspec.msgpack.decode(payload, type=ToEngine) for payload in frames.feed(data)]

        self._server = await asyncio.start_unix_server(serve, self._path)

    def say(self, *messages: msgspec.Struct) -> None:
        assert self._writer is not None
        for message in messages:
            self._writer.write(frame(msgspec.msgpack.encode(message)))

    def die(self) -> None:
        assert self._writer is not None
        assert self._server is not None
        self._server.close()
        self._writer.transport.abort()


class Request:
    """One call on the engine; `wakes` counts how often it was told of something."""

    def __init__(self, link: EngineLink, body: bytes = b"{}") -> None:
        self.wakes = -1
        self.flow = Flow(lambda error: pytest.fail(repr(error)))
        self.flow.start(self._count())
        self.lease: EngineLease = link.submit(self.flow, "/chat/completions", body)

    async def _count(self) -> None:
        while True:
            self.wakes += 1
            await Flow.park()

    async def woken(self, times: int) -> EngineLease:
        await until(lambda: self.wakes >= times)
        assert self.wakes == times
        return self.lease


async def connected(path: Path, first: State = READY) -> tuple[Engine, EngineLink]:
    engine, link = Engine(path), EngineLink("local-chat", path)
    await engine.start(first)
    link.start()
    await until(lambda: link.state == first)
    return engine, link


@on_loop
async def test_a_plain_answer_wakes_once(tmp_path: Path) -> None:
    """Head, pieces and end of an answer that is no stream are told when it is whole, with what it cost."""
    engine, link = await connected(tmp_path / "s")
    request = Request(link)
    await until(lambda: engine.heard)
    assert engine.heard == [Submit(1, "/chat/completions", b"{}")]
    engine.say(Head(1, 200, "application/json"), Data(1, b'{"a"'), Data(1, b":1}"), End(1, queue=5, cpu=7))
    lease = await request.woken(1)
    assert (lease.status, lease.take(), lease.complete) == (200, b'{"a":1}', True)
    assert lease.lines == b"content-type: application/json\r\n"
    assert (lease.queue, lease.engine_cpu, link.open) == (5, 7, {})
    link.close()
    engine.die()


@on_loop
async def test_streams_interleave(tmp_path: Path) -> None:
    """Many streams share the connection, each told of its own pieces as they come."""
    engine, link = await connected(tmp_path / "s")
    one, two = Request(link), Request(link)
    for request in (one, two):
        engine.say(Head(request.lease.id, 200, "text/event-stream"))
    engine.say(Data(1, b"data: 1\n\n"), Data(2, b"data: 2\n\n"))
    assert (await one.woken(1)).take() == b"data: 1\n\n"
    assert (await two.woken(1)).take() == b"data: 2\n\n"
    engine.say(Data(2, b"data: 3\n\n"), End(2), End(1, error="out of memory"))
    await one.woken(2)
    await two.woken(3)
    assert (two.lease.take(), two.lease.complete) == (b"data: 3\n\n", True)
    assert isinstance(one.lease.failure, UpstreamBroken)
    assert "out of memory" in str(one.lease.failure)
    link.close()
    engine.die()


@on_loop
async def test_what_a_client_abandons_is_cancelled_once(tmp_path: Path) -> None:
    """An aborted call is cancelled at the engine; what still comes of it is dropped; after its end nothing is said."""
    engine, link = await connected(tmp_path / "s")
    one, two = Request(link), Request(link)
    one.lease.abort()
    one.lease.abort()
    engine.say(Data(1, b"late"), End(1), Head(2, 200, "a/b"), End(2))
    await two.woken(1)
    two.lease.abort()
    two.lease.release()
    await until(lambda: len(engine.heard) == 3)
    assert engine.heard[2:] == [Cancel(1)]
    assert one.wakes == 0
    link.close()
    engine.die()


@on_loop
async def test_an_engine_that_dies_fails_its_calls_and_comes_back(tmp_path: Path) -> None:
    """Each open call ends with an error that says whether it had begun; meanwhile calls are told to come back; a new
    engine serves."""
    engine, link = await connected(tmp_path / "s")
    silent, begun = Request(link), Request(link)
    engine.say(Head(2, 200, "text/event-stream"), Data(2, b"data: 1\n\n"))
    await begun.woken(1)
    engine.die()
    await silent.woken(1)
    await begun.woken(2)
    assert isinstance(silent.lease.failure, UpstreamUnreachable)
    assert isinstance(begun.lease.failure, UpstreamBroken)
    with pytest.raises(ModelLoading) as caught:
        Request(link)
    assert caught.value.retry_after
    (tmp_path / "s").unlink(missing_ok=True)
    again = Engine(tmp_path / "s")
    await again.start()
    await until(lambda: link.state == READY)
    request = Request(link)
    await until(lambda: again.heard)
    again.say(Head(3, 200, "a/b"), End(3))
    await request.woken(1)
    assert request.lease.complete
    link.close()
    again.die()


@on_loop
async def test_a_state_that_cannot_serve_refuses(tmp_path: Path) -> None:
    """Absent and loading are 503 with the engine's own estimate, failed is 503 with its reason; none takes a number."""
    absent = EngineLink("local-chat", tmp_path / "nobody")
    with pytest.raises(ModelLoading):
        Request(absent)
    engine, link = await connected(tmp_path / "s", State("loading", "reading weights", retry_after=7.5))
    with pytest.raises(ModelLoading, match="reading weights") as loading:
        Request(link)
    assert loading.value.retry_after == 7.5
    engine.say(State("failed", "no such file"))
    await until(lambda: link.state.state == "failed")
    with pytest.raises(Unavailable, match="no such file") as failed:
        Request(link)
    assert failed.value.status == 503
    assert failed.value.retry_after
    assert link.open == {}
    link.close()
    engine.die()


@on_loop
async def test_a_call_that_no_context_holds_is_refused_and_harms_nobody(tmp_path: Path) -> None:
    """A body beyond the engine's bound is 413 in words that name it; the calls beside it go on."""
    engine, link = await connected(tmp_path / "s")
    beside = Request(link)
    for size in (enginelink._LONGEST + 1, 17 << 20, 65 << 20):
        with pytest.raises(TooLarge, match=str(enginelink._LONGEST)) as caught:
            Request(link, bytes(size))
        assert caught.value.status == 413
    largest = Request(link, bytes(enginelink._LONGEST))
    await until(lambda: len(engine.heard) == 2)
    assert list(link.open) == [beside.lease.id, largest.lease.id] == [1, 2]
    assert beside.lease.failure is None
    link.close()
    engine.die()


@on_loop
async def test_an_engine_that_does_not_read_refuses_new_calls_only(tmp_path: Path) -> None:
    """What it has been sent and not taken is bounded: the call that does not fit is 503, those before it stay and can
    be cancelled, and when it reads again it is served again."""
    engine, link = await connected(tmp_path / "s")
    first = Request(link)
    await until(lambda: engine.heard)
    engine.reads.clear()
    taken = [Request(link, bytes(1 << 20)) for _ in range(4)]
    while link._link.has_room(1 << 20):
        taken.append(Request(link, bytes(1 << 20)))
    assert len(taken) < 20
    with pytest.raises(Unavailable) as caught:
        Request(link, bytes(1 << 20))
    assert caught.value.retry_after
    assert len(link.open) == 1 + len(taken)
    for request in taken:
        request.lease.abort()
    engine.say(Head(1, 200, "a/b"), End(1))
    await first.woken(1)
    assert first.lease.complete
    engine.reads.set()
    await until(lambda: engine.heard[-1] == Cancel(taken[-1].lease.id))
    Request(link)
    link.close()
    engine.die()
