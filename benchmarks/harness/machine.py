"""The machine and the versions behind a set of figures, as lines for the report."""

from __future__ import annotations

import os
import platform
import re
import ssl
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.harness.bench import all_cores

_LIBRARIES = ("uvloop", "httptools", "msgspec")


def describe() -> list[str]:
    return [
        f"{_processor()}, {all_cores()} cores for this run of {os.cpu_count()}, {_memory()}",
        f"{_system()}, kernel {platform.release()}",
        (
            f"Python {platform.python_version()} ({' '.join(platform.python_build())}, {platform.python_compiler()}), "
            f"{ssl.OPENSSL_VERSION}"
        ),
        ", ".join(f"{name} {_version(name)}" for name in ("gateline", *_LIBRARIES)),
        f"{_first_line('nginx', '-v')}; {_first_line('wrk', '-v')}",
    ]


def load_average() -> str:
    return " ".join(f"{value:.2f}" for value in os.getloadavg())


def _processor() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _memory() -> str:
    found = re.search(r"^MemTotal:\s*(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return f"{int(found[1]) / 1024**2:.0f} GiB" if found else "memory unknown"


def _system() -> str:
    release = platform.freedesktop_os_release()
    return release.get("PRETTY_NAME", platform.system())


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "?"


def _first_line(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    text = (done.stdout + done.stderr).strip()
    return text.splitlines()[0].split(" Copyright")[0] if text else command[0]
