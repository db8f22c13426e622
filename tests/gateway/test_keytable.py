"""The key table, fed by hand: what is said by whom when decides what a caller gets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.gateway import keytable
from gateline.gateway.keytable import KeyTable, Question
from gateline.model.errors import Unavailable
from gateline.model.feed import Beat, Changed, Cut, Found, Granted, Hello, Lookup, Publish, Seen
from gateline.model.key import Key
from gateline.model.token import Bearer
from gateline.net.clock import Clock
from gateline.net.flow import Flow


class Table(KeyTable):
    """A table whose link is a list of what it said."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.clock.now = 1_000.0
        self.published: list[int] = []
        self.cuts: list[str] = []
        self.granted: list[Granted] = []
        super().__init__(
            Path("nobody"),
            3,
            self.clock,
            lambda version, _: self.published.append(version),
            self.cuts.append,
            self.granted.append,
        )
        self.said: list[msgspec.Struct] = []
        self.woken = 0
        self.due: list[Callable[[], None]] = []
        self._link.send = self._say  # type: ignore[method-assign]

    def _say(self, message: Any) -> bool:
        self.said.append(message)
        return True

    def _in_a_moment(self, call: Callable[[], None]) -> None:
        self.due.append(call)

    def pass_moment(self) -> None:
        due, self.due = self.due, []
        for call in due:
            call()

    def hear(self, *messages: Any) -> None:
        for message in messages:
            self._receive(message)

    def question(self, digest: bytes) -> Question:
        """A request that asks, and counts its wakes in `woken`."""

        async def wait() -> None:
            while True:
                await Flow.park()
                self.woken += 1

        flow = Flow(lambda error: pytest.fail(repr(error)))
        flow.start(wait())
        return self.ask(digest, flow)

    def pass_time(self, seconds: float) -> None:
        while self.due:
            self.pass_moment()
        self.clock.now += seconds
        for hook in self.clock._hooks:
            hook(self.clock.now)


def key(changed: int, digest: bytes = b"a", *, revoked: bool = False) -> Key:
    return Key(f"key_{digest.hex()}", digest, "default", "n", 1, changed, revoked=revoked)


def test_one_look_up_serves_all_who_ask() -> None:
    """Requests with the same unknown key share a question; each is woken by its answer, and memory answers the next."""
    table = Table()
    one, two = table.question(b"a"), table.question(b"a")
    assert one is two
    assert table.said == [Lookup(b"a")]
    table.hear(Found(b"a", key(5), 5))
    assert (one.answered, one.key, table.woken) == (True, key(5), 2)
    assert table.find(b"a") == key(5)


def test_look_ups_of_one_moment_go_together() -> None:
    """The first goes at once, those right behind it wait for each other; a quiet moment later the next goes at once."""
    table = Table()
    for digest in (b"a", b"b", b"c"):
        table.question(digest)
    assert table.said == [Lookup(b"a")]
    assert len(table.due) == 1
    table.pass_moment()
    assert table.said == [Lookup(b"a"), Lookup(b"b"), Lookup(b"c")]
    table.pass_moment()
    assert table.due == []
    table.question(b"d")
    assert table.said[-1] == Lookup(b"d")


def test_a_look_up_that_waits_for_others_is_asked_once_on_a_new_connection() -> None:
    """What was still to be sent when the connection opened goes with everything else that is open, and not again."""
    table = Table()
    table.question(b"a")
    table.question(b"b")
    table.said.clear()
    table._opened()
    assert table.said[1:] == [Lookup(b"a"), Lookup(b"b")]
    table.pass_moment()
    assert len(table.said) == 3


def test_keys_share_what_they_have_in_common() -> None:
    """Of two keys with the same tenant, limits and models there is one object each, within a bound; the keys are what
    they were told to be."""
    table = Table()
    told = [Key(f"key_{n}", bytes([n]), "acme", "n", n, n, 1_000, 2_000, ("model",)) for n in (1, 2)]
    raw = [msgspec.msgpack.decode(msgspec.msgpack.encode(key), type=Key) for key in told]
    assert raw[0].tenant is not raw[1].tenant
    table.hear(*(Found(key.hash, key, 9) for key in raw))
    one, two = (table.find(key.hash) for key in told)
    assert [one, two] == told
    assert one is not None
    assert two is not None
    assert one.tenant is two.tenant
    assert one.requests_per_minute is two.requests_per_minute
    assert one.concurrency is two.concurrency
    assert one.models is two.models


def test_a_key_that_is_none_is_remembered_for_a_while() -> None:
    """An unknown key is asked for once in ten seconds; being made meanwhile, it is known at once."""
    table = Table()
    question = table.question(b"a")
    table.hear(Found(b"a", None, 5))
    assert (question.answered, question.key) == (True, None)
    assert table.is_absent(b"a")
    table.pass_time(10.1)
    assert not table.is_absent(b"a")
    table.question(b"a")
    table.hear(Found(b"a", None, 5), Changed(key(6)))
    assert not table.is_absent(b"a")
    assert table.find(b"a") == key(6)


def test_a_revocation_during_a_look_up_is_not_undone_by_its_answer() -> None:
    """An answer older than the key's last change is dropped: whoever asked gets the change."""
    table = Table()
    question = table.question(b"a")
    table.hear(Changed(key(7, revoked=True)), Found(b"a", key(5), 6))
    assert question.key == key(7, revoked=True)
    assert table.find(b"a") == key(7, revoked=True)
    question = table.question(b"a")
    table.hear(Found(b"a", None, 6))
    assert question.key == key(7, revoked=True)
    table.question(b"a")
    table.hear(Found(b"a", None, 8))  # younger: the key is no more
    assert table.find(b"a") is None
    assert table.is_absent(b"a")


def test_changes_are_applied_once_and_acknowledged() -> None:
    """An older version never replaces a newer one, and every change and configuration is acknowledged."""
    table = Table()
    table.hear(Beat(4), Changed(key(6)), Changed(key(5, revoked=True)), Changed(key(7, b"b")))
    assert table.find(b"a") == key(6)
    assert table.said == [Seen(4, 0), Seen(6, 0), Seen(6, 0), Seen(7, 0)]
    table.snapshot_version = 9
    table.hear(Cut("key_61"))
    assert table.cuts == ["key_61"]
    table.hear(Publish(9, b""))
    assert (table.published, table.said[-1]) == ([9], Seen(7, 9))
    table.hear(Beat(8))
    table.hear(Changed(key(9)))
    assert table.said[-1] == Seen(9, 9)


def test_a_new_connection_trusts_the_old_one_when_nothing_was_missed() -> None:
    """The first beat says whether changes were missed. If so, keys and refusals are forgotten; open questions are asked
    again in any case."""
    for missed in (False, True):
        table = Table()
        table.hear(Beat(4), Changed(key(5)))
        table.question(b"b")
        table.hear(Found(b"b", None, 5))
        open_question = table.question(b"c")
        table.said.clear()
        table.snapshot_version = 4
        table._opened()
        assert isinstance(table.said[0], Hello)
        assert (table.said[0].worker, table.said[0].snapshot) == (3, 4)
        assert table.said[1:] == [Lookup(b"c")]
        if missed:
            table.hear(Changed(key(7, b"d")))  # a change that comes before the beat does not hide the one before it
        table.hear(Beat(7 if missed else 5))
        assert table.said[-1] == Seen(7 if missed else 5, 4)
        assert (table.find(b"a") is None) is missed
        assert table.is_absent(b"b") is not missed
        table.hear(Found(b"c", key(8, b"c"), 8))
        assert open_question.key == key(8, b"c")


def test_an_answer_from_before_the_connection_is_asked_for_again() -> None:
    """It was read before changes that were told to nobody here: a key revoked meanwhile must not come of it."""
    table = Table()
    table.hear(Beat(4))
    question = table.question(b"a")
    table._opened()
    table.hear(Beat(5))
    table.said.clear()
    table.hear(Found(b"a", key(4), 4))
    assert (question.answered, table.find(b"a")) == (False, None)
    assert table.said == [Lookup(b"a")]
    table.hear(Found(b"a", key(5, revoked=True), 5))
    assert question.key == key(5, revoked=True)


def test_a_control_process_without_its_store_is_as_good_as_silent() -> None:
    """Its beats cannot say whether changes were missed: known keys are served as long as in silence, then 503."""
    table = Table()
    table.hear(Beat(4), Changed(key(5)))
    table._opened()
    for _ in range(31):
        table.pass_time(1)
        table.hear(Beat(-1))
        assert table.find(b"a") == key(5)
    table.pass_time(1.1)
    table.hear(Beat(-1))
    with pytest.raises(Unavailable):
        table.find(b"a")
    table.hear(Beat(5))
    assert table.find(b"a") == key(5)


def test_silence_is_served_through_for_a_while() -> None:
    """After 2 s without a beat keys are unverified: served for 30 s, then 503 with a Retry-After; a beat mends it."""
    table = Table()
    table.hear(Beat(4), Changed(key(5)))
    for _ in range(31):
        table.pass_time(1)
        assert table.find(b"a") == key(5)
    table.pass_time(1.1)
    with pytest.raises(Unavailable) as caught:
        table.find(b"a")
    assert caught.value.retry_after
    assert table.find(b"unknown") is None  # to be looked up, and that is refused in its own time
    table.hear(Beat(5))
    assert table.find(b"a") == key(5)
    table.unverified_for = 0
    table.pass_time(2.1)
    with pytest.raises(Unavailable):
        table.find(b"a")


def test_a_look_up_without_an_answer_is_given_up() -> None:
    """After five seconds whoever waits is woken and finds that nobody will answer; asking again asks again."""
    table = Table()
    question = table.question(b"a")
    table.pass_time(4.9)
    assert not table.gave_up(question)
    assert table.woken == 0
    table.pass_time(0.2)
    assert table.gave_up(question)
    assert (table.woken, question.answered) == (1, False)
    again = table.question(b"a")
    assert again is not question
    assert table.said == [Lookup(b"a")] * 2
    table.hear(Found(b"a", key(5), 5))
    assert again.key == key(5)


def test_everything_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys, refusals and questions each have a bound; the oldest key or refusal goes, a question too many is 503."""
    for name in ("_KEYS", "_ABSENT", "_ASKING"):
        monkeypatch.setattr(keytable, name, 2)
    table = Table()
    for number in range(4):
        table.hear(Changed(key(number + 1, bytes([number]))), Found(bytes([10 + number]), None, 9))
    assert [table.find(bytes([number])) is not None for number in range(4)] == [False, False, True, True]
    assert [table.is_absent(bytes([10 + number])) for number in range(4)] == [False, False, True, True]
    table.hear(Changed(key(9, bytes([3]))))  # a known key's change evicts nobody
    assert table.find(bytes([2])) is not None
    table.question(b"x")
    table.question(b"y")
    table.question(b"x")
    with pytest.raises(Unavailable) as caught:
        table.question(b"z")
    assert caught.value.retry_after


def test_what_keys_share_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of limits that are all different only so many are kept to be shared."""
    monkeypatch.setattr(keytable, "_SHARED", 2)
    table = Table()
    for number in range(9):
        table.hear(Changed(Key("id", bytes([number]), "t", "n", number, number + 1, 1_000 + number)))
        assert len(table._shared) <= 2
        found = table.find(bytes([number]))
        assert found is not None
        assert found.requests_per_minute == 1_000 + number


@given(st.lists(st.sampled_from(["create", "revoke", "ask", "answer", "stale"]), max_size=30))
def test_no_order_of_messages_brings_a_revoked_key_back(steps: list[str]) -> None:
    """However changes and answers, each true when it was read, interleave: after a revocation has been heard, the table
    never again gives the key out as good."""
    table = Table()
    number, version = 1, key(1)
    read: list[Found] = []
    for step in steps:
        if step in {"create", "revoke"} and not version.revoked:
            number += 1
            version = key(number, revoked=step == "revoke")
            table.hear(Changed(version))
        elif step == "ask":
            read.append(Found(b"a", version, number))  # read from the database now, told later
        elif step == "answer" and read:
            table.question(b"a")
            table.hear(read.pop(0))
        elif step == "stale" and read:
            table.hear(read[-1])
        known = table.find(b"a")
        assert known is None or known == version or not version.revoked


def test_a_token_goes_to_who_holds_them() -> None:
    """The table passes on what it hears of them, and keeps none."""
    table = Table()
    granted = Granted(b"credential", Bearer("t", 1.0))
    table.hear(granted)
    assert table.granted == [granted]
