from __future__ import annotations

import errno
import mmap
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateline.store import journal as journal_module
from gateline.store.journal import Journal, JournalFull, is_live, new_incarnation, sync_live
from gateline.store.segment import SUFFIX, create_segment, read_segment

SMALL = 16 * 4096


@contextmanager
def opened(folder: Path, name: str, segment_bytes: int = SMALL) -> Iterator[Journal]:
    journal = Journal(folder, name, segment_bytes)
    try:
        yield journal
    finally:
        journal.close()


def read_all(folder: Path) -> list[bytes]:
    payloads: list[bytes] = []
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        payloads += read_segment(path, limit=1_000_000).payloads
    return payloads


def eventually(true: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, f"never happened: {what}"
        time.sleep(0.001)


def test_appends_are_read_back_in_order_across_segments(tmp_path: Path) -> None:
    """A journal goes on to its spare segment, marks the end of the full one and loses nothing on the way."""
    payloads = [f"{number}:".encode() + b"x" * (number % 900) for number in range(1_000)]
    with opened(tmp_path, "0a-1") as journal:
        for payload in payloads:
            journal.append(payload)
        assert read_all(tmp_path) == payloads
    segments = sorted(tmp_path.glob(f"*{SUFFIX}"))
    assert len(segments) > 3
    assert read_all(tmp_path) == payloads
    assert all(read_segment(path, limit=100_000).closed for path in segments)


def test_a_payload_is_refused_when_no_segment_could_hold_it(tmp_path: Path) -> None:
    """An impossible or empty append raises and leaves the journal as it was."""
    with opened(tmp_path, "0a-1") as journal:
        journal.append(b"before")
        with pytest.raises(ValueError, match="does not fit"):
            journal.append(b"x" * SMALL)
        journal.append(b"after")
    assert read_all(tmp_path) == [b"before", b"after"]


def test_the_lock_says_who_lives(tmp_path: Path) -> None:
    """An incarnation is live from before its first segment until it closes; one never heard of is dead."""
    with opened(tmp_path, "0a-1"):
        assert is_live(tmp_path, "0a-1")
        assert is_live(tmp_path, "0a-1"), "asking does not disturb the lock"
        assert not is_live(tmp_path, "0a-2")
    assert not is_live(tmp_path, "0a-1")


def test_a_killed_process_leaves_every_append_and_a_free_lock(tmp_path: Path) -> None:
    """SIGKILL right after an append takes nothing along."""
    ready, done = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            journal = Journal(tmp_path, "0a-1", SMALL)
            for number in range(500):
                journal.append(b"record %d" % number)
            os.write(done, b"!")
            signal.pause()
        finally:
            os._exit(1)
    assert os.read(ready, 1) == b"!"
    assert is_live(tmp_path, "0a-1")
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(ready)
    os.close(done)
    assert not is_live(tmp_path, "0a-1")
    assert read_all(tmp_path) == [b"record %d" % number for number in range(500)]


def test_a_full_disk_at_start_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left behind, not even the lock file."""

    def full(path: Path, size: int, *, yielding: bool = False) -> tuple[mmap.mmap, int]:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(journal_module, "create_segment", full)
    with pytest.raises(JournalFull, match="free space"):
        Journal(tmp_path, "0a-1", SMALL)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_later_refuses_new_work_keeps_the_reserve_and_recovers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a spare, `has_room` turns False while admitted work still fits; once there is room, all goes on."""
    monkeypatch.setattr(journal_module, "_RETRY_SECONDS", 0.001)
    full = threading.Event()
    tried = threading.Event()

    def make(path: Path, size: int, *, yielding: bool = False) -> tuple[mmap.mmap, int]:
        if full.is_set():
            tried.set()
            raise OSError(errno.ENOSPC, "No space left on device")
        return create_segment(path, size, yielding=yielding)

    monkeypatch.setattr(journal_module, "create_segment", make)
    written: list[bytes] = []
    with opened(tmp_path, "0a-1") as journal:
        full.set()
        while journal.has_room():
            written.append(b"%d" % len(written) * 20)
            journal.append(written[-1])
        assert tried.wait(20), "the spare was never asked for"
        admitted = [b"admitted %d" % number for number in range(50)]
        for payload in admitted:
            journal.append(payload)
        written += admitted
        with pytest.raises(JournalFull):
            journal.append(b"x" * (SMALL // 16))
        assert not journal.has_room()
        full.clear()
        eventually(journal.has_room, "room after the disk has some again")
        for _ in range(2_000):
            written.append(b"%d" % len(written) * 20)
            journal.append(written[-1])
    assert read_all(tmp_path) == written


def test_an_unused_spare_is_given_back_at_close(tmp_path: Path) -> None:
    """A clean end leaves only segments with records, the last one marked."""
    with opened(tmp_path, "0a-1") as journal:
        for _ in range(SMALL // 2 // 1_000 + 2):
            journal.append(b"x" * 1_000)
        eventually(lambda: len(list(tmp_path.glob(f"*{SUFFIX}"))) == 2, "a spare")
    (segment,) = tmp_path.glob(f"*{SUFFIX}")
    assert read_segment(segment).closed


def test_syncing_passes_over_segments_that_vanish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The importer may delete a segment between the listing and the sync; every other one is synced."""
    synced: list[int] = []
    monkeypatch.setattr(journal_module, "_fdatasync", lambda fd: synced.append(os.fstat(fd).st_size))
    (tmp_path / f"gone-000001{SUFFIX}").symlink_to(tmp_path / "nowhere")
    with opened(tmp_path, "0a-1"):
        sync_live(tmp_path)
    assert synced == [SMALL]


def test_incarnations_are_unique_and_sort_by_birth() -> None:
    """A later life has a later name."""
    names = [new_incarnation() for _ in range(100)]
    assert len(set(names)) == len(names)
    assert names == sorted(names)
