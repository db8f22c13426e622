"""The programs the demo starts, as its user would: `gateline serve`, `gateline fake`, and the commands."""

from __future__ import annotations

import json
import queue
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from demo.failed import DemoFailed, must

# The embedded defaults, but for what would get in another gateway's way, or make a person wait at the end.
DEFAULTS = "server: {port: 0, admin_port: 0, drain_delay: 0}\n"
_START_SECONDS = 30.0
_STOP_SECONDS = 40.0
_GATELINE = (sys.executable, "-m", "gateline")
_READY = re.compile(r"ready at (http://\S+)")
_TOKEN = re.compile(r"\bsk-gl-\S+")


def run(*arguments: str) -> str:
    """What a `gateline` command prints. Raises DemoFailed with what it says when it fails."""
    done = subprocess.run([*_GATELINE, *arguments], check=False, capture_output=True, text=True)
    must(done.returncode == 0, f"`gateline {arguments[0]}` failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


class Gateway:
    """A running `gateline serve`. `url` is its base, `token` its first key, `events` what it logs, line by line."""

    def __init__(self, folder: Path) -> None:
        self.data_dir = folder / "data"
        self.config = folder / "gateline.yaml"
        self.log = folder / "gateway.log"
        self.events: queue.Queue[dict[str, Any]] = queue.Queue(10_000)
        self.url = self.token = ""
        self.start_seconds = 0.0
        self._greeted = threading.Event()
        self._began = time.monotonic()

    def __enter__(self) -> Gateway:
        self.config.write_text(DEFAULTS)
        command = [*_GATELINE, "serve", "--config", str(self.config), "--data-dir", str(self.data_dir)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for stream, take in ((self._process.stdout, self._take_greeting), (self._process.stderr, self._take_log)):
            assert stream is not None
            threading.Thread(target=self._read, args=(stream, take), daemon=True).start()
        try:
            must(self._greeted.wait(_START_SECONDS), f"the gateway did not start within {_START_SECONDS:g} s")
            must(bool(self.token), "the gateway ended at once: its log says why")
        except BaseException:
            self._process.terminate()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raises DemoFailed when the gateway does not end in good order."""
        self._process.terminate()
        try:
            code = self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise DemoFailed(f"the gateway did not stop within {_STOP_SECONDS:g} s: see {self.log}") from None
        if kind is None:
            must(code == 0, f"the gateway ended with status {code}: see {self.log}")

    def _read(self, stream: IO[str], take: Any) -> None:
        for line in stream:
            take(line)
        self._greeted.set()  # the end of its output is an answer too

    def _take_greeting(self, line: str) -> None:
        if found := _READY.search(line):
            self.url = found[1]
            self.start_seconds = time.monotonic() - self._began
        elif (found := _TOKEN.search(line)) and not self.token:
            self.token = found[0]
            self._greeted.set()

    def _take_log(self, line: str) -> None:
        with self.log.open("a") as log:
            log.write(line)
        try:
            event = json.loads(line)
        except ValueError:
            return
        if not self.events.full():
            self.events.put(event)

    def make_key(self, name: str, *limits: str) -> tuple[str, str]:
        """A new key's id and token."""
        made = json.loads(run("keys", "create", "--name", name, "--json", "--data-dir", str(self.data_dir), *limits))
        return made["key"]["id"], made["token"]

    def usage_of(self, key_id: str) -> dict[str, Any]:
        """The ledger's totals of one key."""
        rows = json.loads(run("usage", "--by", "key", "--json", "--data-dir", str(self.data_dir)))
        return next((row for row in rows if row["name"] == key_id), {"requests": 0})

    def reconfigure(self, text: str) -> None:
        """Puts a new configuration into force; returns when every worker runs it."""
        from gateline.control.client import reach
        from gateline.store.datadir import DataDir

        self.config.write_text(text)
        control = reach(DataDir(self.data_dir))
        if control is None:
            raise DemoFailed(f"the gateway has died: see {self.log}")
        with control:
            outcome = control.ask("POST", "/reload")
        must(not outcome["missing"], f"a worker does not take the new configuration: see {self.log}")


class Fake:
    """A running `gateline fake --fast`. `url` is its base URL."""

    def __enter__(self) -> Fake:
        command = [*_GATELINE, "fake", "--fast", "--port", "0", "--reply-bytes", "600"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        must(" on http" in said, "the fake provider did not start: run `gateline fake --fast --port 0` to see why")
        self.url = said.rsplit(" ", 1)[1].strip()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(_STOP_SECONDS)

    def invoiced(self) -> int:
        """How many requests it has served, by its own count."""
        import httpx

        totals = httpx.get(self.url.removesuffix("/v1") + "/fake/invoice").json()["totals"]
        return int(totals["requests"])
