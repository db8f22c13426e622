"""A body of 10 MiB, each way: what the worker keeps in memory of it, and what a MiB costs against nginx."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

from benchmarks.harness.bench import Bench, FigureFailed, cores
from benchmarks.harness.gateway import Gateway, configuration, gateline
from benchmarks.harness.generator import fast_fake
from benchmarks.harness.nginx import Site, proxy, upstream
from benchmarks.harness.report import Result, Row
from benchmarks.harness.rounds import Race, race, sample_gateline, sample_program
from benchmarks.harness.usage import forget_peak, resident, resident_peak
from benchmarks.harness.wrk import chat_body, shoot, write_script

MIB = 1024 * 1024
BODY = 10 * MIB
_SMALL_REPLY = 600
_SMALL = "small"  # a provider and a model
REACH_REQUEST, REACH_REPLY, REACH_CPU = 1.2, 256 * 1024, 1.5


@dataclass(frozen=True, slots=True)
class Way:
    """One direction: what each request sends, the size of its answer, and how often a round sends it."""

    name: str
    body: bytes
    reply_bytes: int
    times: int


def measure(bench: Bench) -> Result:
    times = 4 if bench.quick else 20
    text = "word " * (BODY // 5)
    call = {"model": "gpt-4o", "messages": [{"role": "user", "content": text}]}
    small = {**call, "messages": [{"role": "user", "content": "Say something."}]}
    up = _one_way(bench, Way("request", json.dumps(call).encode(), _SMALL_REPLY, times))
    down = _one_way(bench, Way("reply", json.dumps(small).encode(), BODY, times))
    rows = [
        _memory_row("a request of 10 MiB", up, BODY * REACH_REQUEST, "≤ 1.2 x the body"),
        _memory_row("a reply of 10 MiB", down, REACH_REPLY, "≤ 256 KiB"),
        _cpu_row("CPU a MiB of request", up),
        _cpu_row("CPU a MiB of reply", down),
    ]
    note = (
        f"{times} bodies a round, one at a time. Memory: the peak of what is resident over what was before them. The "
        f"process that reads large bodies took {up.peeker / MIB:.1f} MiB more for requests."
    )
    return Result("Large bodies", rows, [note])


@dataclass(frozen=True, slots=True)
class Relayed:
    """`race` counts MiB; memory above idle in bytes, of the worker and of the process that reads large bodies."""

    race: Race
    above_idle: int
    peeker: int


def _one_way(bench: Bench, way: Way) -> Relayed:
    where = cores()
    with (
        upstream(bench, where.load) as small,
        fast_fake(bench, where.load, "--reply-bytes", str(way.reply_bytes)) as up,
        proxy(bench, where.tested, up) as nginx,
        gateline(bench, where.tested, _with_small(configuration(up), small.url)) as gateway,
    ):
        headers = {"Authorization": f"Bearer {gateway.token}", "Content-Type": "application/json"}

        def send(site: Site | Gateway) -> Callable[[], tuple[float, int]]:
            return lambda: (_send(site.url, headers, way), 0)

        script = write_script(bench.folder("script"), headers, chat_body(_SMALL))
        shoot(gateway.url, script, 1.0, where.load)
        gateway.settle()
        above_idle, peeker = _above_idle(gateway, send(gateway))
        send(nginx)()
        outcome = race(
            {
                "nginx": lambda: sample_program(nginx.program.pid, send(nginx)),
                "Gateline": lambda: sample_gateline(gateway, send(gateway)),
            },
            bench.rounds,
        )
    return Relayed(outcome, above_idle, peeker)


def _with_small(config: dict[str, Any], url: str) -> dict[str, Any]:
    """One model more, with answers of ordinary size: what a process takes once is not a body's."""
    config["providers"][_SMALL] = {"kind": "openai-compatible", "base_url": f"{url}/v1", "api_key": "bench"}
    config["models"][_SMALL] = {"targets": [{"provider": _SMALL, "model": _SMALL}]}
    return config


def _above_idle(gateway: Gateway, send: Callable[[], tuple[float, int]]) -> tuple[int, int]:
    """What the worker and the peeker take for the first such bodies, over what ordinary calls have left them."""
    processes = [gateway.workers[0], *gateway.running("peeker")]
    idle = [resident(pid) for pid in processes]
    for pid in processes:
        forget_peak(pid)
    send()
    grown = [resident_peak(pid) - before for pid, before in zip(processes, idle, strict=True)]
    return grown[0], sum(grown[1:])


def _send(url: str, headers: dict[str, str], way: Way) -> float:
    """MiB relayed."""
    size = 0
    with _connected(url) as connection:
        for _ in range(way.times):
            connection.request("POST", "/v1/chat/completions", way.body, headers)
            answer = connection.getresponse()
            got = 0
            while piece := answer.read(MIB):
                got += len(piece)
            if answer.status != 200 or got < way.reply_bytes:
                raise FigureFailed(f"a large {way.name} was answered {answer.status} with {got:,} bytes")
            size += max(got, len(way.body))
    return size / MIB


@contextmanager
def _connected(url: str) -> Iterator[HTTPConnection]:
    connection = HTTPConnection(url.removeprefix("http://"), timeout=60.0)
    try:
        yield connection
    finally:
        connection.close()


def _memory_row(figure: str, relayed: Relayed, most: float, reach: str) -> Row:
    measured = f"{relayed.above_idle / MIB:.2f} MiB above idle"
    return Row(f"relaying {figure}: worker's memory", reach, measured, relayed.above_idle <= most)


def _cpu_row(figure: str, relayed: Relayed) -> Row:
    times = 1 / relayed.race.ratio("Gateline", "nginx")
    mine, theirs = (relayed.race.microseconds(name) / 1000 for name in ("Gateline", "nginx"))
    measured = f"{times:.2f} x nginx ({mine:.2f} ms against {theirs:.2f} ms)"
    return Row(figure, f"≤ {REACH_CPU} x nginx", measured, times <= REACH_CPU)
