"""2,000 open streams with 10 chunks a second each: memory a stream, how late chunks arrive, and who was busy."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from benchmarks.harness.bench import Bench, Cores, cores
from benchmarks.harness.gateway import Gateway, configuration, gateline
from benchmarks.harness.generator import fast_fake_program, read_load, start_load
from benchmarks.harness.process import Program
from benchmarks.harness.report import Result, Row
from benchmarks.harness.usage import cpu_seconds, family, resident

REACH_KIB, REACH_MS = 30.0, 20.0
_FEW, _MANY = 200, 2_000
_A_SECOND = 10
_RAMP = 400  # streams opened a second: what opening them at once does is not the figure
_LOOK = 0.1  # seconds between two looks at the worker's memory


@dataclass(frozen=True, slots=True)
class Run:
    """`busy`: cores that each kind of process used, of one each where the machine has two. `memory` in bytes."""

    report: dict[str, Any]
    busy: dict[str, float]
    memory: int = 0

    def late(self, name: str) -> float:
        """Milliseconds from a chunk's sending to its arrival."""
        return float(self.report["milliseconds"]["age"][name])


def measure(bench: Bench) -> Result:
    where = cores()
    seconds = 6.0 if bench.quick else 20.0
    options = ("--tps", str(_A_SECOND), "--tokens", str(round((seconds + _MANY / _RAMP) * _A_SECOND)))
    with fast_fake_program(bench, where.load, *options) as (fake, origin):
        straight = _open(where, fake, origin, None, _MANY, seconds)
        with gateline(bench, where.tested, configuration(origin)) as gateway:
            few = _open(where, fake, origin, gateway, _FEW, seconds)
            many = _open(where, fake, origin, gateway, _MANY, seconds)
    return _result(straight, few, many, where)


def _open(where: Cores, fake: Program, origin: str, gateway: Gateway | None, count: int, seconds: float) -> Run:
    """Opens `count` streams, through the gateway if there is one, and waits for their end."""
    url, key = (gateway.url, gateway.token) if gateway is not None else (origin, "none")
    fakes = family(fake.pid)
    before = cpu_seconds(fakes), gateway.cpu() if gateway is not None else {}
    load = ("--stream", "--connections", str(count), "--requests", str(count), "--rate", str(_RAMP))
    process = start_load(where.load, url, key, *load)
    most = 0
    while process.poll() is None:
        if gateway is not None:
            most = max(most, resident(gateway.workers[0]))
        time.sleep(_LOOK)
    after = cpu_seconds(fakes), gateway.cpu() if gateway is not None else {}
    report = read_load(process, seconds)
    spent = {"generator": report["generator"]["cpu_seconds"], "upstream": after[0] - before[0]}
    spent |= {kind: after[1][kind] - before[1][kind] for kind in ("worker", "control") if gateway is not None}
    return Run(report, {kind: value / report["seconds"] for kind, value in spent.items()}, most)


def _result(straight: Run, few: Run, many: Run, where: Cores) -> Result:
    slope = (many.memory - few.memory) / (_MANY - _FEW) / 1024
    late, without = many.late("p99"), straight.late("p99")
    row = Row(
        f"{_MANY:,} open streams, {_A_SECOND} chunks a second",
        f"≤ {REACH_KIB:.0f} KiB a stream; late p99 ≤ {REACH_MS:.0f} ms",
        f"{slope:.1f} KiB a stream; p99 {late:.1f} ms ({without:.1f} ms without the gateway: {late - without:+.1f})",
        slope <= REACH_KIB and late <= REACH_MS and not many.report["failed"],
    )
    report, mib = many.report, 1024**2
    notes = [
        (
            f"{report['events']:,} chunks in {report['seconds']:.0f} s, {report['failed']} failed streams, opened at "
            f"{_RAMP} a second. Resident memory of the worker with {_FEW} streams {few.memory / mib:.1f} MiB, with "
            f"{_MANY:,} {many.memory / mib:.1f} MiB: the slope between the two. A chunk carries the time of its "
            "sending; its age is how much later the generator has read it."
        ),
        (
            f"Late, through the gateway: {_spread(many)}; without it: {_spread(straight)}; {_FEW} streams through it: "
            f"{_spread(few)}. Cores used, {where}: {_busy(many)}; without the gateway {_busy(straight)}."
        ),
    ]
    return Result("Open streams", [row], notes)


def _spread(run: Run) -> str:
    return ", ".join(f"{name} {run.late(name):.1f} ms" for name in ("p50", "p90", "p99", "p99.9"))


def _busy(run: Run) -> str:
    return ", ".join(f"{kind} {value:.2f}" for kind, value in run.busy.items())
