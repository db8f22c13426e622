"""2,000 open streams with 10 chunks a second each: memory a stream, and how late chunks arrive."""

from __future__ import annotations

import subprocess
import time
from typing import Any

from benchmarks.harness.bench import Bench, cores
from benchmarks.harness.gateway import Gateway, configuration, gateline
from benchmarks.harness.generator import fast_fake, read_load, start_load
from benchmarks.harness.report import Result, Row
from benchmarks.harness.usage import resident

REACH_KIB, REACH_MS = 30.0, 20.0
_FEW, _MANY = 200, 2_000
_A_SECOND = 10


_RAMP = 400  # streams opened a second: what opening them at once does is not the figure


def measure(bench: Bench) -> Result:
    where = cores()
    seconds = 6.0 if bench.quick else 20.0
    ramp = _MANY / _RAMP
    options = ("--tps", str(_A_SECOND), "--tokens", str(round((seconds + ramp) * _A_SECOND)))
    with fast_fake(bench, where.load, *options) as fake:
        straight = read_load(_start(where.load, fake, "none", _MANY), seconds)
        with gateline(bench, where.tested, configuration(fake)) as gateway:
            few_bytes, _ = _open(gateway, where.load, _FEW, seconds)
            many_bytes, report = _open(gateway, where.load, _MANY, seconds)
    slope = (many_bytes - few_bytes) / (_MANY - _FEW) / 1024
    age, straight_age = (one["milliseconds"]["age"]["p99"] for one in (report, straight))
    row = Row(
        f"{_MANY:,} open streams, {_A_SECOND} chunks a second",
        f"≤ {REACH_KIB:.0f} KiB a stream; late p99 ≤ {REACH_MS:.0f} ms",
        f"{slope:.1f} KiB a stream; p99 {age:.1f} ms ({straight_age:.1f} ms without the gateway)",
        slope <= REACH_KIB and age <= REACH_MS and not report["failed"],
    )
    note = (
        f"{report['events']:,} chunks in {report['seconds']:.0f} s, {report['failed']} failed streams, opened at "
        f"{_RAMP} a second. Resident memory of the worker with {_FEW} streams {few_bytes / 1024**2:.1f} MiB, with "
        f"{_MANY:,} {many_bytes / 1024**2:.1f} MiB: the slope between the two. A chunk carries the time of its "
        "sending; its age is how much later it arrived."
    )
    return Result("Open streams", [row], [note])


def _start(load_cores: tuple[int, ...], url: str, key: str, count: int) -> subprocess.Popen[str]:
    options = ("--stream", "--connections", str(count), "--requests", str(count), "--rate", str(_RAMP))
    return start_load(load_cores, url, key, *options)


def _open(gateway: Gateway, load_cores: tuple[int, ...], count: int, seconds: float) -> tuple[int, dict[str, Any]]:
    """The most that the worker had resident while `count` streams were open, and the load's report."""
    process = _start(load_cores, gateway.url, gateway.token, count)
    most = 0
    while process.poll() is None:
        most = max(most, resident(gateway.workers[0]))
        time.sleep(0.1)
    return most, read_load(process, seconds)
