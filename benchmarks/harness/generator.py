"""The project's own load generator and fake provider as programs, for what wrk and nginx cannot do: paced streams,
decided send times, latencies of single requests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.harness.bench import Bench, FigureFailed
from benchmarks.harness.process import Program, free_port, pinned, running, wait_for_port

_START_SECONDS = 15.0
_MARGIN_SECONDS = 90.0


def start_load(cores: tuple[int, ...], url: str, key: str, *options: str) -> subprocess.Popen[str]:
    """`gateline bench` on an origin, running; `read_load` takes its report."""
    command = [sys.executable, "-m", "gateline", "bench", f"{url}/v1", "--json", *options]
    return subprocess.Popen(
        pinned(command, cores),
        env={**os.environ, "OPENAI_API_KEY": key},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def read_load(process: subprocess.Popen[str], seconds: float) -> dict[str, Any]:
    """The report. Raises FigureFailed when there is none; failed requests are in it, for the figure to judge."""
    try:
        out, err = process.communicate(timeout=seconds + _MARGIN_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise FigureFailed("gateline bench did not end") from None
    try:
        report: dict[str, Any] = json.loads(out)
    except ValueError:
        raise FigureFailed(f"gateline bench gave no report: {err.strip()[-300:]}") from None
    return report


def run_load(cores: tuple[int, ...], url: str, key: str, seconds: float, *options: str) -> dict[str, Any]:
    """`seconds` is how long it should take, for the patience."""
    return read_load(start_load(cores, url, key, *options), seconds)


@contextmanager
def fast_fake_program(bench: Bench, cores: tuple[int, ...], *options: str) -> Iterator[tuple[Program, str]]:
    """`gateline fake --fast` and its origin."""
    port = free_port()
    command = [sys.executable, "-m", "gateline", "fake", "--fast", "--port", str(port), *options]
    with running("gateline fake", command, cores, bench.folder("fake")) as program:
        wait_for_port(program, port, _START_SECONDS)
        yield program, f"http://127.0.0.1:{port}"


@contextmanager
def fast_fake(bench: Bench, cores: tuple[int, ...], *options: str) -> Iterator[str]:
    """`gateline fake --fast`; its origin."""
    with fast_fake_program(bench, cores, *options) as (_, origin):
        yield origin
