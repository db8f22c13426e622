"""Files that are mapped into memory whole: reserved on the disk, touched, never resized. Knows nothing of contents."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import struct
import sys
import time
from pathlib import Path

_BLOCK = 32 * mmap.PAGESIZE
_ZEROS = bytes(1024 * 1024)


def create(path: Path, size: int, *, yielding: bool = False) -> mmap.mmap:
    """A new file of `size` zero bytes, mode 0600, mapped shared and ready for stores that cannot fail.

    A hole in a mapped file is a SIGBUS on a full disk; reserving first makes it an OSError here, and then no file is
    left behind. `yielding` lets other threads run between blocks: touching 16 MiB takes milliseconds.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        reserve(fd, size)
        pages = mmap.mmap(fd, size)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(fd)
    for block in range(0, size, _BLOCK):
        for offset in range(block, min(block + _BLOCK, size), mmap.PAGESIZE):
            pages[offset] = 0  # the page fault happens now, not inside a request
        if yielding:
            time.sleep(0)
    return pages


def is_room_missing(error: OSError) -> bool:
    """The disk is full, or what this user may have of it."""
    return error.errno in {errno.ENOSPC, errno.EDQUOT}


def reserve(fd: int, size: int) -> None:
    """Gives the file `size` bytes that are on the disk. Raises OSError when there is no room for them."""
    if sys.platform == "darwin":
        # fstore_t {flags, posmode, offset, length, allocated}: all or nothing, from the end of the file
        fcntl.fcntl(fd, fcntl.F_PREALLOCATE, struct.pack("Iiqqq", fcntl.F_ALLOCATEALL, fcntl.F_PEOFPOSMODE, 0, size, 0))
        for offset in range(0, size, len(_ZEROS)):
            os.pwrite(fd, _ZEROS[: size - offset], offset)
    else:
        os.posix_fallocate(fd, 0, size)
