"""Programs that a figure starts: pinned to cores, waited for, and stopped whatever happens."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.harness.bench import FigureFailed

_STOP_SECONDS = 10.0
_LOOK_AGAIN = 0.01
_TAIL = 600


class Program:
    """One running program. `pid` is its own, not a wrapper's: pinning replaces itself by what it pins."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.pid = process.pid
        self._process = process
        self._log = log

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def said(self) -> str:
        """The end of what it printed."""
        return self._log.read_bytes()[-_TAIL:].decode(errors="replace").strip()

    def stop(self) -> None:
        """Asks it to end, and ends all that it started when it does not."""
        if self.is_running:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)  # it leads a session of its own: nobody else is in it
        self._process.wait()


@contextmanager
def running(
    name: str, command: Sequence[str], cores: Sequence[int], folder: Path, env: Mapping[str, str] | None = None
) -> Iterator[Program]:
    """Starts `command` on `cores` with `folder` as its working directory; stops it at the end.

    Raises FigureFailed when it cannot be started."""
    log = folder / "output.log"
    with log.open("wb") as out:
        try:
            process = subprocess.Popen(
                pinned(command, cores),
                cwd=folder,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise FigureFailed(f"{name} cannot be started: {error}") from None
    program = Program(name, process, log)
    try:
        yield program
    finally:
        program.stop()


def pinned(command: Sequence[str], cores: Sequence[int]) -> list[str]:
    return ["taskset", "-c", ",".join(map(str, cores)), *command]


def run_to_end(command: Sequence[str], what: str, seconds: float, cwd: Path | None = None) -> str:
    """The output of a command that must succeed. Raises FigureFailed with the end of what it said."""
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=seconds, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FigureFailed(f"{what}: {error}") from None
    if done.returncode:
        raise FigureFailed(f"{what}: exit status {done.returncode}: {(done.stderr or done.stdout).strip()[-_TAIL:]}")
    return done.stdout


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(program: Program, port: int, seconds: float) -> None:
    """Returns once something accepts on `port`. Raises FigureFailed when the program ends before, or time does."""
    until = time.monotonic() + seconds
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1.0):
            return
        if not program.is_running:
            raise FigureFailed(f"{program.name} ended while starting: {program.said()}")
        if time.monotonic() > until:
            raise FigureFailed(f"{program.name} did not listen within {seconds:g} s: {program.said()}")
        time.sleep(_LOOK_AGAIN)
