"""Runs one coroutine straight from the callbacks that feed it, without a Task and without a Future a wait.

A Task costs 1-2 µs and every Future another hop through the loop; a request would pay both several times. A flow's
coroutine waits in one way only, `await flow.park()`, and is resumed by `wake()` inside the callback in which something
changed. Waits are level-triggered: the coroutine looks at its own state, parks, and looks again.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from functools import partial
from itertools import repeat
from time import monotonic_ns
from typing import Any, cast


class _Park:
    """Awaiting it yields once. A generator would do the same for the price of two more frames a wait."""

    __slots__ = ()
    __await__ = cast("Callable[[_Park], Generator[None, None, None]]", staticmethod(partial(repeat, None, 1)))


class Flow:
    """One running coroutine. `woken` is when it was last resumed (monotonic nanoseconds), `busy` the time spent inside
    it before."""

    __slots__ = ("_again", "_coroutine", "_running", "busy", "on_crash", "woken")

    def __init__(self, on_crash: Callable[[BaseException], None]) -> None:
        self._coroutine: Coroutine[Any, None, None] | None = None
        self._running = False
        self._again = False
        self.busy = 0
        self.woken = 0
        self.on_crash = on_crash

    park = _Park

    @property
    def is_done(self) -> bool:
        return self._coroutine is None

    def start(self, coroutine: Coroutine[Any, None, None]) -> None:
        self._coroutine = coroutine
        self.wake()

    def wake(self) -> None:
        """Resumes the coroutine where it parked. Safe to call at any time, also from inside the coroutine itself."""
        coroutine = self._coroutine
        if coroutine is None:
            return
        if self._running:
            self._again = True
            return
        self._running = True
        self.woken = woken = monotonic_ns()
        try:
            coroutine.send(None)
            while self._again:
                self._again = False
                coroutine.send(None)
        except StopIteration:
            self._coroutine = None
        except BaseException as crash:  # noqa: BLE001 - the boundary of a request: a defect must not end the worker
            self._coroutine = None
            self.on_crash(crash)
        self._running = False
        self.busy += monotonic_ns() - woken

    def close(self) -> None:
        """Ends the coroutine where it waits: its `finally` blocks run, and nothing after them."""
        if self._coroutine is not None and not self._running:
            closing, self._coroutine = self._coroutine, None
            closing.close()
