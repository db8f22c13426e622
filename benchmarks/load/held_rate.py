"""The rate held for a minute: decided send times, everything on, no error; and what ran out at the next higher one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks.harness.bench import Bench, all_cores, cores
from benchmarks.harness.gateway import Gateway, configuration, gateline
from benchmarks.harness.generator import run_load
from benchmarks.harness.nginx import Site, upstream
from benchmarks.harness.report import Result, Row
from benchmarks.harness.usage import cpu_seconds, family

CLAIM = 20_000
_HELD_SECONDS = 60.0
_PROBE_SECONDS = 6.0
_FLOOR = 500
_STEPS = 6  # of the search by halves; the last one is about 1.5 % of the range
_BACK = 0.95  # a rate that a probe held and a minute does not is lowered by this
_TRIES = 4
_LATE_MS = 100.0  # requests that leave later than this at p99 have not been sent at the decided times


@dataclass(frozen=True, slots=True)
class Held:
    """One run at a rate: was it held, and what it took."""

    rate: float
    report: dict[str, Any]
    gateway_cores: float
    busiest_worker: float
    load_cores: float

    @property
    def is_held(self) -> bool:
        """Every request left at its decided time, and was answered: what could not be sent counts as failed."""
        late = self.report["milliseconds"].get("late", {}).get("p99", 0.0)
        return not self.report["failed"] and late <= _LATE_MS

    def __str__(self) -> str:
        spread = self.report["milliseconds"]["latency"]
        return (
            f"asked {self.rate:,.0f}/s, answered {self.report['requests_per_second']:,.0f}/s, {self.report['failed']} "
            f"errors, latency p50 {spread['p50']:.2f} ms, p99 {spread['p99']:.2f} ms, sent late p99 "
            f"{self.report['milliseconds'].get('late', {}).get('p99', 0.0):.2f} ms; CPU: gateway "
            f"{self.gateway_cores:.2f} cores (busiest worker {self.busiest_worker:.2f}), upstream and generator "
            f"{self.load_cores:.2f}"
        )


def measure(bench: Bench) -> Result:
    workers = max(1, all_cores() // 2)
    where = cores(workers)
    with (
        upstream(bench, where.load) as up,
        gateline(bench, where.tested, configuration(up.url), workers=workers) as gateway,
    ):
        trial = _Trial(gateway, up, where.load)
        probe = min(bench.seconds, _PROBE_SECONDS) if bench.quick else _PROBE_SECONDS
        best, failed = _search(trial, probe)
        held = _hold(trial, best, 2 * probe if bench.quick else _HELD_SECONDS)
    seconds = held.report["seconds"]
    measured = (
        f"{held.rate:,.0f}/s for {seconds:.0f} s, {held.report['failed']} errors, {workers} "
        f"{'worker' if workers == 1 else 'workers'}; {_ran_out(failed, len(where.tested))}"
    )
    row = Row(
        "requests a second at a fixed rate for 60 s, everything on",
        f"{CLAIM:,} or what ran out",
        measured if held.is_held else f"none held down to {held.rate:,.0f}/s",
        held.rate >= CLAIM and held.is_held,
    )
    notes = [f"{str(where)[0].upper()}{str(where)[1:]}.", "", f"- the minute: {held}"]
    if failed is not None:
        notes.append(f"- the lowest rate that a probe did not hold: {failed}")
    return Result("Rate held", [row], notes)


class _Trial:
    def __init__(self, gateway: Gateway, up: Site, load_cores: tuple[int, ...]) -> None:
        self._gateway = gateway
        self._upstream = family(up.program.pid)
        self._cores = load_cores

    def run(self, rate: float, seconds: float) -> Held:
        gateway = self._gateway
        before, upstream_before = gateway.cpu(), cpu_seconds(self._upstream)
        workers_before = [cpu_seconds([pid]) for pid in gateway.workers]
        options = ("--rate", f"{rate:g}", "--duration", f"{seconds:g}s", "--connections", "256")
        report = run_load(self._cores, gateway.url, gateway.token, seconds, *options)
        after, upstream_after = gateway.cpu(), cpu_seconds(self._upstream)
        took = report["seconds"]
        busy = [cpu_seconds([pid]) - then for pid, then in zip(gateway.workers, workers_before, strict=True)]
        load = upstream_after - upstream_before + report["generator"]["cpu_seconds"]
        gateway.settle()
        whole = sum(after.values()) - sum(before.values())
        return Held(rate, report, whole / took, max(busy) / took, load / took)


def _search(trial: _Trial, seconds: float) -> tuple[float, Held | None]:
    """The highest rate that a probe held, and the lowest that none did (None when the claim itself was held)."""
    top = trial.run(CLAIM, seconds)
    if top.is_held:
        return CLAIM, None
    low, high, failed = float(_FLOOR), float(CLAIM), top
    for _ in range(_STEPS):
        middle = (low + high) / 2
        tried = trial.run(middle, seconds)
        if tried.is_held:
            low = middle
        else:
            high, failed = middle, tried
    return low, failed


def _hold(trial: _Trial, rate: float, seconds: float) -> Held:
    for _ in range(_TRIES):
        held = trial.run(rate, seconds)
        if held.is_held:
            break
        rate *= _BACK
    return held


def _ran_out(failed: Held | None, tested: int) -> str:
    if failed is None:
        return "nothing ran out"
    if failed.busiest_worker > 0.85:
        return "the worker's core ran out"
    if failed.gateway_cores > 0.8 * tested:
        share = failed.gateway_cores - failed.busiest_worker
        return f"the gateway's cores ran out, its other processes took {share:.2f} of them"
    if failed.load_cores > 0.85:
        return "the generator's and upstream's core ran out"
    return f"gateway {failed.gateway_cores:.2f} and load {failed.load_cores:.2f} cores busy: others used the machine"
