"""Gateline under test: started as its users start it, with keys, limits, metering, ledger and metrics on."""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness.bench import Bench, FigureFailed
from benchmarks.harness.process import Program, free_port, running, wait_for_port
from benchmarks.harness.tls import Certificate
from benchmarks.harness.usage import cpu_seconds, family
from gateline.control.client import Control, ControlRefused, reach
from gateline.control.keys import Keys, KeyWish
from gateline.model.key import Key
from gateline.store.datadir import DataDir
from gateline.store.migrations import migrate
from gateline.store.sql.base import connect

KINDS = ("worker", "control", "supervisor", "peeker", "engine")
MODEL = "gpt-4o"
UPSTREAM_MODEL = "gpt-4o-2024-08-06"  # not the public name: the body is written anew, as it is for most users
# Far beyond what any load here reaches, so that both limits are computed for every request and refuse none.
_RATE, _AT_ONCE = 2_000_000_000, 1_000_000
_START_SECONDS = 30.0
_QUIET_SECONDS = 0.5
_QUIET_CPU = 0.02
_LONGEST_SETTLE = 60.0


@dataclass(slots=True)
class Gateway:
    """`keys` in the order of creation; `workers` and `control` are process ids."""

    program: Program
    url: str
    data_dir: DataDir
    keys: list[tuple[str, Key]]
    workers: list[int]
    control: list[int]

    @property
    def token(self) -> str:
        return self.keys[0][0]

    def running(self, module: str) -> list[int]:
        """The processes that run `gateline.app.MODULE` now: they start when the workers answer already."""
        mark = f"gateline.app.{module}".encode()
        return [pid for pid in family(self.program.pid) if mark in _read(pid, "cmdline")]

    def cpu(self) -> dict[str, float]:
        """CPU seconds so far, by kind of process."""
        groups = (self.workers, self.control, [self.program.pid], self.running("peeker"), self.running("engine"))
        return {kind: cpu_seconds(pids) for kind, pids in zip(KINDS, groups, strict=True)}

    def settle(self) -> None:
        """Waits until the control process has imported what the load left in the journal: its work for these requests
        counts too, however late it does it. Raises FigureFailed when that takes over a minute."""
        until = time.monotonic() + _LONGEST_SETTLE
        before = cpu_seconds(self.control)
        while time.monotonic() < until:
            time.sleep(_QUIET_SECONDS)
            now = cpu_seconds(self.control)
            if now - before <= _QUIET_CPU:
                return
            before = now
        raise FigureFailed(f"the control process still imports records {_LONGEST_SETTLE:g} s after the load")

    def ask(self, method: str, path: str) -> dict[str, Any]:
        """One call of the admin API on the control socket."""
        with _control(self.data_dir) as control:
            return control.ask(method, path)


def configuration(upstream: str, *, models: tuple[str, ...] = (MODEL,), **server: Any) -> dict[str, Any]:
    """gateline.yaml with one provider at `upstream` (an origin) and each of `models` on it. JSON is YAML."""
    target = {"provider": "up", "model": UPSTREAM_MODEL}
    return {
        "server": {"admin_port": 0, "drain_delay": "0s", "grace": "2s", **server},
        "providers": {"up": {"kind": "openai-compatible", "base_url": f"{upstream}/v1", "api_key": "bench"}},
        "models": {model: {"targets": [target]} for model in models},
    }


@contextmanager
def gateline(
    bench: Bench,
    cores: tuple[int, ...],
    config: dict[str, Any] | None,
    *,
    workers: int = 1,
    tls: Certificate | None = None,
    keys: int = 1,
) -> Iterator[Gateway]:
    """Starts the gateway and waits until it is ready; None as `config` is the embedded defaults. Raises FigureFailed
    when it does not get ready."""
    folder = bench.folder("gateline")
    data_dir = DataDir(folder / "data")
    made = create_keys(data_dir, keys)
    port = free_port()
    command = [sys.executable, "-m", "gateline", "serve", "--port", str(port), "--workers", str(workers)]
    command += ["--data-dir", str(data_dir.root)]
    if config is not None:
        if tls is not None:
            config["server"]["tls"] = {"certificate": str(tls.chain), "key": str(tls.key)}
            config["providers"]["up"]["ca_file"] = str(tls.chain)
        (folder / "gateline.yaml").write_text(json.dumps(config))
        command += ["--config", str(folder / "gateline.yaml")]
    with running("gateline", command, cores, folder) as program:
        wait_for_port(program, port, _START_SECONDS)
        state = _state(program, data_dir, workers)
        pids = [worker["pid"] for worker in state["workers"]]
        # Forked like the workers, with the same command line: it is the one that has the configuration's library.
        control = [pid for pid in family(program.pid) if b"pydantic_core" in _read(pid, "maps")]
        url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        yield Gateway(program, url, data_dir, made, pids, control)


def create_keys(data_dir: DataDir, count: int) -> list[tuple[str, Key]]:
    """Straight in the data directory, before a server runs on it. Their limits are computed and never refuse."""
    data_dir.create()
    migrate(data_dir.database)
    engine = connect(data_dir.database)
    try:
        wishes = [KeyWish(f"bench-{n}", requests_per_minute=_RATE, concurrency=_AT_ONCE) for n in range(count)]
        return Keys(engine, data_dir.pepper()).create_all(wishes)
    finally:
        engine.dispose()


def served_models(gateway: Gateway) -> list[dict[str, Any]]:
    """What `/v1/models` says, over plain HTTP."""
    request = urllib.request.Request(f"{gateway.url}/v1/models", headers={"Authorization": f"Bearer {gateway.token}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        models: list[dict[str, Any]] = json.load(answer)["data"]
        return models


def _state(program: Program, data_dir: DataDir, workers: int) -> dict[str, Any]:
    """The admin API's status once every worker has connected."""
    until = time.monotonic() + _START_SECONDS
    while program.is_running and time.monotonic() < until:
        with _control(data_dir) as control:
            state = control.ask("GET", "/status")
        if sum(worker["pid"] is not None for worker in state["workers"]) == workers:
            return state
        time.sleep(0.05)
    raise FigureFailed(f"gateline's workers did not all start: {program.said()}")


def _control(data_dir: DataDir) -> Control:
    try:
        control = reach(data_dir)
    except ControlRefused as error:
        raise FigureFailed(str(error)) from None
    if control is None:
        raise FigureFailed("gateline does not run any more")
    return control


def _read(pid: int, name: str) -> bytes:
    """A file of /proc, empty when the process is gone."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""
