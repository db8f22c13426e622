"""Calls in Anthropic's format to an OpenAI-compatible upstream, against nginx, which only passes the upstream's own
format on: 64 connections, 250 bytes in, 600 bytes out; and streams of 200 chunks."""

from __future__ import annotations

from benchmarks.harness.bench import Bench, cores
from benchmarks.harness.gateway import configuration, gateline
from benchmarks.harness.generator import fast_fake, run_load
from benchmarks.harness.nginx import proxy, upstream
from benchmarks.harness.report import Result, Row
from benchmarks.harness.rounds import Race, counted, race, sample_gateline, sample_program
from benchmarks.harness.wrk import CONNECTIONS, chat_body, messages_body, shoot, write_script

REACH = 0.35
_CHUNKS = 200
_A_SECOND = 200  # chunks of one stream: each is a read of its own


def measure(bench: Bench) -> Result:
    calls = _calls(bench)
    streams = _streams(bench)
    rows = [
        _row(f"translated calls per CPU-second, {CONNECTIONS} connections, against nginx", calls),
        _row(f"translated chunks per CPU-second, {_CHUNKS} a stream, against nginx", streams),
    ]
    note = (
        f"Anthropic's format in, OpenAI's out. A call costs {calls.microseconds('Gateline', 'worker'):.1f} µs in the "
        f"worker and {calls.microseconds('nginx'):.1f} µs in nginx, a chunk "
        f"{streams.microseconds('Gateline', 'worker'):.1f} µs and {streams.microseconds('nginx'):.1f} µs."
    )
    return Result("Translated calls", rows, [note])


def _row(figure: str, outcome: Race) -> Row:
    ratio, workers = outcome.ratio("Gateline", "nginx"), outcome.ratio("Gateline", "nginx", "worker")
    failed = outcome.failed("Gateline") + outcome.failed("nginx")
    measured = (
        f"{ratio:.2f} whole gateway, {workers:.2f} its worker alone "
        f"({outcome.per_cpu('Gateline'):,.0f} against {outcome.per_cpu('nginx'):,.0f})"
    )
    return Row(figure, f"≥ {REACH:.2f}", measured, ratio >= REACH and not failed)


def _calls(bench: Bench) -> Race:
    where = cores()
    with (
        upstream(bench, where.load) as up,
        proxy(bench, where.tested, up.url) as nginx,
        gateline(bench, where.tested, configuration(up.url)) as gateway,
    ):
        plain = write_script(bench.folder("plain"), {"Authorization": f"Bearer {gateway.token}"}, chat_body())
        headers = {"x-api-key": gateway.token, "anthropic-version": "2023-06-01"}
        messages = write_script(bench.folder("messages"), headers, messages_body())

        def ask_nginx() -> tuple[float, int]:
            return counted(shoot(nginx.url, plain, bench.seconds, where.load))

        def ask_gateline() -> tuple[float, int]:
            return counted(shoot(gateway.url, messages, bench.seconds, where.load, path="/v1/messages"))

        ask_nginx()
        ask_gateline()
        return race(
            {
                "nginx": lambda: sample_program(nginx.program.pid, ask_nginx),
                "Gateline": lambda: sample_gateline(gateway, ask_gateline),
            },
            bench.rounds,
        )


def _streams(bench: Bench) -> Race:
    where = cores()
    count = max(1, round(bench.seconds * _A_SECOND / _CHUNKS)) * CONNECTIONS
    with (
        fast_fake(bench, where.load, "--tps", str(_A_SECOND), "--tokens", str(_CHUNKS)) as fake,
        proxy(bench, where.tested, fake, buffering=False) as nginx,
        gateline(bench, where.tested, configuration(fake)) as gateway,
    ):

        def load(url: str, *options: str) -> tuple[float, int]:
            options = ("--stream", "--requests", str(count), "--connections", str(CONNECTIONS), *options)
            report = run_load(where.load, url, gateway.token, bench.seconds, *options)
            return report["events"], report["failed"]

        return race(
            {
                "nginx": lambda: sample_program(nginx.program.pid, lambda: load(nginx.url)),
                "Gateline": lambda: sample_gateline(gateway, lambda: load(gateway.url, "--messages")),
            },
            bench.rounds,
        )
