"""A running gateway as a person starts it: `gateline serve` in processes of its own, on ports of its own."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gateline.control.keys import Keys, KeyWish
from gateline.control.ledger import Ledger
from gateline.model.key import Key
from gateline.store.datadir import DataDir
from gateline.store.migrations import migrate
from gateline.store.sql.base import connect
from tests.journey.patience import DEADLINE, until
from tests.journey.wire import ask, request

Settings = dict[str, Any]
Row = dict[str, Any]

_USAGE = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")


def settings(upstream: str, **sections: Any) -> Settings:
    """A configuration with one model, `plain`, at `upstream`. A section that is given adds to the usual one."""
    usual: Settings = {
        "server": {"admin_port": 0, "drain_delay": 0},
        "providers": {"up": {"kind": "openai-compatible", "base_url": upstream, "api_key": "sk-of-the-provider"}},
        "models": {"plain": {"targets": [{"provider": "up", "model": "gpt-4o-2024-08-06"}]}},
        "retry": {"base": "10ms", "cap": "50ms"},
    }
    for name, section in sections.items():
        usual[name] = {**usual.get(name, {}), **section}
    return usual


class Gate:
    """`with Gate(folder, settings(...)) as gate`. Its end is SIGTERM, and an exit status of 0 is claimed of it."""

    def __init__(self, folder: Path, config: Settings, *, workers: int = 1) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.config = folder / "gateline.yaml"
        self.data = DataDir(folder / "data")
        self.out = folder / "stdout"
        self.err = folder / "stderr"
        self.workers = workers
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self.configure(config)
        self.data.create()
        migrate(self.data.database)
        self._engine = connect(self.data.database)
        self._keys = Keys(self._engine, self.data.pepper())
        self.token = self.make_key("everything")[0]

    # --- life ---

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self.is_running:
                self.signal(signal.SIGTERM)
                status = self.wait()
                assert kind is not None or status == 0, f"exit {status}: {self.log()}"
        finally:
            self._kill_all()
            self._engine.dispose()

    def start(self) -> None:
        """Returns when the gateway says that it is ready."""
        command = ["serve", "--config", str(self.config), "--data-dir", str(self.data.root), "--port", "0"]
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gateline", *command, "--workers", str(self.workers)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        greeting = until(self._greeting, "the gateway is ready")
        self.port = int(greeting.partition(" ready at ")[2].split()[0].rsplit(":", 1)[1])
        until(lambda: ask(self.port, request("GET", "/readyz")).status == 200, "/readyz says ready")

    def _greeting(self) -> str:
        assert self._process is not None
        assert self._process.poll() is None, f"the gateway ended: {self.err.read_text()}"
        return next((line for line in self.out.read_text().splitlines(keepends=True) if line.endswith("\n")), "")

    def settle(self) -> None:
        """Returns when the control process serves and every worker has its configuration."""
        until(self._is_settled, "control and all workers run")

    def _is_settled(self) -> bool:
        if not self.data.control_socket.exists():
            return False
        try:
            status = self.status()
        except (OSError, http.client.HTTPException):
            return False
        runs = [worker["alive"] and worker["snapshot"] == status["snapshot"] for worker in status["workers"]]
        return len(runs) == self.workers and all(runs)

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait(self) -> int:
        """The exit status of the gateway."""
        assert self._process is not None
        return self._process.wait(DEADLINE)

    def _kill_all(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(DEADLINE)

    # --- what it is told ---

    def configure(self, config: Settings) -> None:
        """Writes the configuration; a running gateway reads it at SIGHUP."""
        beside = self.config.with_suffix(".new")
        beside.write_text(json.dumps(config, indent=1))
        beside.replace(self.config)

    def make_key(self, name: str, **limits: Any) -> tuple[str, Key]:
        """A token and its key, written past the server, which finds it when it is first used."""
        return self._keys.create(KeyWish(name, **limits))

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A `gateline` command on this data directory."""
        return subprocess.run(
            [sys.executable, "-m", "gateline", *words, "--data-dir", str(self.data.root)],
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )

    # --- what it says ---

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def ask_control(self, method: str, path: str) -> Any:
        """The control process's answer. Raises OSError while it is away."""
        with socket.socket(socket.AF_UNIX) as end:
            end.settimeout(DEADLINE)
            end.connect(str(self.data.control_socket))
            connection = http.client.HTTPConnection("control")
            connection.sock = end
            connection.request(method, path)
            with connection.getresponse() as reply:
                return json.load(reply)

    def _imports(self) -> bool:
        """Whether the control process is there and has imported all that is written; a killed one leaves its socket."""
        try:
            self.ask_control("GET", "/usage")
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        return True

    def status(self) -> dict[str, Any]:
        return dict(self.ask_control("GET", "/status"))

    def worker_pids(self) -> list[int]:
        return [worker["pid"] for worker in self.status()["workers"]]

    def records(self) -> list[Row]:
        """The ledger, with everything in it that the workers have written until now."""
        if self.is_running:
            until(self._imports, "the control process imports")
        else:
            Ledger(self._engine, self.data).run_once()
        with sqlite3.connect(self.data.database) as database:
            database.row_factory = sqlite3.Row
            rows = [dict(row) for row in database.execute("SELECT * FROM records ORDER BY started")]
        database.close()
        for row in rows:
            row["attempts"] = json.loads(row["attempts"])
        return rows

    def record(self, request_id: str) -> Row:
        """The one record of this request, which must be there by now."""
        (row,) = [row for row in self.records() if row["id"] == request_id]
        return row

    def record_soon(self, request_id: str) -> Row:
        """The same for a request whose end nobody was told of."""
        rows = until(lambda: [row for row in self.records() if row["id"] == request_id], f"a record of {request_id}")
        (row,) = rows
        return row

    def log(self) -> str:
        return self.err.read_text()

    def events(self, name: str) -> list[dict[str, Any]]:
        """Log lines of this event; fails when a line is no JSON."""
        lines = [json.loads(line) for line in self.log().splitlines()]
        return [line for line in lines if line["event"] == name]

    def metrics_text(self) -> str:
        with urllib.request.urlopen(f"http://{self.status()['admin']}/metrics", timeout=DEADLINE) as page:
            return str(page.read().decode())

    def metrics(self) -> dict[str, float]:
        """Each series with its labels, as it is written, and its value."""
        lines = [line for line in self.metrics_text().splitlines() if not line.startswith("#")]
        return {series: float(value) for series, _, value in (line.rpartition(" ") for line in lines)}

    def metric(self, family: str, *labels: str) -> float:
        """The sum of all series of a family whose labels include these, each as `name="value"`."""
        found = [
            value
            for series, value in self.metrics().items()
            if series.partition("{")[0] == family and all(label in series for label in labels)
        ]
        return sum(found)


def tokens_of(row: Row) -> tuple[int | None, ...]:
    """Input, output, cached and reasoning tokens of a record."""
    return tuple(row[name] for name in _USAGE)
