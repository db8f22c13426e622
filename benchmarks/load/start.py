"""From the command to readiness, on a new data directory and on a used one; and the import of the package."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from statistics import median
from urllib.error import URLError
from urllib.request import urlopen

from benchmarks.harness.bench import Bench, FigureFailed, all_cores, cores
from benchmarks.harness.gateway import configuration
from benchmarks.harness.process import free_port, running
from benchmarks.harness.report import Result, Row

REACH_READY, REACH_IMPORT = 1.0, 0.2
_PATIENCE = 20.0
_LOOK_AGAIN = 0.002


def measure(bench: Bench) -> Result:
    starts = [_start_twice(bench) for _ in range(bench.rounds)]
    new, used = (median(seconds) for seconds in zip(*starts, strict=True))
    imported = median(_import("import gateline") for _ in range(bench.rounds))
    bare = median(_import("pass") for _ in range(bench.rounds))
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
            f"{(imported - bare) * 1000:.0f} ms ({imported * 1000:.0f} ms with the interpreter's own start)",
            imported < REACH_IMPORT,
        ),
    ]
    note = f"From the start of `gateline serve` to the first 200 of `/readyz`; {all_cores()} workers on as many cores."
    return Result("Start", rows, [note])


def _start_twice(bench: Bench) -> tuple[float, float]:
    folder = bench.folder("start")
    config = folder / "gateline.yaml"
    config.write_text(json.dumps(configuration("http://127.0.0.1:9")))
    return _start(config, folder), _start(config, folder)


def _start(config: Path, folder: Path) -> float:
    port = free_port()
    everything = cores(all_cores()).tested
    command = [sys.executable, "-m", "gateline", "serve", "--config", str(config), "--port", str(port)]
    command += ["--workers", str(all_cores()), "--data-dir", str(folder / "data")]
    began = time.perf_counter()
    with running("gateline", command, everything, folder) as program:
        while time.perf_counter() - began < _PATIENCE:
            with suppress(URLError, OSError), urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1.0) as answer:
                if answer.status == 200:
                    return time.perf_counter() - began
            if not program.is_running:
                break
            time.sleep(_LOOK_AGAIN)
        raise FigureFailed(f"gateline did not get ready: {program.said()}")


def _import(statement: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - began
