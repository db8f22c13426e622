"""CPU and memory of processes, as /proc tells it. CPU in seconds, memory in bytes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


def _stat(pid: int) -> list[str]:
    """The fields behind the name; empty when the process is gone."""
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rpartition(")")[2].split()


def family(root: int) -> list[int]:
    """`root` and all that descends from it."""
    parents: dict[int, int] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields:
                parents[int(entry.name)] = int(fields[1])
    found = [root]
    for pid in found:  # grows while it is walked
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and kernel time, that of ended children included once they were waited for."""
    ticks = 0
    for pid in pids:
        fields = _stat(pid)
        if fields:
            ticks += sum(map(int, fields[11:15]))
    return ticks / _TICKS


def user_and_kernel(pid: int) -> tuple[float, float]:
    fields = _stat(pid)
    return int(fields[11]) / _TICKS, int(fields[12]) / _TICKS


def resident(pid: int) -> int:
    return _status(pid, "VmRSS:")


def resident_peak(pid: int) -> int:
    """The most that was resident since `forget_peak`."""
    return _status(pid, "VmHWM:")


def forget_peak(pid: int) -> None:
    (_PROC / str(pid) / "clear_refs").write_text("5")


def _status(pid: int, field: str) -> int:
    for line in (_PROC / str(pid) / "status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise LookupError(field)
