"""Streamed chunks per CPU-second against nginx with buffering off: 200 chunks a stream, each sent at its own time."""

from __future__ import annotations

from statistics import median

from benchmarks.harness.bench import Bench, cores
from benchmarks.harness.gateway import configuration, gateline
from benchmarks.harness.generator import fast_fake, run_load
from benchmarks.harness.nginx import proxy
from benchmarks.harness.report import Result, Row
from benchmarks.harness.rounds import race, sample_gateline, sample_program

REACH = 0.50
_CHUNKS = 200
_CONNECTIONS = 64
_A_SECOND = 200  # chunks of one stream: below what any of the two can do, so that each chunk is a read of its own


def measure(bench: Bench) -> Result:
    where = cores()
    reads: dict[str, list[float]] = {"nginx": [], "Gateline": []}
    streams = max(1, round(bench.seconds * _A_SECOND / _CHUNKS)) * _CONNECTIONS
    with (
        fast_fake(bench, where.load, "--tps", str(_A_SECOND), "--tokens", str(_CHUNKS)) as fake,
        proxy(bench, where.tested, fake, buffering=False) as nginx,
        gateline(bench, where.tested, configuration(fake)) as gateway,
    ):

        def load(name: str, url: str) -> tuple[float, int]:
            options = ("--stream", "--requests", str(streams), "--connections", str(_CONNECTIONS))
            report = run_load(where.load, url, gateway.token, bench.seconds, *options)
            events = report["events"]
            reads[name].append(report["milliseconds"]["gap"]["count"] / events if events else 0.0)
            return events, report["failed"]

        outcome = race(
            {
                "nginx": lambda: sample_program(nginx.program.pid, lambda: load("nginx", nginx.url)),
                "Gateline": lambda: sample_gateline(gateway, lambda: load("Gateline", gateway.url)),
            },
            bench.rounds,
        )
    ratio = outcome.ratio("Gateline", "nginx")
    failed = outcome.failed("Gateline") + outcome.failed("nginx")
    measured = (
        f"{ratio:.2f} whole gateway, {outcome.ratio('Gateline', 'nginx', 'worker'):.2f} its worker alone "
        f"({outcome.per_cpu('Gateline'):,.0f} against {outcome.per_cpu('nginx'):,.0f})"
    )
    row = Row(
        f"streamed chunks per CPU-second, {_CHUNKS} a stream, against nginx",
        f"≥ {REACH:.2f}",
        measured,
        ratio >= REACH and not failed,
    )
    note = (
        f"{_CONNECTIONS} streams at once, {_A_SECOND} chunks a second each, {failed} failed. A chunk costs "
        f"{outcome.microseconds('nginx'):.1f} µs in nginx and {outcome.microseconds('Gateline', 'worker'):.1f} µs "
        "in the worker, which asks the upstream for usage and takes it out of the stream again. The fake's "
        "events differ in their text alone, as those of most servers of open models do; where they differ in more, "
        "each is read, which the micro benchmark `relay an event unlike the one before` measures. The generator read "
        f"{median(reads['nginx']):.2f} times a chunk behind nginx and {median(reads['Gateline']):.2f} behind the "
        "gateway: what is well under 1 came in batches, which are cheaper a chunk and say that a core was short."
    )
    return Result("Streams", [row], [note])
