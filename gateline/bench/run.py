"""A whole run: starts the worker processes, lets them go at one moment, adds up what they tell."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from asyncio.subprocess import Process
from time import monotonic_ns

import msgspec

from gateline.bench.display import REFRESH, Display
from gateline.bench.plan import Go, Plan, Ready, Tick, shares
from gateline.bench.tally import Tally
from gateline.wire.frames import frame

_LEAD_NS = 100_000_000  # from the last worker's readiness to the start: all have heard it by then
_DECODER: msgspec.msgpack.Decoder[Ready | Tick] = msgspec.msgpack.Decoder(Ready | Tick)
_BUFFER = 64 * 1024 * 1024


class RunFailed(Exception):
    """The run could not start, or a worker died; the message says which and why."""


async def run_bench(plan: Plan, processes: int, display: Display) -> tuple[Tally, float]:
    """Returns the tally and the seconds from the start to the last answer. Ends early, with what there is, on SIGINT
    or SIGTERM. Raises RunFailed."""
    workers = [await _start() for _ in range(processes)]
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _pass_on, workers)
    try:
        parts = shares(plan, processes)
        await asyncio.gather(*(_prepare(worker, part) for worker, part in zip(workers, parts, strict=True)))
        start_ns = monotonic_ns() + _LEAD_NS
        for worker in workers:
            _write(worker, Go(start_ns))
        return await _collect(workers, start_ns, display)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                worker.kill()
            await worker.wait()


async def _start() -> Process:
    command = (sys.executable, "-m", "gateline.bench.worker")
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, limit=_BUFFER)


async def _prepare(worker: Process, plan: Plan) -> None:
    _write(worker, plan)
    message = await _read(worker)
    if not isinstance(message, Ready):
        raise RunFailed("a worker spoke before it was ready")
    if message.error is not None:
        raise RunFailed(message.error)


async def _collect(workers: list[Process], start_ns: int, display: Display) -> tuple[Tally, float]:
    tally = Tally()

    async def follow(index: int, worker: Process) -> None:
        while True:
            message = await _read(worker)
            if isinstance(message, Tick):
                tally.add(index, message)
                if message.is_last:
                    return

    following = asyncio.gather(*(follow(index, worker) for index, worker in enumerate(workers)))
    while not following.done():
        await asyncio.wait([following], timeout=REFRESH)
        display.show(tally, max(monotonic_ns() - start_ns, 1) / 1e9)
    following.result()
    return tally, max(monotonic_ns() - start_ns, 1) / 1e9


def _write(worker: Process, message: msgspec.Struct) -> None:
    assert worker.stdin is not None
    worker.stdin.write(frame(msgspec.msgpack.encode(message)))


async def _read(worker: Process) -> Ready | Tick:
    assert worker.stdout is not None
    try:
        size = int.from_bytes(await worker.stdout.readexactly(4), "big")
        return _DECODER.decode(await worker.stdout.readexactly(size))
    except asyncio.IncompleteReadError:
        raise RunFailed("a worker of the generator died; its own message is above") from None


def _pass_on(workers: list[Process]) -> None:
    """A stop reaches workers that the terminal's signal did not."""
    for worker in workers:
        with contextlib.suppress(ProcessLookupError):
            worker.send_signal(signal.SIGTERM)
