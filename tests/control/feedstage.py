"""The feed on a real Unix socket, with scripted workers and a scripted store."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec

from gateline.control.publish import Away, Feed
from gateline.model.feed import Beat, Changed, Found, Granted, Hello, Publish, ToControl, ToWorker
from gateline.model.key import Key
from gateline.wire.frames import FrameReader, frame

DEADLINE = 10.0
Message = TypeVar("Message", Publish, Changed, Found, Beat, Granted)


def key(changed: int, name: str = "k") -> Key:
    return Key(id=f"key_{name}", hash=name.encode().ljust(16), tenant="default", name=name, slot=1, changed=changed)


@dataclass
class Answers:
    keys: list[Key | None]
    changed: int = 0


@dataclass
class Store:
    """What the database would say; `gate` holds lookups back until a test opens it."""

    keys: dict[bytes, Key] = field(default_factory=dict)
    asked: list[bytes] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    entered: threading.Event = field(default_factory=threading.Event)
    away: int = 0

    def look_up(self, hashes: list[bytes]) -> Answers:
        self.entered.set()
        assert self.gate.wait(DEADLINE)
        self.asked += hashes
        if self.away:
            self.away -= 1
            raise Away("locked")
        return Answers([self.keys.get(hashed) for hashed in hashes])


class Worker:
    """A worker's end of the feed, which says only what the test makes it say."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._frames = FrameReader()
        self.heard: list[ToWorker] = []

    def say(self, *messages: ToControl) -> None:
        for message in messages:
            self._writer.write(frame(msgspec.msgpack.encode(message)))

    async def hear(self, kind: type[Message]) -> Message:
        """The next message of this kind; what comes before it is kept in `heard`."""
        async with asyncio.timeout(DEADLINE):
            while True:
                for place, message in enumerate(self.heard):
                    if isinstance(message, kind):
                        del self.heard[: place + 1]
                        return message
                data = await self._reader.read(65536)
                assert data, "the feed closed the connection"
                self.heard += [msgspec.msgpack.decode(raw, type=ToWorker) for raw in self._frames.feed(data)]

    async def closed(self) -> None:
        async with asyncio.timeout(DEADLINE):
            try:
                while await self._reader.read(65536):
                    pass
            except ConnectionError:
                return

    def close(self) -> None:
        self._writer.close()


@dataclass
class Stage:
    feed: Feed
    store: Store
    path: Path
    workers: list[Worker] = field(default_factory=list)

    async def worker(self, index: int = 0, snapshot: int = 0) -> Worker:
        """A connected worker whose `Hello` was answered."""
        worker = Worker(*await asyncio.open_unix_connection(self.path))
        self.workers.append(worker)
        worker.say(Hello(index, 100 + index, snapshot))
        await worker.hear(Beat)
        return worker


@asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[Stage]:
    store = Store()
    store.gate.set()
    path = folder / "feed.sock"
    feed = Feed(path, store.look_up)
    await feed.start()
    made = Stage(feed, store, path)
    try:
        yield made
    finally:
        store.gate.set()
        await feed.close()
        for worker in made.workers:
            worker.close()


def play(folder: Path, script: Callable[[Stage], Awaitable[None]]) -> None:
    async def run() -> None:
        async with stage(folder) as made:
            await script(made)

    asyncio.run(run())


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not holds():  # noqa: ASYNC110 the feed's own state, which has no event of its own
            await asyncio.sleep(0)
