"""Whether the disk has room for what the workers of a start map: asked before anybody listens. Standard library only.

Without the room each worker would end as it starts, over and over, while clients wait in a queue that nobody empties.
"""

from __future__ import annotations

import contextlib
import os
import sys

from gateline.store.datadir import DataDir
from gateline.store.inflight import TABLE_BYTES
from gateline.store.journal import SEGMENT_BYTES
from gateline.store.mapped import is_room_missing, reserve
from gateline.store.segment import SUFFIX

_IMPORT_SECONDS = 60.0


def make_room(data_dir: DataDir, workers: int) -> None:
    """Returns when there is room for a journal segment and an in-flight table of each worker. The journals of an
    earlier run that was killed are imported when their room is needed. Raises SystemExit with what to do."""
    size = workers * (SEGMENT_BYTES + TABLE_BYTES)
    if _fits(data_dir, size):
        return
    if any(data_dir.journal.glob(f"*{SUFFIX}")):
        _import_journals(data_dir)
        if _fits(data_dir, size):
            return
    raise SystemExit(
        f"gateline: no room in {data_dir.journal} for the journals of {workers} worker{'s' * (workers != 1)}, "
        f"{size // 1024**2} MiB: free space, start fewer workers or name another --data-dir"
    )


def _fits(data_dir: DataDir, size: int) -> bool:
    """By doing it: free blocks that are counted may be another's by a quota. Raises OSError for any other trouble."""
    path = data_dir.journal / "room"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        reserve(fd, size)
    except OSError as error:
        if is_room_missing(error):
            return False
        raise
    finally:
        os.close(fd)
        path.unlink()
    return True


def _import_journals(data_dir: DataDir) -> None:
    """By the command that does it where no server runs; what stops it is said by what comes next."""
    import subprocess  # no start that has the room needs it

    data_dir.control_socket.unlink(missing_ok=True)  # a dead server's: the command would wait for an answer there
    command = [sys.executable, "-m", "gateline", "usage", "--data-dir", str(data_dir.root)]
    nowhere = subprocess.DEVNULL
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(command, stdout=nowhere, stderr=nowhere, timeout=_IMPORT_SECONDS, check=False)
