"""The story of an upheaval: a gateway under half of its peak and a hundred open streams, disturbed again and again.

The tests tell it short and the benchmarks at length. What may fail, and why, is decided here, once.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import msgspec

from gateline.fake.invoice import Line
from gateline.model.usage import Usage
from tests.journey.gate import Gate, settings
from tests.journey.invoice import compare
from tests.journey.patience import DEADLINE, until
from tests.journey.steady import Failure, Steady

STREAMS = 100
SHARE = 0.55  # of the peak: half of it and a little, since the peak itself moves
_PEAK_ANSWERS = 1_000
_BETWEEN = 100  # answers between two disturbances


@dataclass
class Outcome:
    """`unsound`: failures that a sound client cannot mend by asking again, or that should not have come about, each
    with its reason. `mended`: requests that ended before the first byte of an answer and were answered when asked
    again. `written_off`: streams that died with the worker that was killed under them."""

    peak: float
    rate: float
    turns: int = 0
    answered: int = 0
    streamed: int = 0
    mended: int = 0
    written_off: int = 0
    unsound: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.turns} times at {self.rate:,.0f} of {self.peak:,.0f} requests/s: {self.answered:,} answers and "
            f"{self.streamed:,} streams whole, {self.mended} requests mended by asking again, {self.written_off} "
            f"streams written off with their worker, {len(self.unsound)} failures that no client could mend"
        )


class Upheaval:
    """A gateway of two workers under load. Each kind of disturbance says which failures it may cause."""

    def __init__(self, gate: Gate, load: Steady, provider: str, outcome: Outcome) -> None:
        self.gate = gate
        self.load = load
        self.outcome = outcome
        self._provider = provider
        self._killed: set[int] = set()
        self._ended: set[int] = set()

    def reload(self) -> None:
        """A changed configuration, taken by both workers."""
        number = self.outcome.turns
        version = self.gate.status()["snapshot"]
        target = {"targets": [{"provider": "up", "model": f"m-{number}"}]}
        self.gate.configure(settings(self._provider, models={f"new-{number}": target}))
        self.gate.signal(signal.SIGHUP)
        until(lambda: self.gate.status()["snapshot"] > version, "the new configuration is compiled")
        self._after()

    def kill(self) -> None:
        """`kill -9` of a worker, the one and the other in turn, and its replacement."""
        self._killed.add(self._end_worker(signal.SIGKILL))

    def restart(self) -> None:
        """SIGTERM to a worker: it drains, ends, and is replaced."""
        self._ended.add(self._end_worker(signal.SIGTERM))

    def _end_worker(self, number: int) -> int:
        pids = self.gate.worker_pids()
        pid = pids[self.outcome.turns % len(pids)]
        os.kill(pid, number)
        until(lambda: pid not in self.gate.worker_pids(), "it is replaced")
        self._after()
        return pid

    def _after(self) -> None:
        self.gate.settle()
        self.load.more(_BETWEEN)
        until(lambda: self.load.open_streams >= STREAMS * 0.9, "the streams are open again")
        self.outcome.turns += 1

    def judge(self, lines: list[Line]) -> None:
        """Once the load has ended. Also compares the ledger with the provider's invoice, by id, and fails if they
        differ."""
        outcome, story = self.outcome, self.load.story
        for failure in story.failures:
            if self._may_happen(failure):
                outcome.mended += 1
            else:
                outcome.unsound.append(f"request: {failure}")
        for failure in story.cut:
            if _worker_of(failure.seen, self._killed):
                outcome.written_off += 1
            else:
                outcome.unsound.append(f"stream: {failure}")
        rows = self.gate.records()
        known = {row["id"]: row for row in rows}
        for answered in (*story.answered, *story.streamed):
            row = known.get(answered)
            if row is None or row["error"]:
                outcome.unsound.append(f"answered, and in the ledger as {row and row['error']}: {answered}")
        dead = {row["id"] for row in rows if row["error"] == "worker_died"}
        outcome.unsound += [f"written off, and its worker lived: {one}" for one in dead if not self._died(one)]
        compare(rows, lines, killed=dead)
        outcome.answered, outcome.streamed = len(story.answered), len(story.streamed)

    def _died(self, request_id: str) -> bool:
        return _worker_of(request_id, self._killed)

    def _may_happen(self, failure: Failure) -> bool:
        """Whether a sound client asks again after this, and whether it is a worker's end that explains it: a kill
        takes the worker's connections, used or new, a restart at most a kept one that it closes as idle."""
        if failure.begun:
            return False
        if failure.seen:
            return _worker_of(failure.seen, self._killed | self._ended)
        return bool(self._killed) and failure.what != "ConnectionRefusedError"


def _worker_of(request_id: str, pids: set[int]) -> bool:
    """Request ids begin with the process that gave them."""
    return any(request_id.startswith(f"req_{pid:x}") for pid in pids)


@contextmanager
def provider() -> Iterator[str]:
    """`gateline fake` as a process of its own: a provider that shares no interpreter with the clients. Its URL."""
    command = [sys.executable, "-m", "gateline", "fake", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()
            process.wait(DEADLINE)


def invoice(url: str) -> list[Line]:
    """What the provider says it has delivered, once nothing is open any more."""
    return until(lambda: _settled(url), "nothing is left open upstream")


def _settled(url: str) -> list[Line]:
    with urlopen(f"{url.removesuffix('/v1')}/fake/invoice", timeout=DEADLINE) as page:
        told = msgspec.json.decode(page.read())
    lines = [_line(each) for each in told["requests"]]
    assert len(lines) == told["totals"]["requests"], "the provider has forgotten lines: too long a story"
    return [] if any(line.outcome == "open" for line in lines) else lines


def _line(told: dict[str, Any]) -> Line:
    usage = told.pop("reported")
    return Line(**told, reported=usage and Usage(**usage))


def upheaval(folder: Path, turns: int, disturb: Callable[[Upheaval], None]) -> Outcome:
    """Begins the load, disturbs the gateway so many times, ends the load and says what it took."""
    with provider() as url, Gate(folder, settings(url), workers=2) as gate:
        gate.settle()
        with Steady(gate.port, gate.token, streams=STREAMS) as load:
            peak = load.peak(_PEAK_ANSWERS)
            story = Upheaval(gate, load, url, Outcome(peak, SHARE * peak))
            load.hold(story.outcome.rate)
            load.more(_BETWEEN)
            for _ in range(turns):
                disturb(story)
        story.judge(invoice(url))
        return story.outcome
