"""Latency that the gateway adds: a request through it, one straight to its upstream, in turns, a connection each.

nginx is asked to do the same on the same core, in turns with the gateway: what it adds is what two more processes to
wake cost on this machine at this hour, whoever does the work in between.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

from benchmarks.harness.bench import Bench, FigureFailed, cores
from benchmarks.harness.gateway import configuration, gateline
from benchmarks.harness.generator import fast_fake, run_load
from benchmarks.harness.nginx import proxy
from benchmarks.harness.report import Result, Row

REACH_US = {"p50": 100.0, "p99": 500.0}

Added = dict[str, float]  # microseconds by percentile


def measure(bench: Bench) -> Result:
    where = cores()
    with (
        fast_fake(bench, where.load, "--reply-bytes", "600") as fake,
        proxy(bench, where.tested, fake) as nginx,
        gateline(bench, where.tested, configuration(fake)) as gateway,
    ):

        def duel(url: str) -> tuple[Added, int]:
            options = ("--against", f"{fake}/v1", "--duration", f"{bench.seconds:g}s")
            report = run_load(where.load, url, gateway.token, bench.seconds, *options)
            if report["failed"]:
                raise FigureFailed(f"requests failed: {report['errors']}")
            added = {name: value * 1000 for name, value in report["added_milliseconds"].items()}
            return added, report["requests"] // 2

        contestants: dict[str, Callable[[], tuple[Added, int]]] = {
            "Gateline": lambda: duel(gateway.url),
            "nginx": lambda: duel(nginx.url),
        }
        rounds: dict[str, list[Added]] = {name: [] for name in contestants}
        count = 0
        for number in range(bench.rounds):
            for name in sorted(contestants, reverse=number % 2 == 1):
                added, requests = contestants[name]()
                rounds[name].append(added)
                count += requests
    return _result(rounds, count)


def _result(rounds: dict[str, list[Added]], count: int) -> Result:
    ours, theirs = _middle(rounds["Gateline"]), _middle(rounds["nginx"])
    row = Row(
        "added latency, one connection",
        ", ".join(f"{name} ≤ {value:.0f} µs" for name, value in REACH_US.items()),
        f"{_listed(ours)} (nginx: {_listed(theirs)})",
        all(ours[name] <= value for name, value in REACH_US.items()),
    )
    notes = [f"{count:,} requests on each side; through minus straight, by percentile, µs a round."]
    notes += [f"{name}: {'; '.join(_listed(one, '') for one in each)}." for name, each in rounds.items()]
    more = ", ".join(f"{name} {ours[name] - theirs[name]:+,.0f} µs" for name in REACH_US)
    notes.append(
        f"More than nginx: {more}. nginx's own share is two wake-ups more on the way of a request, of the proxy and "
        "of whom it answers, which no proxy is without."
    )
    return Result("Added latency", [row], notes)


def _middle(rounds: list[Added]) -> Added:
    return {name: median(one[name] for one in rounds) for name in rounds[0]}


def _listed(added: Added, unit: str = " µs") -> str:
    return ", ".join(f"{name} {value:,.0f}{unit}" for name, value in added.items())
