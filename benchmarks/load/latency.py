"""Latency that the gateway adds: a request through it, one straight to its upstream, in turns, a connection each."""

from __future__ import annotations

from statistics import median

from benchmarks.harness.bench import Bench, FigureFailed, cores
from benchmarks.harness.gateway import configuration, gateline
from benchmarks.harness.generator import fast_fake, run_load
from benchmarks.harness.report import Result, Row

REACH_US = {"p50": 100.0, "p99": 500.0}


def measure(bench: Bench) -> Result:
    where = cores()
    added: list[dict[str, float]] = []
    count = 0
    with (
        fast_fake(bench, where.load, "--reply-bytes", "600") as fake,
        gateline(bench, where.tested, configuration(fake)) as gateway,
    ):
        for _ in range(bench.rounds):
            options = ("--against", f"{fake}/v1", "--duration", f"{bench.seconds:g}s")
            report = run_load(where.load, gateway.url, gateway.token, bench.seconds, *options)
            if report["failed"]:
                raise FigureFailed(f"requests failed: {report['errors']}")
            added.append({name: value * 1000 for name, value in report["added_milliseconds"].items()})
            count += report["requests"] // 2
    middle = {name: median(one[name] for one in added) for name in added[0]}
    measured = ", ".join(f"{name} {value:,.0f} µs" for name, value in middle.items())
    reach = ", ".join(f"{name} ≤ {value:.0f} µs" for name, value in REACH_US.items())
    met = all(middle[name] <= value for name, value in REACH_US.items())
    rounds = "; ".join(", ".join(f"{name} {value:,.0f}" for name, value in one.items()) for one in added)
    notes = [f"{count:,} requests on each side; through minus straight, by percentile, µs a round: {rounds}."]
    return Result("Added latency", [Row("added latency, one connection", reach, measured, met)], notes)
