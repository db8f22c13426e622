"""Makes `.venv` and installs Gateline into it, with one live line while a person waits. Standard library only, since
nothing else is there yet; written for Python 3.7 and up, so that one that is too old can still say so."""
# ruff: noqa: T201 - a program that talks to a person

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOG = VENV / "pip.log"
STEPS = VENV / "steps"  # "name<TAB>began<TAB>ended", epoch seconds: what the demo prints of the way to its first token
OLDEST = (3, 11)
_CREDENTIALS = re.compile(r"://[^/@\s]+@")
_COLLECTING = re.compile(r"Collecting ([A-Za-z0-9._-]+)")
_DOWNLOADING = re.compile(r"Downloading (\S+?)(?:\.metadata)? \(([\d.]+ [kMG]B)\)")


class Failed(Exception):
    """One line that says what is wrong and what to do."""


class Live:
    """One line that moves while something runs; plain lines where no terminal is."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.detail = ""
        self._over = threading.Event()
        self._terminal = sys.stdout.isatty()
        self._began = time.monotonic()
        self._thread = threading.Thread(target=self._draw, daemon=True)

    def __enter__(self) -> Live:
        if self._terminal:
            self._thread.start()
        else:
            print(self.title + " ...", flush=True)
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._over.set()
        seconds = time.monotonic() - self._began
        if self._terminal:
            self._thread.join()
            sys.stdout.write("\r\033[K")
        if kind is None:
            print(f"{self.title}: done in {seconds:.0f} s", flush=True)

    def _draw(self) -> None:
        frame = 0
        while not self._over.wait(0.1):
            frame += 1
            spinner = "|/-\\"[frame % 4]
            line = f"{spinner} {self.title}  {time.monotonic() - self._began:3.0f} s  {self.detail}"
            sys.stdout.write("\r\033[K" + line[: shutil.get_terminal_size().columns - 1])
            sys.stdout.flush()


def check_python() -> None:
    if sys.version_info < OLDEST:
        version = ".".join(map(str, sys.version_info[:2]))
        raise Failed(
            f"Gateline needs Python 3.11 or newer, and {sys.executable} is {version}: install a newer one, or name it "
            "with `make PYTHON=python3.12 ...`"
        )
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        raise Failed(
            f"this Python ({sys.executable}) cannot make virtual environments: on Debian or Ubuntu run "
            "`apt install python3-venv`, then try again"
        )


def make() -> None:
    """An environment that was moved, or whose Python is gone, is made again."""
    if (
        PYTHON.exists()
        and subprocess.run([str(PYTHON), "-c", "import pip"], check=False, stderr=subprocess.DEVNULL).returncode == 0
    ):
        return
    began = time.time()
    with Live("making .venv"):
        made = subprocess.run(
            [sys.executable, "-m", "venv", "--clear", str(VENV)],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    if made.returncode != 0:
        said = made.stdout.decode(errors="replace").strip().splitlines()
        raise Failed(f"cannot make {VENV}: {said[-1] if said else 'python -m venv failed'}")
    note_step("make .venv", began)


def install(extras: str) -> None:
    began = time.time()
    command = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar=off"]
    command += ["-c", str(ROOT / "constraints.txt"), "-e", f"{ROOT}[{extras}]"]
    with LOG.open("w") as log, Live(f"installing gateline[{extras}]") as live:
        packages = 0
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True
        ) as pip:
            assert pip.stdout is not None
            for line in pip.stdout:
                log.write(_CREDENTIALS.sub("://", line))
                log.flush()
                packages += bool(_COLLECTING.match(line))
                live.detail = tell(line, packages) or live.detail
            code = pip.wait()
        if code != 0:
            raise Failed(reason())
    # As pip does for a package that it copies: else, where the environment forbids writing bytecode, every process
    # compiles all of Gateline each time it starts.
    subprocess.run([str(PYTHON), "-m", "compileall", "-q", str(ROOT / "gateline")], check=False)
    note_step("install packages", began)


def tell(line: str, packages: int) -> str:
    """What the live line shows of a line of pip's; empty: nothing new."""
    line = line.strip()
    collecting = _COLLECTING.match(line)
    if collecting:
        return f"{packages} packages: {collecting.group(1)}"
    downloading = _DOWNLOADING.match(line)
    if downloading:
        return f"{packages} packages: {downloading.group(1).split('-')[0]} ({downloading.group(2)})"
    if line.startswith("Installing collected packages"):
        return f"unpacking {packages} packages"
    return ""


def reason() -> str:
    lines = [line.strip() for line in LOG.read_text().splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")] or lines[-1:]
    said = errors[0] if errors else "it said nothing"
    return f"pip could not install Gateline ({said}): check the network and the package index; its words are in {LOG}"


def note_step(name: str, began: float) -> None:
    with STEPS.open("a") as steps:
        steps.write(f"{name}\t{began:.1f}\t{time.time():.1f}\n")


def main() -> int:
    try:
        check_python()
        os.environ.pop("PYTHONHOME", None)
        make()
        install(sys.argv[1])
    except Failed as failure:
        print(f"make: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
