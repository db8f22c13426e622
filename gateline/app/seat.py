"""What the supervisor hands to the process it forks: paths, shared memory and its place among the others."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from mmap import mmap
from pathlib import Path

from gateline.store.datadir import DataDir


@dataclass(slots=True)
class Seat:
    """`columns` and `limits` are anonymous shared maps made by the supervisor before the first fork, so that every
    process sees the same pages and a killed one takes nothing along. `channel` carries JSON lines to and from the
    supervisor (control process only). `worker` is the index of a data-plane worker, -1 in the control process."""

    data_dir: DataDir
    config: Path | None
    workers: int
    columns: mmap
    limits: mmap
    worker: int = -1
    listeners: tuple[socket.socket, ...] = ()
    channel: socket.socket | None = None
