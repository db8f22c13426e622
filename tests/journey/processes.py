"""What runs on this machine, as `ps` tells it."""

from __future__ import annotations

import os
import subprocess
from typing import NamedTuple


class Process(NamedTuple):
    pid: int
    parent: int
    state: str
    command: str


def processes() -> list[Process]:
    listed = subprocess.run(["ps", "-axo", "pid=,ppid=,stat=,command="], capture_output=True, text=True, check=True)
    fields = [line.split(None, 3) for line in listed.stdout.splitlines()]
    return [Process(int(each[0]), int(each[1]), each[2], each[3] if len(each) > 3 else "") for each in fields]


def children(pid: int) -> list[Process]:
    """Those that run; one that has ended and was not waited for is none."""
    return [each for each in processes() if each.parent == pid and not each.state.startswith("Z")]


def has_ended(pid: int) -> bool:
    """Whether it is gone, or only its exit status is left."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return any(each.pid == pid and each.state.startswith("Z") for each in processes())
