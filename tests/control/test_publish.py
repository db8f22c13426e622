"""The feed over a real Unix socket, with scripted workers: order, reconnects, slow readers, lookups asked once."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest

from gateline.control.publish import MAX_UNREAD, Settled
from gateline.model.feed import Beat, Changed, Found, Lookup, Publish, Refused, Seen
from gateline.wire.frames import frame
from tests.control.feedstage import DEADLINE, Stage, Worker, key, play, until


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
