"""A process of the generator, spoken to in its own frames."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from time import monotonic_ns

import msgspec
import uvloop

from gateline.bench.plan import Go, Plan, Ready, Tick
from gateline.bench.tally import Tally
from gateline.fake.script import Script
from gateline.fake.server import FakeProvider
from gateline.wire.frames import FrameReader, frame

STREAMS, TOKENS = 100, 300


def test_nothing_is_lost_when_the_command_reads_late() -> None:
    """More than a pipe holds waits in the worker, which ends only when all of it has been read."""

    async def story() -> None:
        async with FakeProvider(Script(tokens=TOKENS, tps=1000)) as fake:
            with start() as worker:
                assert worker.stdin is not None
                assert worker.stdout is not None
                worker.stdin.write(frame(msgspec.msgpack.encode(plan(fake.url))))
                worker.stdin.write(frame(msgspec.msgpack.encode(Go(monotonic_ns()))))
                worker.stdin.flush()
                async with asyncio.timeout(60):
                    while fake.invoice.totals.finished < STREAMS or fake.open_connections:  # noqa: ASYNC110  another process decides
                        await asyncio.sleep(0.01)
                said = await asyncio.to_thread(worker.stdout.read)
                assert worker.wait(20) == 0
        messages = [msgspec.msgpack.decode(each, type=Ready | Tick) for each in FrameReader().feed(said)]
        assert messages[0] == Ready()
        tally = Tally()
        for message in messages[1:]:
            assert isinstance(message, Tick)
            tally.add(0, message)
        assert (tally.done, tally.failed, tally.events) == (STREAMS, 0, STREAMS * (TOKENS + 3))
        assert len(said) > 65_536 + 32_768
        assert isinstance(messages[-1], Tick)
        assert messages[-1].is_last

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(story())


def start() -> subprocess.Popen[bytes]:
    """With a bare pipe: nothing is read until the test reads."""
    command = [sys.executable, "-m", "gateline.bench.worker"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def plan(url: str) -> Plan:
    return Plan(
        url=url,
        key="k",
        model="m",
        kind="stream",
        connections=STREAMS,
        prompt_tokens=1,
        max_tokens=TOKENS,
        requests=STREAMS,
    )
