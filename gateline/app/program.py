"""How the supervisor starts a program of ours. Standard library only."""

from __future__ import annotations

import os
import signal
import sys


def start_program(command: list[str]) -> int:
    """Starts a program that reads nothing and writes to our stderr; its process id. Not through `subprocess`, which now
    and then collects a child of its own accord: its death would never be reported to us. Raises OSError."""
    return os.posix_spawn(
        command[0],
        command,
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, sys.stderr.fileno(), 1),
        ],
        setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],  # which Python ignores, and a program does not expect to be
    )
