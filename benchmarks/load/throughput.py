"""Requests per CPU-second against nginx: 64 connections, 250 bytes in, 600 bytes out, everything on."""

from __future__ import annotations

from benchmarks.harness.bench import Bench, cores
from benchmarks.harness.gateway import KINDS, configuration, gateline
from benchmarks.harness.nginx import proxy, upstream
from benchmarks.harness.report import Result, Row
from benchmarks.harness.rounds import Race, counted, race, sample_gateline, sample_program
from benchmarks.harness.wrk import CONNECTIONS, chat_body, shoot, write_script

REACH = 0.40
_WARM_UP = 1.0


def measure(bench: Bench) -> Result:
    where = cores()
    with (
        upstream(bench, where.load) as up,
        proxy(bench, where.tested, up.url) as nginx,
        gateline(bench, where.tested, configuration(up.url)) as gateway,
    ):
        script = write_script(bench.scratch, {"Authorization": f"Bearer {gateway.token}"}, chat_body())

        def load(url: str) -> tuple[float, int]:
            return counted(shoot(url, script, bench.seconds, where.load))

        for url in (nginx.url, gateway.url):
            shoot(url, script, _WARM_UP, where.load)
        outcome = race(
            {
                "nginx": lambda: sample_program(nginx.program.pid, lambda: load(nginx.url)),
                "Gateline": lambda: sample_gateline(gateway, lambda: load(gateway.url)),
            },
            bench.rounds,
        )
    return _result(outcome, str(where))


def _result(outcome: Race, where: str) -> Result:
    ratio = outcome.ratio("Gateline", "nginx")
    workers = outcome.ratio("Gateline", "nginx", "worker")
    failed = outcome.failed("Gateline") + outcome.failed("nginx")
    measured = (
        f"{ratio:.2f} whole gateway, {workers:.2f} its worker alone "
        f"({outcome.per_cpu('Gateline'):,.0f} and {outcome.per_cpu('Gateline', 'worker'):,.0f} "
        f"against {outcome.per_cpu('nginx'):,.0f})"
    )
    row = Row(
        f"requests per CPU-second, {CONNECTIONS} connections, against nginx",
        f"≥ {REACH:.2f}",
        measured,
        ratio >= REACH and not failed,
    )
    rounds = outcome.ratios("Gateline", "nginx")
    notes = [
        (
            f"{where[0].upper()}{where[1:]}. {len(rounds)} rounds, ratios {', '.join(f'{one:.2f}' for one in rounds)}; "
            f"{failed} failed requests."
        ),
        "",
        "| process | µs CPU a request |",
        "| --- | --- |",
        f"| nginx, master and worker | {outcome.microseconds('nginx'):.1f} |",
        f"| Gateline, whole | {outcome.microseconds('Gateline'):.1f} |",
        *(
            f"| Gateline, {kind} | {outcome.microseconds('Gateline', kind):.1f} |"
            for kind in KINDS
            if all(sample.cpu[kind] > 0 for sample in outcome.samples["Gateline"])
        ),
        "",
        "The control process is counted until it has imported every record of the round into the ledger.",
    ]
    bars = {
        "nginx": outcome.per_cpu("nginx"),
        "Gateline": outcome.per_cpu("Gateline"),
        "Gateline, its worker": outcome.per_cpu("Gateline", "worker"),
    }
    return Result("Throughput", [row], notes, bars)
