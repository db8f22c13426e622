"""A timer finer than the event loop's millisecond, for sending at decided times. Linux: timerfd; else the loop's."""

from __future__ import annotations

import asyncio
import ctypes
import os
import struct
import sys
from collections.abc import Callable

_CLOCK_MONOTONIC = 1
_TFD_NONBLOCK = 0o4000
_TFD_CLOEXEC = 0o2000000
_TFD_TIMER_ABSTIME = 1
_NS = 1_000_000_000


class Alarm:
    """Calls `ring` every `interval_ns` from `start_ns` (CLOCK_MONOTONIC) until stopped. Rings that the loop was too
    late for come as one."""

    def __init__(self, start_ns: int, interval_ns: int, ring: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._ring = ring
        self._interval = interval_ns / _NS
        self._fd = -1
        self._handle: asyncio.TimerHandle | None = None
        if sys.platform == "linux":
            self._fd = _timer(start_ns, interval_ns)
            self._loop.add_reader(self._fd, self._rang)
        else:
            self._handle = self._loop.call_later(self._interval, self._again)

    def stop(self) -> None:
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1
        if self._handle is not None:
            self._handle.cancel()

    def _rang(self) -> None:
        os.read(self._fd, 8)
        self._ring()

    def _again(self) -> None:
        self._handle = self._loop.call_later(self._interval, self._again)
        self._ring()


def _timer(start_ns: int, interval_ns: int) -> int:
    """Raises OSError. Through the C library, since `os.timerfd_create` came with Python 3.13."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd: int = libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK | _TFD_CLOEXEC)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "timerfd_create")
    times = struct.pack("@4l", *divmod(interval_ns, _NS), *divmod(max(start_ns, 1), _NS))
    if libc.timerfd_settime(fd, _TFD_TIMER_ABSTIME, times, None) != 0:
        os.close(fd)
        raise OSError(ctypes.get_errno(), "timerfd_settime")
    return fd
