"""What the supervisor hands to the process it forks: paths, shared memory and its place among the others."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from mmap import mmap
from pathlib import Path

from gateline.store.datadir import DataDir

NO_ROOM = 75  # exit status of a worker that found no room on the disk and has said so


@dataclass(slots=True)
class Seat:
    """`columns` and `limits` are anonymous shared maps made by the supervisor before the first fork, so that every
    process sees the same pages and a killed one takes nothing along. Both have room for `places` workers: one more
    than there are, so that a worker's successor can begin beside it. `worker` is the place of a data-plane worker, -1
    in the control process.

    `supervisor` is its process id, named here because a process whose parent is gone gets another one. `leaving` is a
    pipe to it: a worker that was told to end writes its place there. `channel` carries JSON lines to and from the
    supervisor, and `alive` are the places with a worker (both for the control process)."""

    data_dir: DataDir
    config: Path | None
    places: int
    columns: mmap
    limits: mmap
    supervisor: int
    worker: int = -1
    listeners: tuple[socket.socket, ...] = ()
    leaving: int = -1
    alive: tuple[int, ...] = ()
    channel: socket.socket | None = None
