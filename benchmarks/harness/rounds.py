"""Interleaved rounds: every contestant once a round, in turning order; what counts is the median of each round's ratio,
so that what disturbs the machine for a while disturbs all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median

from benchmarks.harness.gateway import Gateway
from benchmarks.harness.usage import cpu_seconds, family
from benchmarks.harness.wrk import Shot

WHOLE = "all"


@dataclass(frozen=True, slots=True)
class Sample:
    """One contestant's share of a round: `work` units done, CPU seconds by kind of process, failed requests."""

    work: float
    cpu: Mapping[str, float]
    failed: int = 0

    def per_cpu(self, kind: str) -> float:
        """Units per CPU-second of one kind of process, or of all."""
        spent = sum(self.cpu.values()) if kind == WHOLE else self.cpu[kind]
        return self.work / spent if spent > 0 else float("nan")


@dataclass(slots=True)
class Race:
    """The samples of all rounds, by contestant."""

    samples: dict[str, list[Sample]] = field(default_factory=dict)

    def per_cpu(self, name: str, kind: str = WHOLE) -> float:
        return median(sample.per_cpu(kind) for sample in self.samples[name])

    def microseconds(self, name: str, kind: str = WHOLE) -> float:
        """CPU a unit of work."""
        return 1e6 / self.per_cpu(name, kind)

    def ratios(self, name: str, against: str, kind: str = WHOLE, against_kind: str = WHOLE) -> list[float]:
        pairs = zip(self.samples[name], self.samples[against], strict=True)
        return [mine.per_cpu(kind) / theirs.per_cpu(against_kind) for mine, theirs in pairs]

    def ratio(self, name: str, against: str, kind: str = WHOLE, against_kind: str = WHOLE) -> float:
        return median(self.ratios(name, against, kind, against_kind))

    def failed(self, name: str) -> int:
        return sum(sample.failed for sample in self.samples[name])


def race(contestants: Mapping[str, Callable[[], Sample]], rounds: int) -> Race:
    outcome = Race({name: [] for name in contestants})
    names = list(contestants)
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            outcome.samples[name].append(contestants[name]())
    return outcome


def sample_program(pid: int, load: Callable[[], tuple[float, int]]) -> Sample:
    """`load` returns the work done and the failures; the CPU is that of `pid` and all that descends from it."""
    pids = family(pid)
    before = cpu_seconds(pids)
    work, failed = load()
    return Sample(work, {WHOLE: cpu_seconds(pids) - before}, failed)


def sample_gateline(gateway: Gateway, load: Callable[[], tuple[float, int]]) -> Sample:
    """As `sample_program`, by kind of process; the control process is given the time to import the records."""
    before = gateway.cpu()
    work, failed = load()
    after = gateway.cpu()
    gateway.settle()
    after["control"] = gateway.cpu()["control"]
    return Sample(work, {kind: after[kind] - before[kind] for kind in before}, failed)


def counted(shot: Shot) -> tuple[float, int]:
    return shot.requests - shot.failed, shot.failed
