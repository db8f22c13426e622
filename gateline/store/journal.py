"""The worker's journal: records go into mapped pages, which the kernel keeps when the process is killed.

May know files and threads, nothing of records. An append is a copy into memory: no system call, no lock, no wait.
What a machine crash can take is what `sync_live`, called by another process, has not yet written: `mmap.flush` would
hold the interpreter lock of the worker for tens of milliseconds.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import threading
import time
from pathlib import Path
from typing import Final
from zlib import crc32

from gateline.store.mapped import is_room_missing
from gateline.store.segment import (
    FRAME_BYTES,
    HEADER_BYTES,
    SUFFIX,
    create_segment,
    segment_path,
    store_end_mark,
    store_frame_head,
)

SEGMENT_BYTES: Final = 16 * 1024 * 1024
LIVE_SUFFIX: Final = ".live"
FREE_SPACE: Final = "free space or name another --data-dir"  # what to do where there is no room

_RETRY_SECONDS: Final = 1.0  # between tries at making a segment on a full disk
_SPARE_WAIT_SECONDS: Final = 2.0  # for a spare that is being made; a record matters more than a stall of milliseconds


class JournalFull(Exception):
    """The disk has no room for another segment and the current one is used up."""


def new_incarnation() -> str:
    """A name for one life of one worker, unique on this machine and sorted by birth."""
    return f"{time.time_ns():016x}-{os.getpid()}"


class Journal:
    """Appends payloads to segments `INCARNATION-NUMBER.seg` in `folder`. Belongs to one thread.

    Raises JournalFull at start when the disk cannot hold the first segment. While it lives, it holds a lock on
    `INCARNATION.live`: a free lock means that the worker is dead.
    """

    def __init__(self, folder: Path, incarnation: str, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._folder = folder
        self._incarnation = incarnation
        self._size = segment_bytes
        self._capacity = segment_bytes - HEADER_BYTES - 2 * FRAME_BYTES
        self._half = segment_bytes // 2
        self._end = segment_bytes - FRAME_BYTES  # the end mark always fits
        # The last sixteenth (1 MiB of 16) is kept for requests that were admitted before the disk filled up.
        self._refuse_from = segment_bytes - segment_bytes // 16
        self._number = 0
        self._live = _hold_live(folder, incarnation)
        try:
            self._pages, self._seed = create_segment(self._next_path(), segment_bytes)
        except OSError as error:
            _release_live(self._live, folder, incarnation)
            if is_room_missing(error):
                raise JournalFull(_full_message(folder, segment_bytes)) from error
            raise
        self._at = HEADER_BYTES
        self._passed = 0  # bytes in the segments before this one
        self._mark = self._half
        self._spare: tuple[mmap.mmap, int] | None = None
        self._starved = False
        self._wanted = threading.Event()
        self._settled = threading.Event()  # a try at a spare has ended, well or badly
        self._closing = threading.Event()
        self._maker = threading.Thread(target=self._make_spares, name="journal-spare", daemon=True)
        self._maker.start()

    def has_room(self) -> bool:
        """False: refuse new work with 503. What was admitted still finds room."""
        return self._at < self._refuse_from or self._spare is not None

    @property
    def written(self) -> int:
        """Bytes written so far, framing included."""
        return self._passed + self._at

    def append(self, payload: bytes) -> None:
        """When this returns, killing the process cannot lose `payload`.

        Raises JournalFull, or ValueError for a payload that no segment could hold; nothing was written then.
        """
        start = self._at
        body = start + FRAME_BYTES
        end = body + len(payload)
        if end > self._mark:
            self._pass_mark(len(payload))
            self.append(payload)
            return
        pages = self._pages
        pages[body:end] = payload
        # Last: until the length and the CRC are there, a reader sees zeros or a frame that does not check out.
        store_frame_head(pages, start, end - body, crc32(payload, self._seed))
        self._at = end

    def close(self) -> None:
        """Mark the end, give back an unused spare and let go of the lock. What was appended stays for the importer."""
        self._closing.set()
        self._wanted.set()
        self._maker.join()
        store_end_mark(self._pages, self._at, self._seed)
        self._pages.close()
        if self._spare is not None:
            self._spare[0].close()
            segment_path(self._folder, self._incarnation, self._number).unlink(missing_ok=True)
        os.close(self._live)

    def discard(self) -> None:
        """Take back a journal to which nothing was appended: no file of it stays."""
        self.close()
        segment_path(self._folder, self._incarnation, 1).unlink(missing_ok=True)
        (self._folder / (self._incarnation + LIVE_SUFFIX)).unlink(missing_ok=True)

    def _pass_mark(self, length: int) -> None:
        """Half full: ask for a spare. Full: go on in the spare."""
        if not 0 < length <= self._capacity:
            raise ValueError(f"a payload of {length} bytes does not fit a segment of {self._size}")
        if self._mark == self._half:
            self._mark = self._end
            self._settled.clear()
            self._wanted.set()
            return
        if self._spare is None and not self._starved:
            self._settled.wait(_SPARE_WAIT_SECONDS)
        if self._spare is None:
            raise JournalFull(_full_message(self._folder, self._size))
        store_end_mark(self._pages, self._at, self._seed)
        self._pages.close()
        self._passed += self._at
        self._pages, self._seed = self._spare
        self._spare = None
        self._at = HEADER_BYTES
        self._mark = self._half

    def _make_spares(self) -> None:
        """The maker thread: one spare each time one is wanted; on a full disk a try a second until there is room."""
        while True:
            self._wanted.wait()
            self._wanted.clear()
            while not self._closing.is_set():
                try:
                    spare = create_segment(self._next_path(), self._size, yielding=True)
                except OSError:
                    self._starved = True
                    self._number -= 1  # the name was not used up
                    self._settled.set()
                    self._closing.wait(_RETRY_SECONDS)
                    continue
                self._spare = spare
                self._starved = False
                self._settled.set()
                break
            if self._closing.is_set():
                return

    def _next_path(self) -> Path:
        self._number += 1
        return segment_path(self._folder, self._incarnation, self._number)


def is_live(folder: Path, incarnation: str) -> bool:
    """Whether the process that writes under this incarnation still lives."""
    try:
        fd = os.open(folder / (incarnation + LIVE_SUFFIX), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False  # it appears before the first segment and is the last file to go
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def sync_live(folder: Path) -> None:
    """Write every segment's new pages to the disk. Blocks: call it in a thread of a process that serves no requests."""
    for path in folder.glob(f"*{SUFFIX}"):
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # imported and deleted meanwhile
        try:
            _fdatasync(fd)
        finally:
            os.close(fd)


_fdatasync = getattr(os, "fdatasync", os.fsync)  # macOS has only fsync


def _hold_live(folder: Path, incarnation: str) -> int:
    """The descriptor that holds the lock. The file gets its name only once it is locked: nobody ever sees it free."""
    path = folder / (incarnation + LIVE_SUFFIX)
    unborn = path.with_suffix(".unborn")
    fd = os.open(unborn, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX)
    unborn.rename(path)
    return fd


def _release_live(fd: int, folder: Path, incarnation: str) -> None:
    (folder / (incarnation + LIVE_SUFFIX)).unlink(missing_ok=True)
    os.close(fd)


def _full_message(folder: Path, size: int) -> str:
    return f"no room in {folder} for a journal segment of {size // 1024} KiB: {FREE_SPACE}"
