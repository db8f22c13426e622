"""What a process holds in memory, as Linux counts it: resident pages, and the most there were since a mark."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

MIB = 1_048_576

linux_only = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="peaks of resident memory are Linux's to tell"
)


def resident(pid: int) -> int:
    """Bytes, shared pages that it has touched included."""
    return _field(pid, "VmRSS")


def _field(pid: int, name: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition(f"{name}:")[2].split()[0]) * 1024


class Bounded:
    """`with Bounded(pid, idle, limit)`: what happens inside may not take a process more than `limit` bytes above
    `idle`, at any moment. The kernel keeps the peak: nothing is missed between two looks."""

    def __init__(self, pid: int, idle: int, limit: int) -> None:
        self._pid = pid
        self._idle = idle
        self._limit = limit

    def __enter__(self) -> Self:
        Path(f"/proc/{self._pid}/clear_refs").write_text("5")  # the peak starts from now
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            grown = self.grown
            assert grown <= self._limit, f"{grown / MIB:.1f} MiB above idle, of {self._limit / MIB:.1f} allowed"

    @property
    def grown(self) -> int:
        return _field(self._pid, "VmHWM") - self._idle
