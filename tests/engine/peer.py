"""A worker's end of the engine's socket, a scripted model behind it, and a running engine with both."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

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
    """An engine at `path`, and the list of what broke it; at the end it is drained and its peers are gone."""
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


async def join(path: Path) -> Any:
    """A `Peer` that has heard the state; as Any, since its replies are read where they must be there."""
    peer = Peer()
    await peer.open(path)
    await peer.until(lambda: peer.states)
    return peer
