"""Tokens of providers on the feed: brought to every worker, again behind each configuration, and forgotten."""

from __future__ import annotations

from pathlib import Path

from gateline.model.feed import Granted, Publish, Rejected
from gateline.model.token import Bearer
from tests.control.feedstage import Stage, play, until


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


def test_a_workers_word_of_a_refused_token_reaches_who_renews(tmp_path: Path) -> None:
    async def script(at: Stage) -> None:
        heard: list[Rejected] = []
        at.feed.rejected = heard.append
        worker = await at.worker(0)
        worker.say(Rejected(b"c", b"t"))
        await until(lambda: bool(heard))
        assert heard == [Rejected(b"c", b"t")]

    play(tmp_path, script)
