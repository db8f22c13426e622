"""From the command to readiness, on a new data directory and on a used one; and the import of the package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import NamedTuple
from urllib.error import URLError
from urllib.request import urlopen

from benchmarks.harness.bench import Bench, FigureFailed, all_cores, cores
from benchmarks.harness.gateway import configuration
from benchmarks.harness.process import free_port, running
from benchmarks.harness.report import Result, Row
from benchmarks.harness.usage import cpu_seconds, family

REACH_READY, REACH_IMPORT = 1.0, 0.2
_PATIENCE = 20.0
_LOOK_AGAIN = 0.002


class Start(NamedTuple):
    """`seconds` until ready, and the CPU seconds that all processes of the gateway had spent by then."""

    seconds: float
    cpu: float


def measure(bench: Bench) -> Result:
    environment = _with_bytecode(bench)
    starts = [_start_twice(bench, environment) for _ in range(bench.rounds)]
    new, used = (median(start.seconds for start in each) for each in zip(*starts, strict=True))
    new_cpu, used_cpu = (median(start.cpu for start in each) for each in zip(*starts, strict=True))
    imported = median(_import("import gateline", environment) for _ in range(bench.rounds))
    bare = median(_import("pass", environment) for _ in range(bench.rounds))
    rows = [
        Row(
            "start to ready",
            f"< {REACH_READY:.0f} s",
            f"{new:.2f} s with a new data directory, {used:.2f} s with a used one",
            max(new, used) < REACH_READY,
        ),
        Row(
            "`import gateline`",
            f"< {REACH_IMPORT * 1000:.0f} ms",
            f"{imported * 1000:.0f} ms with the interpreter's own start, which alone takes {bare * 1000:.0f} ms",
            imported < REACH_IMPORT,
        ),
    ]
    note = (
        f"From the start of `gateline serve` to the first 200 of `/readyz`; {all_cores()} workers on as many cores, "
        "from compiled bytecode, as pip leaves it. CPU that its processes had spent by then: "
        f"{new_cpu * 1000:.0f} ms with a new data directory, {used_cpu * 1000:.0f} ms with a used one."
    )
    return Result("Start", rows, [note])


def _with_bytecode(bench: Bench) -> dict[str, str]:
    """An installed package has its bytecode. A checkout that nothing may write to, or an environment that forbids
    writing it, would compile every module in every process: that is not the program's start."""
    environment = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(bench.folder("bytecode"))}
    _start_twice(bench, environment)
    return environment


def _start_twice(bench: Bench, environment: dict[str, str]) -> tuple[Start, Start]:
    folder = bench.folder("start")
    config = folder / "gateline.yaml"
    config.write_text(json.dumps(configuration("http://127.0.0.1:9")))
    return _start(config, folder, environment), _start(config, folder, environment)


def _start(config: Path, folder: Path, environment: dict[str, str]) -> Start:
    port = free_port()
    everything = cores(all_cores()).tested
    command = [sys.executable, "-m", "gateline", "serve", "--config", str(config), "--port", str(port)]
    command += ["--workers", str(all_cores()), "--data-dir", str(folder / "data")]
    began = time.perf_counter()
    with running("gateline", command, everything, folder, environment) as program:
        while time.perf_counter() - began < _PATIENCE:
            with suppress(URLError, OSError), urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1.0) as answer:
                if answer.status == 200:
                    return Start(time.perf_counter() - began, cpu_seconds(family(program.pid)))
            if not program.is_running:
                break
            time.sleep(_LOOK_AGAIN)
        raise FigureFailed(f"gateline did not get ready: {program.said()}")


def _import(statement: str, environment: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True, env={**os.environ, **environment})
    return time.perf_counter() - began
