"""Requests per minute and concurrency of every key, exact across the workers of one machine, in one shared map.

May know memory and one lock file. No path waits for another process: a decision takes at most `PATIENCE_NS` more than
its own work. A key is a slot of int64 cells, together so that a request touches one or two cache lines:

    TAT | FOLDED | debt of worker 0, 1, ... | calls of worker 0, 1, ...

Rate is GCRA (the leaky bucket as a clock): TAT, the theoretical arrival time, moves on by one interval a request and
may run ahead of now by one window, so the burst is the limit itself. TAT and FOLDED change only under the slot's
lock. A worker that does not get the lock in time decides on what it sees and adds the interval to its own debt, which
only it writes and which never shrinks; whoever next holds the lock moves what is not FOLDED yet into TAT.

Concurrency takes no lock. A worker announces a call in its own cell, then sums all cells: of two workers that race,
the one that announced later sees the other's announcement. It turns the announcement into a call or takes it back.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import sys
import threading
import time
from mmap import mmap
from pathlib import Path
from typing import Final, Literal

import msgspec

CAPACITY: Final = 1_048_576  # keys; untouched slots cost no memory
WINDOW_NS: Final = 60_000_000_000
PATIENCE_NS: Final = 200_000

_TAT: Final = 0
_FOLDED: Final = 1
_DEBTS: Final = 2
_ANNOUNCED: Final = 1 << 32  # in a cell of calls: bits from 32 up count announcements, the lower ones calls
_CALLS: Final = _ANNOUNCED - 1
_INT64: Final = 8
_CONCURRENCY_RETRY_NS: Final = 1_000_000_000  # nobody knows when a call will end: come back in a second

_STRIPES: Final = 256  # bytes of the lock file that slots share: enough that two keys seldom meet
_TAKEN: Final = frozenset({errno.EAGAIN, errno.EACCES})


def _flocks(kind: int) -> tuple[bytes, ...]:
    """`struct flock` of 64-bit Linux for each stripe: type, whence, start, length, pid (0 for OFD locks)."""
    layout = struct.Struct("@hhqqi4x")
    return tuple(layout.pack(kind, os.SEEK_SET, stripe, 1, 0) for stripe in range(_STRIPES))


_LOCK: Final = _flocks(fcntl.F_WRLCK)
_UNLOCK: Final = _flocks(fcntl.F_UNLCK)


class Verdict(msgspec.Struct, frozen=True):
    """`limit`, `remaining` and `reset_ns` (until the whole limit is free again) speak of requests per minute, or of
    calls at once where `which` says "concurrency"; `limit` is 0 where there is no limit. `which` is what refused."""

    allowed: bool
    limit: int = 0
    remaining: int = 0
    reset_ns: int = 0
    retry_after_ns: int = 0
    which: Literal["", "requests", "concurrency"] = ""


_UNLIMITED = Verdict(allowed=True)


def size(workers: int) -> int:
    """Bytes of the map for so many workers."""
    return (_header_cells(workers) + CAPACITY * _stride(workers)) * _INT64


def _header_cells(workers: int) -> int:
    """One cell a worker: one more than the highest slot it ever touched. Then SOLE, which says that one worker decides
    alone, and OWING, which says that a debt was ever posted. Whole cache lines, so that slots begin at one."""
    return -(-(workers + 2) // 8) * 8


def _stride(workers: int) -> int:
    return _DEBTS + 2 * workers


class Limits:
    """The limits as worker `worker` of `workers` sees them. Belongs to one thread.

    `lock_missed` counts the rate decisions that were taken without the lock. Each may let pass, at that moment, what
    another worker let pass in the same microseconds; the next decision under the lock makes up for it.
    """

    def __init__(
        self, buffer: mmap | bytearray, worker: int, workers: int, lock_path: Path, patience_ns: int = PATIENCE_NS
    ) -> None:
        self._bytes = memoryview(buffer).cast("B")
        self._cells = self._bytes.cast("q")
        # One call reads a run of cells; native layout, so that each cell is read whole.
        self._load_calls = struct.Struct(f"{workers}q").unpack_from
        self._load_rate = struct.Struct(f"{_DEBTS + workers}q").unpack_from
        self._worker = worker
        self._workers = workers
        self._stride = _stride(workers)
        self._first = _header_cells(workers)
        self._calls = _DEBTS + workers
        self._own_calls = _DEBTS + workers + worker
        self._touched = self._cells[worker]
        self._sole = workers
        self._owing = workers + 1
        self._keeps_company = False
        self._patience_ns = patience_ns
        barrier = threading.Lock()
        self._acquire, self._release = barrier.acquire, barrier.release
        # A descriptor of its own: OFD locks belong to it, POSIX locks vanish when any descriptor of the file closes.
        self._lock = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.lock_missed = 0

    def admit(self, slot: int, requests_per_minute: int | None, concurrency: int | None, now_ns: int) -> Verdict:
        """Count a call in, or refuse it and leave no trace. Every allowed call is ended by one `leave`.

        `now_ns` is a clock that all workers share (`time.monotonic_ns()`).
        """
        cells = self._cells
        base = self._first + slot * self._stride
        own = base + self._own_calls
        if slot >= self._touched:
            self._touched = cells[self._worker] = slot + 1
        alone = self._workers == 1 or (cells[self._sole] and not self._keeps_company)  # is_sole, a frame less
        if concurrency is None:
            cells[own] += 1  # counted all the same: a limit may be set while calls run
        elif not alone:
            if not self._join(base, concurrency):
                return _too_many(concurrency)
        elif (calls := cells[own]) < concurrency:
            cells[own] = calls + 1
        else:
            return _too_many(concurrency)
        if requests_per_minute is None:
            return _UNLIMITED
        if alone:
            verdict, cells[base + _TAT] = _decide(cells[base + _TAT], requests_per_minute, now_ns)
        else:
            verdict = self._spend(base, slot, requests_per_minute, now_ns)
        if not verdict.allowed:
            cells[own] -= 1
        return verdict

    def leave(self, slot: int) -> None:
        """The call is over."""
        self._cells[self._first + slot * self._stride + self._own_calls] -= 1

    def calls(self, slot: int) -> int:
        """Calls of this key that run now, on all workers."""
        return self._sum(self._first + slot * self._stride) & _CALLS

    def zero_worker(self, worker: int) -> None:
        """Worker `worker` is dead and its successor not yet born: its calls are over. Its debts stay owed."""
        touched = self._cells[worker]
        first = self._first + self._calls + worker
        for cell in range(first, first + touched * self._stride, self._stride):
            self._cells[cell] = 0

    def keep_company(self) -> None:
        """From now on another worker may decide beside this one, for as long as this one lives: said before it can."""
        self._keeps_company = True

    @property
    def is_sole(self) -> bool:
        """Whether this worker decides without a lock."""
        return self._workers == 1 or bool(self._cells[self._sole] and not self._keeps_company)

    def set_sole(self, *, sole: bool) -> None:
        """Whether exactly one worker lives and no other is about to: it needs no lock then. Said by who starts them.

        A debt that is not folded yet is seen only under the lock: once one was posted, no worker is sole again."""
        self._cells[self._sole] = int(sole and not self._cells[self._owing])

    def close(self) -> None:
        self._cells.release()
        self._bytes.release()
        os.close(self._lock)

    # --- concurrency ---

    def _sum(self, base: int) -> int:
        return sum(self._load_calls(self._bytes, (base + self._calls) * _INT64))

    def _join(self, base: int, limit: int) -> bool:
        cells = self._cells
        own = base + self._own_calls
        calls = cells[own]
        cells[own] = calls + _ANNOUNCED
        # A locked instruction: without one a processor may read the others' cells before its own is seen.
        self._acquire()
        self._release()
        seen = self._sum(base)
        joined = (seen & _CALLS) + (seen >> 32) <= limit or self._wins_tie(base, limit, seen)
        cells[own] = calls + 1 if joined else calls
        return joined

    def _wins_tie(self, base: int, limit: int, seen: int) -> bool:
        """Calls and announcements together are too many. Whoever sees a lower worker's announcement gives way; the
        lowest looks again until the others have, or for as long as its patience lasts."""
        calls = base + self._calls
        lower = range(calls, calls + self._worker)
        until = 0
        while (seen & _CALLS) < limit:
            if any(self._cells[cell] >= _ANNOUNCED for cell in lower):
                return False
            now = time.perf_counter_ns()
            until = until or now + self._patience_ns
            if now > until:
                return False  # the other was put to sleep with its announcement up
            seen = self._sum(base)
            if (seen & _CALLS) + (seen >> 32) <= limit:
                return True
        return False

    # --- rate ---

    def _spend(self, base: int, slot: int, limit: int, now: int) -> Verdict:
        cells = self._cells
        locked = self._try_lock(slot) or self._keep_trying(slot)
        tat, folded, *debts = self._load_rate(self._bytes, base * _INT64)
        owed = sum(debts)
        if owed > folded:
            # When they were incurred is not known: as of now, which can only refuse too much, and only once.
            tat = max(tat, now) + owed - folded
        verdict, tat = _decide(tat, limit, now)
        if locked:
            cells[base + _TAT] = tat
            cells[base + _FOLDED] = owed
            self._unlock(slot)
        else:
            self.lock_missed += 1
            if verdict.allowed:
                cells[self._owing] = 1
                cells[base + _DEBTS + self._worker] += WINDOW_NS // limit
        return verdict

    def _keep_trying(self, slot: int) -> bool:
        until = time.perf_counter_ns() + self._patience_ns
        while time.perf_counter_ns() < until:
            if self._try_lock(slot):
                return True
        return False

    if sys.platform == "linux":

        def _try_lock(self, slot: int) -> bool:
            try:
                fcntl.fcntl(self._lock, fcntl.F_OFD_SETLK, _LOCK[slot % _STRIPES])
            except OSError as error:
                if error.errno not in _TAKEN:
                    raise
                return False
            return True

        def _unlock(self, slot: int) -> None:
            fcntl.fcntl(self._lock, fcntl.F_OFD_SETLK, _UNLOCK[slot % _STRIPES])

    else:

        def _try_lock(self, slot: int) -> bool:
            try:
                fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, slot % _STRIPES)
            except OSError as error:
                if error.errno not in _TAKEN:
                    raise
                return False
            return True

        def _unlock(self, slot: int) -> None:
            fcntl.lockf(self._lock, fcntl.LOCK_UN, 1, slot % _STRIPES)


def _too_many(limit: int) -> Verdict:
    return Verdict(False, limit, 0, 0, _CONCURRENCY_RETRY_NS, "concurrency")


def _decide(tat: int, limit: int, now: int) -> tuple[Verdict, int]:
    """GCRA: the verdict, and the TAT that follows from it."""
    if limit <= 0:
        return Verdict(False, 0, 0, WINDOW_NS, WINDOW_NS, "requests"), tat
    interval = WINDOW_NS // limit
    window = interval * limit
    ahead = tat - now if tat > now else 0
    after = ahead + interval
    if after > window:
        return Verdict(False, limit, 0, ahead, after - window, "requests"), tat
    return Verdict(True, limit, (window - after) // interval, after), now + after
