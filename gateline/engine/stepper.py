"""The thread that drives a model: admits what waits, steps, hands the harvest to the event loop, and again.

A step holds the interpreter lock for most of its length, so the event loop lives between steps. After each one this
thread stands still until the loop has delivered the parts and has polled its sockets once ("the turn"): without that,
the two would race for the lock and a cancellation could wait for many steps.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TypeVar

import msgspec

from gateline.engine.refusal import Refused
from gateline.engine.work import Model, Part

WAITING_LIMIT = 256
WAITING_BYTES = 64 * 1024 * 1024

Deliver = Callable[[list[Part]], None]
Broken = Callable[[BaseException], None]
Argument = TypeVar("Argument")


class _Waiting(msgspec.Struct):
    key: int
    path: str
    body: bytes
    since: int


class _Running(msgspec.Struct):
    queue: int
    cpu: int = 0


class Stepper:
    """`submit` and `cancel` are called on the event loop's thread, `deliver` and `broken` are called back there.

    `broken` gets what a step raised, after every open request has been given its last part: the model is lost.
    """

    def __init__(self, model: Model, deliver: Deliver, broken: Broken, *, waiting_limit: int = WAITING_LIMIT) -> None:
        self._model = model
        self._deliver = deliver
        self._broken = broken
        self._waiting_limit = waiting_limit
        self._loop = asyncio.get_running_loop()
        self._wake = threading.Condition()
        self._turn = threading.Event()
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._cancelled: set[int] = set()
        self._running: dict[int, _Running] = {}
        self._stopping = False
        self.batch = 0
        self._thread = threading.Thread(target=self._drive, name="stepper", daemon=True)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def running(self) -> int:
        return len(self._running)

    def start(self) -> None:
        self._thread.start()

    def submit(self, key: int, path: str, body: bytes) -> bool:
        """False: the queue is full, try later."""
        with self._wake:
            if len(self._waiting) >= self._waiting_limit or self._waiting_bytes + len(body) > WAITING_BYTES:
                return False
            self._waiting.append(_Waiting(key, path, body, time.monotonic_ns()))
            self._waiting_bytes += len(body)
            self._wake.notify()
        return True

    def cancel(self, key: int) -> None:
        """The request ends before the next step is computed; its last part says so."""
        with self._wake:
            self._cancelled.add(key)
            self._wake.notify()

    def stop(self) -> None:
        """Ends the thread after the step it is in. What is open gets no further part."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._turn.set()

    # --- the stepper's own thread ----------------------------------------------------------------------------------

    def _drive(self) -> None:
        while True:
            taken = self._take()
            if taken is None:
                return
            cancelled, admitted = taken
            parts = [part for key in cancelled if (part := self._drop(key)) is not None]
            parts += [part for waiting in admitted if (part := self._admit(waiting)) is not None]
            # Before the step: who was cancelled or refused must not wait for the tokens of others.
            if parts and not self._hand_over(parts):
                return
            parts = []
            if self._running:
                try:
                    parts = self._step()
                except Exception as error:  # noqa: BLE001 - a vendor's native code: whatever it raises, its state is lost
                    self._hand_over(self._fail_all())
                    self._call(self._broken, error)
                    return
            if not self._hand_over(parts):
                return

    def _take(self) -> tuple[list[int], list[_Waiting]] | None:
        """Blocks until there is something to do. None: stop."""
        with self._wake:
            while not (self._stopping or self._waiting or self._cancelled or self._running):
                self._wake.wait()
            if self._stopping:
                return None
            ended = [waiting for waiting in self._waiting if waiting.key in self._cancelled]
            for waiting in ended:
                self._waiting.remove(waiting)
                self._waiting_bytes -= len(waiting.body)
                self._running[waiting.key] = _Running(time.monotonic_ns() - waiting.since)
            held = sum(1 for key in self._running if key not in self._cancelled)
            room = max(self._model.capacity - held, 0)
            cancelled, self._cancelled = list(self._cancelled), set()
            admitted = [self._waiting.popleft() for _ in range(min(room, len(self._waiting)))]
            self._waiting_bytes -= sum(len(waiting.body) for waiting in admitted)
            return cancelled, admitted

    def _drop(self, key: int) -> Part | None:
        if key not in self._running:
            return None
        self._model.cancel(key)
        return self._end(Part(key, last=True, error="cancelled"))

    def _admit(self, waiting: _Waiting) -> Part | None:
        started = time.thread_time_ns()
        running = self._running[waiting.key] = _Running(time.monotonic_ns() - waiting.since)
        try:
            self._model.admit(waiting.key, waiting.path, waiting.body)
        except Refused as refused:
            return self._refuse(waiting.key, refused)
        except Exception as error:  # noqa: BLE001 - one request's task boundary: a poisonous one must fail alone
            name = type(error).__name__
            return self._refuse(waiting.key, Refused(f"the local model failed on this request ({name})", status=500))
        finally:
            running.cpu += time.thread_time_ns() - started
        return None

    def _refuse(self, key: int, refused: Refused) -> Part:
        part = Part(key, refused.body(), refused.status, retry_after=refused.retry_after, last=True)
        return self._end(part)

    def _step(self) -> list[Part]:
        # Of the process: a model computes in threads of its own, and the event loop stands still meanwhile.
        started = time.process_time_ns()
        step = self._model.step()
        spent = time.process_time_ns() - started
        self.batch = step.batch
        whole = sum(step.load.values()) or 1
        for key, weight in step.load.items():
            self._running[key].cpu += spent * weight // whole
        return [self._end(part) if part.last else part for part in step.parts]

    def _end(self, part: Part) -> Part:
        running = self._running.pop(part.key)
        part.queue, part.cpu = running.queue, running.cpu
        return part

    def _fail_all(self) -> list[Part]:
        with self._wake:
            for waiting in self._waiting:
                self._running[waiting.key] = _Running(time.monotonic_ns() - waiting.since)
            self._waiting.clear()
            self._waiting_bytes = 0
        return [self._end(Part(key, last=True, error="the local model failed")) for key in list(self._running)]

    def _hand_over(self, parts: list[Part]) -> bool:
        """Waits for the loop's turn. False: the loop is gone or we are to stop."""
        self._turn.clear()
        if self._stopping or not self._call(self._give_turn, parts):
            return False
        self._turn.wait()
        return True

    def _call(self, function: Callable[[Argument], None], argument: Argument) -> bool:
        try:
            self._loop.call_soon_threadsafe(function, argument)
        except RuntimeError:  # the loop is closed: the process is ending
            return False
        return True

    # --- the event loop's thread -------------------------------------------------------------------------------------

    def _give_turn(self, parts: list[Part]) -> None:
        try:
            self._deliver(parts)
        finally:
            # Run in the loop's next round: it polls every socket between this call and that one.
            self._loop.call_soon(self._turn.set)
