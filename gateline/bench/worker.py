"""A process of the generator: `python -m gateline.bench.worker`. Frames in on stdin, frames out on stdout.

The load has a process to itself, so that drawing a table never delays a request.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import ssl
import sys
from typing import BinaryIO

import msgspec
import uvloop

from gateline.bench.duel import Duel
from gateline.bench.load import Load
from gateline.bench.plan import Go, Plan, Ready
from gateline.bench.record import Recorder
from gateline.wire.frames import frame

_TICK = 0.25  # seconds between two reports


def main() -> None:
    plan = msgspec.msgpack.decode(_read_frame(sys.stdin.buffer), type=Plan)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_work(plan))


def _read_frame(file: BinaryIO) -> bytes:
    """Raises EOFError when the command is gone."""
    prefix = file.read(4)
    payload = file.read(int.from_bytes(prefix, "big"))
    if len(prefix) < 4 or not payload:
        raise EOFError("the command ended")
    return payload


class _Pipe(asyncio.BaseProtocol):
    """Knows when the pipe to the command has been closed, which is after the last byte has left."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()


async def _work(plan: Plan) -> None:
    out, pipe = await asyncio.get_running_loop().connect_write_pipe(_Pipe, sys.stdout.buffer)
    try:
        await _report(plan, out)
    finally:
        out.close()
        await pipe.closed.wait()


async def _report(plan: Plan, out: asyncio.WriteTransport) -> None:
    loop = asyncio.get_running_loop()

    def tell(message: msgspec.Struct) -> None:
        out.write(frame(msgspec.msgpack.encode(message)))

    recorder = Recorder()
    load = Duel(plan, recorder) if plan.against is not None else Load(plan, recorder)
    try:
        await load.prepare()
    except (OSError, ssl.SSLError) as error:
        tell(Ready(f"cannot connect to {plan.url}: {error}"))
        return
    tell(Ready())
    go = msgspec.msgpack.decode(await loop.run_in_executor(None, _read_frame, sys.stdin.buffer), type=Go)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, load.stop)

    def abandoned() -> None:
        """The command's end closes stdin: a generator that nobody reads from must not run on."""
        loop.remove_reader(sys.stdin.fileno())
        load.stop()

    loop.add_reader(sys.stdin.fileno(), abandoned)
    gc.collect()
    gc.freeze()
    running = asyncio.create_task(load.run(go.at_ns))
    while not running.done():
        await asyncio.wait([running], timeout=_TICK)
        if not running.done():
            tell(recorder.tick(running=load.running))
    running.result()
    loop.remove_reader(sys.stdin.fileno())
    tell(recorder.tick(running=0, last=True))


if __name__ == "__main__":
    main()
