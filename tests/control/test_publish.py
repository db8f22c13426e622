"""The feed over a real Unix socket, with scripted workers: order, reconnects, slow readers, lookups asked once."""

from __future__ import annotations

import asyncio
import stat
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest

from gateline.control.publish import MAX_UNREAD, Away, Feed, Settled
from gateline.model.feed import (
    Beat,
    Changed,
    Found,
    Granted,
    Hello,
    Lookup,
    Publish,
    Refused,
    Seen,
    ToControl,
    ToWorker,
)
from gateline.model.key import Key
from gateline.model.token import Bearer
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


def test_the_socket_is_for_its_owner_alone(tmp_path: Path) -> None:
    async def script(at: Stage) -> None:
        assert stat.S_IMODE(at.path.stat().st_mode) == 0o600

    play(tmp_path, script)


def test_a_worker_gets_the_snapshot_it_lacks_and_no_other(tmp_path: Path) -> None:
    async def script(at: Stage) -> None:
        at.feed.publish(3, b"three")
        new, current = await at.worker(0, snapshot=0), await at.worker(1, snapshot=3)
        assert await new.hear(Publish) == Publish(3, b"three")
        at.feed.publish(4, b"four")
        assert await new.hear(Publish) == Publish(4, b"four")
        assert await current.hear(Publish) == Publish(4, b"four")

    play(tmp_path, script)


def test_changes_arrive_in_order_at_every_worker(tmp_path: Path) -> None:
    """Whatever else is said in between; one that was announced already is not repeated."""

    async def script(at: Stage) -> None:
        workers = [await at.worker(0), await at.worker(1)]
        for number in range(1, 200):
            at.feed.announce(key(number))
            at.feed.announce(key(max(number - 5, 1)))
        for worker in workers:
            assert [(await worker.hear(Changed)).key.changed for _ in range(199)] == list(range(1, 200))
            assert (await worker.hear(Beat)).changed == 199

    play(tmp_path, script)


def test_a_change_is_settled_when_every_worker_has_seen_it(tmp_path: Path) -> None:
    async def script(at: Stage) -> None:
        first, second = await at.worker(0), await at.worker(1)
        at.feed.announce(key(7))
        waiting = asyncio.ensure_future(at.feed.settled(7, {0, 1}, DEADLINE))
        await first.hear(Changed)
        first.say(Seen(7, 0))
        await until(lambda: at.feed.workers()[0].changed == 7)
        assert not waiting.done()
        second.say(Seen(6, 0))
        await until(lambda: at.feed.workers()[1].changed == 6)
        assert not waiting.done()
        second.say(Seen(7, 0))
        settled = await waiting
        assert (settled.acknowledged, settled.missing) == ((0, 1), ())

    play(tmp_path, script)


def test_a_silent_worker_is_named_as_missing(tmp_path: Path) -> None:
    async def script(at: Stage) -> None:
        first = await at.worker(0)
        await at.worker(1)
        at.feed.announce(key(1))
        first.say(Seen(1, 0))
        await until(lambda: at.feed.workers()[0].changed == 1)
        settled = await at.feed.settled(1, {0, 1, 2}, 0.01)
        assert (settled.acknowledged, settled.missing) == ((0,), (1, 2))

    play(tmp_path, script)


def test_a_worker_that_dies_is_waited_for_no_longer(tmp_path: Path) -> None:
    async def script(at: Stage) -> None:
        alive = {0, 1}
        first = await at.worker(0)
        at.feed.announce(key(1))
        waiting = asyncio.ensure_future(at.feed.settled(1, alive, DEADLINE))
        first.say(Seen(1, 0))
        await until(lambda: at.feed.workers()[0].changed == 1)
        alive.discard(1)
        at.feed.moved()
        assert (await waiting).missing == ()

    play(tmp_path, script)


def test_a_worker_that_comes_back_counts_when_it_says_so(tmp_path: Path) -> None:
    """It may hold a key that was revoked meanwhile, until it has read the beat that tells it."""

    async def script(at: Stage) -> None:
        first = await at.worker(0)
        first.close()
        await until(lambda: not at.feed.workers())
        at.feed.announce(key(9))
        second = await at.worker(0)
        assert (await at.feed.settled(9, {0}, 0.01)).missing == (0,)
        second.say(Seen(9, 0))
        assert (await at.feed.settled(9, {0}, DEADLINE)).acknowledged == (0,)

    play(tmp_path, script)


def test_running_waits_for_the_snapshot(tmp_path: Path) -> None:
    async def script(at: Stage) -> None:
        worker = await at.worker(0)
        at.feed.publish(2, b"two")
        waiting = asyncio.ensure_future(at.feed.running(2, {0}, DEADLINE))
        published = await worker.hear(Publish)
        worker.say(Seen(0, published.version))
        assert (await waiting).acknowledged == (0,)

    play(tmp_path, script)


def test_a_refused_snapshot_is_told_of_and_can_be_withdrawn(tmp_path: Path) -> None:
    """The refusal ends the wait and says who and why. The one from before goes to whoever took the refused one, even
    if it says so late, and to nobody else."""

    async def script(at: Stage) -> None:
        refusing, taking = await at.worker(0, snapshot=1), await at.worker(1, snapshot=1)
        at.feed.publish(2, b"two")
        await refusing.hear(Publish)
        await taking.hear(Publish)
        refusing.say(Refused(2, "a kind unknown here"), Seen(0, 1))
        await at.worker(2, snapshot=2)
        settled = await at.feed.running(2, {0, 2}, DEADLINE)
        assert settled == Settled(acknowledged=(2,), missing=(0,))
        assert at.feed.refusal(2) == "worker 0 cannot run it: a kind unknown here"
        assert at.feed.refusal(1) == ""
        at.feed.publish(1, b"one")
        taking.say(Seen(0, 2))
        assert (await taking.hear(Publish)).version == 1
        at.feed.announce(key(1))
        await refusing.hear(Changed)
        assert not [each for each in refusing.heard if isinstance(each, Publish)]

    play(tmp_path, script)


def test_a_lookup_is_asked_once_and_answered_to_everybody(tmp_path: Path) -> None:
    async def script(at: Stage) -> None:
        known = key(1, "known")
        at.store.keys[known.hash] = known
        workers = [await at.worker(0), await at.worker(1)]
        at.store.gate.clear()
        for worker in workers:
            worker.say(*[Lookup(known.hash)] * 5, Seen(1, 0))
        await until(lambda: {w.changed for w in at.feed.workers().values()} == {1})
        at.store.gate.set()
        for worker in workers:
            assert (await worker.hear(Found)).key == known
        assert at.store.asked == [known.hash]

    play(tmp_path, script)


def test_an_unknown_key_is_found_to_be_none(tmp_path: Path) -> None:
    async def script(at: Stage) -> None:
        worker = await at.worker(0)
        worker.say(Lookup(b"?" * 16))
        assert await worker.hear(Found) == Found(b"?" * 16, None, 0)

    play(tmp_path, script)


def test_a_lookup_outlives_a_store_that_is_away(tmp_path: Path) -> None:
    """It is never answered with "no such key" for want of a database: it is asked until there is one."""

    async def script(at: Stage) -> None:
        known = key(1, "known")
        at.store.keys[known.hash] = known
        at.store.away = 2
        worker = await at.worker(0)
        worker.say(Lookup(known.hash))
        assert (await worker.hear(Found)).key == known
        assert len(at.store.asked) == 3

    play(tmp_path, script)


def test_beats_go_on_while_the_store_hangs(tmp_path: Path) -> None:
    async def script(at: Stage) -> None:
        at.store.gate.clear()
        worker = await at.worker(0)
        worker.say(Lookup(b"x" * 16))
        assert await asyncio.to_thread(at.store.entered.wait, DEADLINE)
        for _ in range(2):
            await worker.hear(Beat)
        assert at.store.asked == []

    play(tmp_path, script)


def test_a_worker_that_reads_too_slowly_is_dropped_and_others_are_not(tmp_path: Path) -> None:
    async def script(at: Stage) -> None:
        slow, quick = await at.worker(0), await at.worker(1)
        big = b"x" * (MAX_UNREAD * 4)
        at.feed.publish(1, big)
        assert (await quick.hear(Publish)).snapshot == big
        at.feed.announce(key(1))
        assert (await quick.hear(Changed)).key.changed == 1
        assert 0 not in at.feed.workers()
        await slow.closed()
        again = await at.worker(0)
        assert (await again.hear(Publish)).version == 1

    play(tmp_path, script)


@pytest.mark.parametrize("garbage", [b"\xff\xff\xff\xff", frame(b"\x93\x63\x01\x02"), frame(b"")])
def test_whoever_speaks_something_else_is_dropped(tmp_path: Path, garbage: bytes) -> None:
    async def script(at: Stage) -> None:
        stranger = Worker(*await asyncio.open_unix_connection(at.path))
        at.workers.append(stranger)
        stranger._writer.write(garbage)
        await stranger.closed()

    play(tmp_path, script)


def test_a_token_is_told_to_every_worker_and_again_to_each_that_comes(tmp_path: Path) -> None:
    """The last one of each credential, whatever snapshot the worker runs."""

    async def script(at: Stage) -> None:
        at.feed.publish(3, b"three")
        there = await at.worker(0, snapshot=3)
        for value in ("old", "new"):
            at.feed.grant(Granted(b"c", Bearer(value, 1.0)))
            assert await there.hear(Granted) == Granted(b"c", Bearer(value, 1.0))
        later = await at.worker(1, snapshot=3)
        assert await later.hear(Granted) == Granted(b"c", Bearer("new", 1.0))

    play(tmp_path, script)


def test_tokens_come_again_behind_a_new_configuration(tmp_path: Path) -> None:
    """A worker keeps no token that its configuration does not name: it hears of them when it can use them."""

    async def script(at: Stage) -> None:
        worker = await at.worker(0)
        at.feed.grant(Granted(b"c", None, "not yet"))
        await worker.hear(Granted)
        at.feed.publish(4, b"four")
        await worker.hear(Publish)
        assert await worker.hear(Granted) == Granted(b"c", None, "not yet")

    play(tmp_path, script)


def test_tokens_of_credentials_that_left_are_forgotten(tmp_path: Path) -> None:
    async def script(at: Stage) -> None:
        for name in (b"gone", b"kept"):
            at.feed.grant(Granted(name, Bearer("t")))
        at.feed.forget_grants({b"kept"})
        worker = await at.worker(0)
        assert (await worker.hear(Granted)).credential == b"kept"

    play(tmp_path, script)
