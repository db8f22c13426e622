"""Child processes with a restart schedule: who runs, who died, who may start again when. Standard library only."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from time import monotonic

_STEADY = 10.0  # seconds a child must live for its next restart to be immediate
_FIRST = 0.1
_LONGEST = 5.0


class Child:
    """One place for a process. `spawn` starts it and returns its pid, or raises OSError.

    A child that dies young is started again after 0.1, 0.2, 0.4 … 5 seconds, one that lived at once.
    """

    def __init__(self, name: str, spawn: Callable[[], int]) -> None:
        self.name = name
        self.pid = 0
        self.restarts = 0
        self.wanted = True
        self.due = 0.0
        self._spawn = spawn
        self._started = 0.0
        self._wait = 0.0

    @property
    def is_running(self) -> bool:
        return self.pid != 0

    def start(self) -> None:
        self._started = monotonic()
        try:
            self.pid = self._spawn()
        except OSError:
            self.died()  # no process or memory left for it now: as if it had died at once

    def died(self) -> None:
        """Notes the death and decides when it may start again (`due`)."""
        self.pid = 0
        now = monotonic()
        if now - self._started >= _STEADY:
            self._wait = 0.0
            self.due = now
        else:
            self._wait = min(_LONGEST, self._wait * 2 or _FIRST)
            self.due = now + self._wait
        self.restarts += 1

    def signal(self, number: int) -> None:
        if self.pid:
            with contextlib.suppress(ProcessLookupError):  # it has just ended: its death is reported in a moment
                os.kill(self.pid, number)


def reap() -> list[tuple[int, int]]:
    """Every child that has ended since the last call, as (pid, wait status)."""
    ended: list[tuple[int, int]] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended.append((pid, status))


def describe(status: int) -> str:
    """ "exit 1" or "signal 9"."""
    if os.WIFSIGNALED(status):
        return f"signal {os.WTERMSIG(status)}"
    return f"exit {os.waitstatus_to_exitcode(status)}"
