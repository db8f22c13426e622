from __future__ import annotations

import asyncio
import re
from time import monotonic_ns, time_ns

from gateline.net.clock import Clock
from tests.net.transport import on_loop, until


@on_loop
async def test_hooks_run_at_every_tick_with_its_time() -> None:
    """Each hook gets the tick's time, in order; `now`, `date` and `epoch` are of that tick; `stop` ends it."""
    clock = Clock()
    ticks: list[float] = []
    seen: list[bool] = []
    clock.every_tick(ticks.append)
    clock.every_tick(lambda now: seen.append(now == clock.now))
    clock.start(asyncio.get_running_loop())
    await until(lambda: len(ticks) >= 3)
    clock.stop()
    assert ticks == sorted(set(ticks))
    assert all(seen)
    assert re.fullmatch(rb"date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n", clock.date)
    assert abs(monotonic_ns() + clock.epoch - time_ns()) < 10**9
    count = len(ticks)
    await asyncio.sleep(0)
    assert len(ticks) == count


@on_loop
async def test_a_hook_that_fails_does_not_stop_the_clock() -> None:
    """A defect in one hook is reported to the loop and the deadlines of everybody else go on."""
    loop = asyncio.get_running_loop()
    reported: list[dict[str, object]] = []
    loop.set_exception_handler(lambda _, context: reported.append(context))
    clock = Clock()
    ticks: list[float] = []

    def fail(now: float) -> None:
        ticks.append(now)
        if len(ticks) == 2:
            raise ZeroDivisionError

    clock.every_tick(fail)
    clock.start(loop)
    await until(lambda: len(ticks) >= 4)
    clock.stop()
    assert [type(context["exception"]) for context in reported] == [ZeroDivisionError]
