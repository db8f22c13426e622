from __future__ import annotations

import os
import signal

import pytest

from gateline.net import process
from gateline.net.process import Child, describe, reap


class FakeTime:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(process, "monotonic", lambda: self.now)


def ended(pid: int) -> int:
    """The wait status of a child, once it has ended, leaving it to be reaped."""
    found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert found is not None
    return found.si_status


def forked(work: str) -> int:
    return os.posix_spawn("/bin/sh", ["sh", "-c", work], {"PATH": "/bin:/usr/bin"})


def test_a_child_that_dies_young_waits_longer_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """0.1, 0.2, 0.4 … 5 seconds; one that has lived for ten starts again at once and has its past forgiven."""
    time = FakeTime(monkeypatch)
    child = Child("a", lambda: 4711)
    waits: list[float] = []
    for _ in range(8):
        child.start()
        assert child.is_running
        time.now += 1
        child.died()
        assert not child.is_running
        waits.append(round(child.due - time.now, 3))
        time.now = child.due
    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert child.restarts == 8
    child.start()
    time.now += 10
    child.died()
    assert child.due == time.now
    child.start()
    child.died()
    assert round(child.due - time.now, 3) == 0.1


def test_a_child_that_cannot_be_started_is_tried_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process left to fork is as if the child had died at once: the supervisor lives on."""
    time = FakeTime(monkeypatch)

    def spawn() -> int:
        raise BlockingIOError("fork: no more processes")

    child = Child("a", spawn)
    child.start()
    assert (child.is_running, child.restarts) == (False, 1)
    assert child.due > time.now


def test_reap_tells_each_death_once() -> None:
    """All that have ended are told, with how; then nothing more, and nothing of those that run."""
    good, bad = forked("exit 0"), forked("exit 3")
    killed = forked("kill -9 $$")
    runs = forked("exec sleep 60")
    for pid in (good, bad, killed):
        ended(pid)
    found = {pid: describe(status) for pid, status in reap()}
    assert found == {good: "exit 0", bad: "exit 3", killed: "signal 9"}
    assert reap() == []
    os.kill(runs, signal.SIGKILL)
    ended(runs)
    assert [pid for pid, _ in reap()] == [runs]
    assert reap() == []


def test_a_signal_to_nobody_is_no_error() -> None:
    """A child that is not running, or has just been reaped, is signalled without complaint."""
    child = Child("a", lambda: forked("exec sleep 60"))
    child.signal(signal.SIGTERM)
    child.start()
    pid = child.pid
    child.signal(signal.SIGTERM)
    ended(pid)
    assert [(each, describe(status)) for each, status in reap()] == [(pid, "signal 15")]
    child.signal(signal.SIGTERM)
