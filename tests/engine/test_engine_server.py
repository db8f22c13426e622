"""The engine's socket and step loop, with a scripted model behind a real Unix socket."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateline.engine import connection as connection_module
from gateline.engine.refusal import Refused
from gateline.engine.server import EngineServer
from gateline.engine.work import Part, Step
from gateline.model.engine import Cancel, Data, End, FromEngine, Head, State, Submit
from gateline.wire.frames import FrameReader, frame

DEADLINE = 30.0


class Reply(msgspec.Struct):
    head: Head | None = None
    data: bytes = b""
    end: End | None = None


class Peer:
    """Collects what the engine says; `until` waits for a condition on it and fails loudly."""

    def __init__(self) -> None:
        self.states: list[State] = []
        self.replies: dict[int, Reply] = defaultdict(Reply)
        self.closed = False
        self._news = asyncio.Event()
        self._decoder = msgspec.msgpack.Decoder(FromEngine)

    async def open(self, path: Path) -> None:
        self._reader, self.writer = await asyncio.open_unix_connection(str(path))
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        frames = FrameReader()
        while data := await self._some():
            for payload in frames.feed(data):
                self._take(self._decoder.decode(payload))
            self._news.set()
        self.closed = True
        self._news.set()
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()

    async def _some(self) -> bytes:
        try:
            return await self._reader.read(65536)
        except ConnectionError:
            return b""

    def _take(self, message: FromEngine) -> None:
        if isinstance(message, State):
            self.states.append(message)
            return
        reply = self.replies[message.id]
        if isinstance(message, Head):
            assert reply.head is None
            reply.head = message
        elif isinstance(message, Data):
            assert reply.head is not None
            reply.data += message.data
        else:
            assert reply.end is None
            reply.end = message

    def submit(self, number: int, path: str, body: object) -> None:
        self.writer.write(frame(msgspec.msgpack.encode(Submit(number, path, msgspec.json.encode(body)))))

    def cancel(self, number: int) -> None:
        self.writer.write(frame(msgspec.msgpack.encode(Cancel(number))))

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def call(self, number: int, path: str, body: object) -> Reply:
        self.submit(number, path, body)
        await self.until(lambda: self.replies[number].end is not None)
        return self.replies[number]

    async def leave(self) -> None:
        self.writer.close()
        await self._task


class Scripted:
    """A model. `{"steps": n}` answers n pieces; `{"poison": "admit"}` and `{"poison": "step"}` raise there.

    `log` holds what happened, in order. With `held`, each step waits for `allow`.
    """

    def __init__(self, capacity: int = 32, *, held: bool = False) -> None:
        self.capacity = capacity
        self.log: list[tuple[str, object]] = []
        self._held = held
        self._allowed = threading.Semaphore(0)
        self._left: dict[int, int] = {}
        self._poisoned: set[int] = set()

    def allow(self, steps: int = 1) -> None:
        self._allowed.release(steps)

    def admit(self, key: int, path: str, body: bytes) -> None:
        wanted = msgspec.json.decode(body)
        self.log.append(("admit", wanted.get("name", key)))
        if path != "/work":
            raise Refused("no such path", status=404)
        if wanted.get("poison") == "admit":
            raise ZeroDivisionError
        if wanted.get("poison") == "step":
            self._poisoned.add(key)
        self._left[key] = wanted["steps"]

    def step(self) -> Step:
        if self._held and not self._allowed.acquire(timeout=DEADLINE):
            raise TimeoutError("no step was allowed")
        self.log.append(("step", sorted(self._left)))
        if self._poisoned & set(self._left):
            raise ZeroDivisionError
        parts: list[Part] = []
        load = dict.fromkeys(self._left, 1)
        for key in load:
            self._left[key] -= 1
            last = self._left[key] == 0
            if last:
                del self._left[key]
            parts.append(Part(key, b".", status=200 if ("first", key) not in self.log else 0, last=last))
            self.log.append(("first", key))
        return Step(parts, load, len(load))

    def cancel(self, key: int) -> None:
        self.log.append(("cancel", key))
        self._left.pop(key, None)


@asynccontextmanager
async def serving(path: Path, model: Any, **options: Any) -> AsyncIterator[tuple[EngineServer, list[BaseException]]]:
    broken: list[BaseException] = []
    server = EngineServer(on_broken=broken.append, **options)
    await server.open(path)
    if model is not None:
        server.serve(model)
    try:
        yield server, broken
    finally:
        if hasattr(model, "allow"):
            model.allow(10_000)
        await server.drain(0)
        async with asyncio.timeout(30):  # the peers' readers, now that their connections are closed
            await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))


async def _join(path: Path) -> Any:
    peer = Peer()
    await peer.open(path)
    await peer.until(lambda: peer.states)
    return peer


def test_a_loading_engine_says_so_and_refuses_at_once(tmp_path: Path) -> None:
    """State comes on connect and on change; Submit is 503 with a time to come back; the socket is the user's own."""

    async def story() -> None:
        path = tmp_path / "e.sock"
        async with serving(path, None) as (server, _):
            assert path.stat().st_mode & 0o777 == 0o600
            peer = await _join(path)
            server.announce(State("loading", "fetching weights 42 %", retry_after=7.0))
            server.announce(State("loading", "fetching weights 42 %", retry_after=7.0))
            reply = await peer.call(1, "/work", {"steps": 1})
            assert (reply.head.status, reply.head.retry_after) == (503, 7.0)
            assert b"42 %" in reply.data
            assert b"model_loading" in reply.data
            assert [state.detail for state in peer.states] == ["starting", "fetching weights 42 %"]
            server.announce(State("failed", "install gateline[local]"))
            reply = await peer.call(2, "/work", {"steps": 1})
            assert reply.head.status == 503
            assert b"install gateline[local]" in reply.data

    asyncio.run(story())


def test_requests_of_two_connections_share_steps_and_keep_their_numbers(tmp_path: Path) -> None:
    """Equal numbers on two connections are two requests, computed in one batch, each with its share of the time."""

    async def story() -> None:
        model = Scripted(held=True)
        async with serving(tmp_path / "e.sock", model):
            peers = [await _join(tmp_path / "e.sock") for _ in range(2)]
            for peer in peers:
                peer.submit(1, "/work", {"steps": 3})
            await peers[0].until(lambda: peers[0].states[-1].waiting + peers[0].states[-1].running == 2)
            model.allow(5)
            for peer in peers:
                await peer.until(lambda peer=peer: peer.replies[1].end is not None)
                assert peer.replies[1].data == b"..."
                assert peer.replies[1].end.error == ""
                assert peer.replies[1].end.cpu > 0
                assert peer.replies[1].end.queue > 0
            assert max(state.batch for state in peers[0].states) == 2

    asyncio.run(story())


def test_a_cancelled_request_frees_its_slot_before_the_next_step(tmp_path: Path) -> None:
    """By the order of events: after the cancel no step computes it, and what waited is admitted."""

    async def story() -> None:
        model = Scripted(capacity=1, held=True)
        async with serving(tmp_path / "e.sock", model):
            peer = await _join(tmp_path / "e.sock")
            peer.submit(1, "/work", {"steps": 1000, "name": "first"})
            peer.submit(2, "/work", {"steps": 1, "name": "second"})
            model.allow()
            await peer.until(lambda: peer.replies[1].data == b".")
            peer.cancel(1)
            model.allow()  # at most the step that had begun when the cancellation came
            await peer.until(lambda: peer.replies[1].end is not None)
            assert peer.replies[1].end.error == "cancelled"
            model.allow()
            await peer.until(lambda: peer.replies[2].end is not None)
            assert peer.replies[2].end.error == ""
            names = [name for name, _ in model.log]
            after = model.log[names.index("cancel") :]
            assert [event for event in after if event[0] in {"cancel", "admit"}] == [("cancel", 1), ("admit", "second")]
            assert all(keys == [2] for name, keys in after if name == "step")

    asyncio.run(story())


def test_a_cancelled_request_that_still_waits_never_reaches_the_model(tmp_path: Path) -> None:
    async def story() -> None:
        model = Scripted(capacity=1, held=True)
        async with serving(tmp_path / "e.sock", model):
            peer = await _join(tmp_path / "e.sock")
            peer.submit(1, "/work", {"steps": 3, "name": "first"})
            peer.submit(2, "/work", {"steps": 1, "name": "second"})
            peer.cancel(2)
            model.allow(3)
            await peer.until(lambda: peer.replies[1].end is not None and peer.replies[2].end is not None)
            assert peer.replies[2].end.error == "cancelled"
            assert ("admit", "second") not in model.log

    asyncio.run(story())


def test_a_poisonous_request_fails_alone(tmp_path: Path) -> None:
    """Admission that raises is that request's 500, a refusal its own status; the others finish."""

    async def story() -> None:
        async with serving(tmp_path / "e.sock", Scripted()):
            peer = await _join(tmp_path / "e.sock")
            peer.submit(1, "/work", {"steps": 50})
            peer.submit(2, "/work", {"steps": 1, "poison": "admit"})
            peer.submit(3, "/elsewhere", {"steps": 1})
            peer.submit(4, "/work", {"steps": 2})
            await peer.until(lambda: all(peer.replies[number].end for number in (1, 2, 3, 4)))
            assert [peer.replies[number].head.status for number in (1, 2, 3, 4)] == [200, 500, 404, 200]
            assert b"ZeroDivisionError" in peer.replies[2].data
            assert peer.replies[1].data == b"." * 50

    asyncio.run(story())


def test_a_broken_step_ends_every_request_with_an_error(tmp_path: Path) -> None:
    """The model is lost: running and waiting requests end, the state says so, and the process is told to end."""

    async def story() -> None:
        model = Scripted(capacity=2, held=True)
        async with serving(tmp_path / "e.sock", model) as (_, broken):
            peer = await _join(tmp_path / "e.sock")
            bodies = ({"steps": 9}, {"steps": 9, "poison": "step"}, {"steps": 9})
            calls = [Submit(number, "/work", msgspec.json.encode(body)) for number, body in enumerate(bodies, 1)]
            # In one write: the last must be there before the model breaks.
            peer.writer.write(b"".join(frame(msgspec.msgpack.encode(call)) for call in calls))
            model.allow(9)
            await peer.until(lambda: all(peer.replies[number].end for number in (1, 2, 3)))
            assert {peer.replies[number].end.error for number in (1, 2, 3)} == {"the local model failed"}
            await peer.until(lambda: peer.states[-1].state == "loading")
            assert [type(error) for error in broken] == [ZeroDivisionError]
            assert (await peer.call(4, "/work", {"steps": 1})).head.status == 503

    asyncio.run(story())


def test_a_closed_connection_cancels_all_its_requests(tmp_path: Path) -> None:
    """Running ones and waiting ones; another connection's request goes on."""

    async def story() -> None:
        model = Scripted(capacity=3, held=True)
        async with serving(tmp_path / "e.sock", model):
            leaving, staying = [await _join(tmp_path / "e.sock") for _ in range(2)]
            staying.submit(1, "/work", {"steps": 6, "name": "staying"})
            await staying.until(lambda: staying.states[-1].waiting + staying.states[-1].running == 1)
            for number in range(1, 6):
                leaving.submit(number, "/work", {"steps": 1000})
            await staying.until(lambda: staying.states[-1].waiting + staying.states[-1].running == 6)
            model.allow(2)
            await leaving.until(lambda: leaving.replies[1].data)
            await leaving.leave()
            model.allow(4)
            await staying.until(lambda: staying.replies[1].end is not None)
            assert staying.replies[1].data == b"......"
            await staying.until(lambda: staying.states[-1].running == 0)
            assert len([event for event in model.log if event[0] == "cancel"]) >= 2
            assert staying.states[-1].waiting == 0

    asyncio.run(story())


def test_a_full_queue_refuses_with_a_time_to_come_back(tmp_path: Path) -> None:
    async def story() -> None:
        model = Scripted(capacity=1, held=True)
        async with serving(tmp_path / "e.sock", model, waiting_limit=2):
            peer = await _join(tmp_path / "e.sock")
            peer.submit(1, "/work", {"steps": 1})
            await peer.until(lambda: peer.states[-1].waiting + peer.states[-1].running == 1)
            for number in (2, 3, 4, 5):
                peer.submit(number, "/work", {"steps": 1})
            await peer.until(lambda: peer.replies[5].end is not None)
            assert peer.replies[5].head.status == 503
            assert peer.replies[5].head.retry_after > 0
            assert b"queue_full" in peer.replies[5].data
            model.allow(9)
            await peer.until(lambda: peer.replies[1].end and peer.replies[2].end)
            assert peer.replies[2].head.status == 200

    asyncio.run(story())


def test_draining_lets_open_requests_finish_and_refuses_new_ones(tmp_path: Path) -> None:
    async def story() -> None:
        model = Scripted(held=True)
        async with serving(tmp_path / "e.sock", model) as (server, _):
            peer = await _join(tmp_path / "e.sock")
            peer.submit(1, "/work", {"steps": 3})
            model.allow()
            await peer.until(lambda: peer.replies[1].data == b".")
            draining = asyncio.create_task(server.drain(30))
            await peer.until(lambda: peer.states[-1].state == "loading")
            assert (await peer.call(2, "/work", {"steps": 1})).head.status == 503
            model.allow(2)
            await peer.until(lambda: peer.closed)
            await draining
            assert peer.replies[1].data == b"..."
            assert peer.replies[1].end.error == ""

    asyncio.run(story())


def test_draining_ends_what_does_not_finish_with_an_error(tmp_path: Path) -> None:
    async def story() -> None:
        model = Scripted(held=True)
        async with serving(tmp_path / "e.sock", model) as (server, _):
            peer = await _join(tmp_path / "e.sock")
            peer.submit(1, "/work", {"steps": 3})
            model.allow()
            await peer.until(lambda: peer.replies[1].data == b".")
            await server.drain(0)
            model.allow(3)
            await peer.until(lambda: peer.closed)
            assert peer.replies[1].end.error == "the local engine is stopping"

    asyncio.run(story())


@pytest.mark.parametrize(
    "garbage", [frame(b"\xc1"), frame(b"\x93\x09\x01\x02"), b"\xff\xff\xff\xff", frame(b"\x94\x01\x01\xa1\xff\xc4\x00")]
)
def test_garbage_ends_its_own_connection_only(tmp_path: Path, garbage: bytes) -> None:
    """No MessagePack, an unknown tag, a frame beyond the limit, text that is no UTF-8."""

    async def story() -> None:
        async with serving(tmp_path / "e.sock", Scripted()):
            bad, good = [await _join(tmp_path / "e.sock") for _ in range(2)]
            bad.writer.write(garbage)
            await bad.until(lambda: bad.closed)
            assert (await good.call(1, "/work", {"steps": 1})).data == b"."

    asyncio.run(story())


def test_a_repeated_number_ends_the_connection(tmp_path: Path) -> None:
    async def story() -> None:
        model = Scripted(held=True)
        async with serving(tmp_path / "e.sock", model):
            peer = await _join(tmp_path / "e.sock")
            peer.submit(1, "/work", {"steps": 9})
            peer.submit(1, "/work", {"steps": 9})
            await peer.until(lambda: peer.closed)
            model.allow(9)

    asyncio.run(story())


def test_a_peer_that_does_not_read_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for a stuck worker is bounded; the others are served."""
    monkeypatch.setattr(connection_module, "UNSENT_LIMIT", 64 * 1024)

    async def story() -> None:
        async with serving(tmp_path / "e.sock", None) as (server, _):
            reader, writer = await asyncio.open_unix_connection(str(tmp_path / "e.sock"), limit=1)
            good = await _join(tmp_path / "e.sock")
            for size in range(1000):
                server.announce(State("loading", "x" * 10_000 + str(size)))
                await asyncio.sleep(0)
            assert (await good.call(1, "/work", {})).head.status == 503
            taken = 0
            with suppress(ConnectionError):
                while data := await reader.read(1 << 20):
                    taken += len(data)
            assert 0 < taken < 5_000_000  # of ten million: cut off, not closed after everything was sent
            writer.close()
            await writer.wait_closed()

    asyncio.run(story())
