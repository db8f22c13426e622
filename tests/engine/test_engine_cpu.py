"""What a request is charged: the CPU time of the whole step, in whichever thread the model spends it."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

from gateline.engine.work import Step
from tests.engine.peer import Scripted, join, serving

SPENT_NS = 20_000_000


class Threaded(Scripted):
    """Computes in a thread of its own, as native libraries do, until that thread has spent `SPENT_NS`."""

    def step(self) -> Step:
        thread = threading.Thread(target=_spend)
        thread.start()
        thread.join()
        return super().step()


def _spend() -> None:
    until = time.thread_time_ns() + SPENT_NS
    while time.thread_time_ns() < until:
        pass


def test_the_cpu_of_a_models_own_threads_is_charged(tmp_path: Path) -> None:
    async def story() -> None:
        async with serving(tmp_path / "e.sock", Threaded()):
            peer = await join(tmp_path / "e.sock")
            reply = await peer.call(1, "/work", {"steps": 2})
            assert reply.end.cpu >= 2 * SPENT_NS

    asyncio.run(story())
