from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateline.store.limits import CAPACITY, WINDOW_NS, Limits, size

SECOND = 1_000_000_000
PATIENT = 60 * SECOND
NOW = 1_000 * SECOND


@contextmanager
def workers(count: int, folder: Path, patience_ns: int = PATIENT) -> Iterator[list[Limits]]:
    shared = mmap.mmap(-1, size(count))
    views = [Limits(shared, place, count, folder / "lock", patience_ns) for place in range(count)]
    try:
        yield views
    finally:
        for view in views:
            view.close()
        shared.close()


def in_processes(count: int, work: Callable[[int], int]) -> list[int]:
    """Runs `work(place)` in forked processes that start together; returns what each returned."""
    gate, go = os.pipe()
    results, report = os.pipe()
    pids = []
    for place in range(count):
        pid = os.fork()
        if pid == 0:
            try:
                os.close(go)
                os.read(gate, 1)  # end of file: all have been forked
                os.write(report, struct.pack("qq", place, work(place)))
                os._exit(0)
            finally:
                os._exit(1)
        pids.append(pid)
    os.close(gate)
    os.close(go)
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * count
    answers = dict(struct.unpack("qq", os.read(results, 16)) for _ in range(count))
    os.close(results)
    os.close(report)
    return [answers[place] for place in range(count)]


# --- rate ---


@pytest.mark.parametrize("count", [1, 3])
def test_a_burst_passes_exactly_the_limit_and_then_one_an_interval(tmp_path: Path, count: int) -> None:
    """100 a minute: a fresh key passes 100 of 1,022 at once, then one each 0.6 s, whichever worker is asked."""
    with workers(count, tmp_path) as views:
        burst = [views[n % count].admit(7, 100, None, NOW) for n in range(1_022)]
        assert [verdict.allowed for verdict in burst] == [True] * 100 + [False] * 922
        assert [verdict.remaining for verdict in burst[:100]] == list(range(99, -1, -1))
        refused = burst[-1]
        assert (refused.which, refused.limit, refused.retry_after_ns) == ("requests", 100, 600_000_000)
        assert refused.reset_ns == WINDOW_NS
        last = views[-1]
        assert not last.admit(7, 100, None, NOW + 599_999_999).allowed
        assert last.admit(7, 100, None, NOW + 600_000_000).allowed
        assert not last.admit(7, 100, None, NOW + 600_000_001).allowed
        assert last.admit(7, 100, None, NOW + 600_000_000 + WINDOW_NS).remaining == 99


def test_three_processes_together_pass_exactly_the_limit(tmp_path: Path) -> None:
    """1,022 calls raced by three processes at 100 a minute: 100 pass, not one more or less."""
    shared = mmap.mmap(-1, size(3))

    def work(place: int) -> int:
        view = Limits(shared, place, 3, tmp_path / "lock", PATIENT)
        share = (341, 341, 340)[place]
        return sum(view.admit(5, 100, None, NOW).allowed for _ in range(share)) + 1_000_000 * view.lock_missed

    assert sum(in_processes(3, work)) == 100


@settings(deadline=None, max_examples=200)
@given(
    limit=st.integers(1, 30),
    gaps=st.lists(st.integers(0, 3 * SECOND) | st.just(0), min_size=1, max_size=120),
    turns=st.lists(st.integers(0, 1), min_size=120, max_size=120),
)
def test_no_stretch_of_time_passes_more_than_its_share(limit: int, gaps: list[int], turns: list[int]) -> None:
    """In any stretch of t seconds at most limit + t * limit / 60 calls pass, a refused call would not have fitted,
    and two workers together decide as one alone does."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder, workers(1, Path(folder)) as one, workers(2, Path(folder)) as two:
        now, passed = NOW, list[int]()
        interval = WINDOW_NS // limit
        for gap, turn in zip(gaps, turns, strict=False):
            now += gap
            verdict = one[0].admit(0, limit, None, now)
            assert two[turn].admit(0, limit, None, now) == verdict
            fits = all(
                len(passed) - first + 1 <= limit + Fraction(now - passed[first], interval)
                for first in range(len(passed))
            )
            assert verdict.allowed == fits
            if verdict.allowed:
                passed.append(now)
            else:
                assert 0 < verdict.retry_after_ns <= interval


def test_without_the_lock_a_decision_is_taken_in_time_and_made_up_for(tmp_path: Path) -> None:
    """A worker that cannot get the lock decides on what it sees, counts it, and its debt is charged once."""
    with workers(2, tmp_path, patience_ns=1_000) as (first, second):
        assert first._try_lock(3)
        verdicts = [second.admit(3, 5, None, NOW) for _ in range(7)]
        assert [verdict.allowed for verdict in verdicts] == [True] * 5 + [False] * 2
        assert second.lock_missed == 7
        first._unlock(3)
        assert not first.admit(3, 5, None, NOW).allowed
        assert first.admit(3, 5, None, NOW + WINDOW_NS // 5).allowed
        assert not second.admit(3, 5, None, NOW + WINDOW_NS // 5).allowed
        assert first.lock_missed == 0
        assert second.lock_missed == 7


def test_a_limit_of_none_a_minute_passes_nothing(tmp_path: Path) -> None:
    """Zero is a limit, not the absence of one."""
    with workers(2, tmp_path) as (first, _):
        assert not first.admit(0, 0, None, NOW).allowed
        assert not first.admit(0, None, 0, NOW).allowed
        assert first.calls(0) == 0


def test_keys_do_not_share_limits(tmp_path: Path) -> None:
    """The last slot works, and neighbours notice nothing."""
    with workers(2, tmp_path) as (first, second):
        assert first.admit(CAPACITY - 1, 1, 1, NOW).allowed
        assert not second.admit(CAPACITY - 1, 1, 5, NOW).allowed
        assert second.admit(CAPACITY - 2, 1, 1, NOW).allowed


# --- concurrency ---


def test_calls_are_counted_over_all_workers(tmp_path: Path) -> None:
    """The limit is one for all workers; whoever leaves makes room for any."""
    with workers(3, tmp_path) as views:
        assert [views[n].admit(9, None, 2, NOW).allowed for n in (0, 1, 2)] == [True, True, False]
        refused = views[2].admit(9, None, 2, NOW)
        assert (refused.which, refused.limit, refused.remaining) == ("concurrency", 2, 0)
        assert refused.retry_after_ns > 0
        views[0].leave(9)
        assert views[2].admit(9, None, 2, NOW).allowed
        assert views[0].calls(9) == 2


def test_a_refused_call_leaves_nothing_behind(tmp_path: Path) -> None:
    """Refused for rate or for concurrency, the columns are as before."""
    with workers(2, tmp_path) as (first, second):
        assert first.admit(1, 1, 1, NOW).allowed
        before = bytes(first._bytes[:4096])
        assert second.admit(1, 1, 5, NOW).which == "requests"
        assert second.admit(1, 9, 1, NOW).which == "concurrency"
        assert first.admit(1, 9, 1, NOW).which == "concurrency"
        first.leave(1)
        assert first.calls(1) == second.calls(1) == 0
        after = bytearray(first._bytes[:4096])
        first.admit(1, None, None, NOW)
        touched = bytes(first._bytes[:4096])
        assert after != touched
        header = slice(0, 16)  # which slots each worker has touched is not undone, and need not be
        assert touched[header.stop :] == before[header.stop :]


def test_calls_without_a_limit_count_once_one_is_set(tmp_path: Path) -> None:
    """A limit set while calls run counts them, and their ends do not make the count wrong."""
    with workers(2, tmp_path) as (first, second):
        for _ in range(3):
            assert first.admit(4, None, None, NOW).allowed
        assert not second.admit(4, None, 3, NOW).allowed
        first.leave(4)
        assert second.admit(4, None, 3, NOW).allowed
        first.leave(4)
        first.leave(4)
        second.leave(4)
        assert first.calls(4) == 0


class Interrupted(Limits):
    """Runs `between` once, right after it has announced itself."""

    between: Callable[[], None] | None = None

    def _sum(self, base: int) -> int:
        between, self.between = self.between, None
        if between is not None:
            between()
        return super()._sum(base)


@pytest.mark.parametrize("place", [0, 1])
def test_of_two_that_race_for_the_last_place_the_lower_wins(tmp_path: Path, place: int) -> None:
    """Asked in the middle of the other's announcement, a higher worker gives way at once; a lower one waits only as
    long as its patience. Never do both pass, and nothing is left behind."""
    shared = mmap.mmap(-1, size(2))
    early = Interrupted(shared, place, 2, tmp_path / "lock", 1_000)
    late = Limits(shared, 1 - place, 2, tmp_path / "lock", 1_000)
    seen: list[bool] = []
    early.between = lambda: seen.append(late.admit(2, None, 1, NOW).allowed)
    assert early.admit(2, None, 1, NOW).allowed
    assert seen == [False]
    assert late.calls(2) == 1
    early.leave(2)
    assert late.admit(2, None, 1, NOW).allowed


@pytest.mark.parametrize("limit", [1, 2])
def test_forced_races_between_processes_never_admit_too_many(tmp_path: Path, limit: int) -> None:
    """Three processes admit and leave as fast as they can; each, while admitted, sees at most `limit` admitted.

    Each counts its own comings and goings, odd while it is in. Cells are read one after the other, so that two could
    change places meanwhile: only what reads the same twice was so at one moment."""
    shared = mmap.mmap(-1, size(3))
    moves = memoryview(mmap.mmap(-1, 4096)).cast("q")

    def work(place: int) -> int:
        view = Limits(shared, place, 3, tmp_path / "lock")
        admitted = 0
        for _ in range(15_000):
            if view.admit(0, None, limit, NOW).allowed:
                moves[place] += 1
                seen = moves[:3].tolist()
                if sum(count & 1 for count in seen) > limit and moves[:3].tolist() == seen:
                    return -1
                moves[place] += 1
                view.leave(0)
                admitted += 1
        return admitted

    admitted = in_processes(3, work)
    assert min(admitted) >= 0, "more calls than the limit ran at once"
    assert sum(admitted) > 0
    view = Limits(shared, 0, 3, tmp_path / "lock")
    assert view.calls(0) == 0
    view.close()


def test_a_dead_workers_calls_are_over_and_its_debts_are_not(tmp_path: Path) -> None:
    """Zeroing one worker frees what it held, on every slot it touched, and forgives no rate."""
    with workers(2, tmp_path, patience_ns=1_000) as (first, second):
        for slot in (0, 5, 3_000):
            assert first.admit(slot, None, 2, NOW).allowed
            assert second.admit(slot, None, 2, NOW).allowed
        assert first._try_lock(5)
        assert second.admit(5, 1, None, NOW).allowed
        first._unlock(5)
        first.zero_worker(1)
        assert [first.calls(slot) for slot in (0, 5, 3_000)] == [1, 1, 1]
        assert not first.admit(5, 1, None, NOW).allowed


def test_a_sole_worker_decides_as_under_the_lock(tmp_path: Path) -> None:
    """Of two places with one worker: the same verdicts, without waiting for a lock that somebody holds."""
    with workers(2, tmp_path, patience_ns=0) as (one, other):
        one.set_sole(sole=True)
        assert other._try_lock(7)
        assert [one.admit(7, 2, 3, NOW).allowed for _ in range(3)] == [True, True, False]
        assert one.lock_missed == 0
        other._unlock(7)


def test_a_worker_that_keeps_company_is_never_sole_again(tmp_path: Path) -> None:
    """What it decides meanwhile counts for the other, and the other way round, whatever the shared cell says."""
    with workers(2, tmp_path) as (old, new):
        old.set_sole(sole=True)
        old.keep_company()
        assert not old.is_sole
        assert new.admit(1, None, 1, NOW).allowed
        assert not old.admit(1, None, 1, NOW).allowed
        new.leave(1)
        assert old.admit(1, None, 1, NOW).allowed


def test_nobody_is_sole_while_a_debt_may_be_owed(tmp_path: Path) -> None:
    """A debt is seen under the lock only: who decided without it would forgive it."""
    with workers(2, tmp_path, patience_ns=1_000) as (first, second):
        assert first._try_lock(3)
        assert second.admit(3, 1, None, NOW).allowed  # posts its debt: the lock is taken
        first._unlock(3)
        first.zero_worker(1)
        first.set_sole(sole=True)
        assert not first.is_sole
        assert not first.admit(3, 1, None, NOW).allowed
