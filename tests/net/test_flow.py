from __future__ import annotations

from collections.abc import Callable

import pytest

from gateline.net.flow import Flow

Log = list[str]


def crash(error: BaseException) -> None:
    raise AssertionError("no crash is expected here") from error


def test_a_flow_runs_until_it_parks_and_goes_on_when_woken() -> None:
    """`start` runs to the first park, each `wake` to the next, and the end is seen."""
    log: Log = []

    async def work() -> None:
        for step in ("one", "two"):
            log.append(step)
            await Flow.park()
        log.append("end")

    flow = Flow(crash)
    assert flow.is_done
    flow.start(work())
    assert (log, flow.is_done) == (["one"], False)
    flow.wake()
    flow.wake()
    assert (log, flow.is_done) == (["one", "two", "end"], True)
    flow.wake()
    assert log == ["one", "two", "end"]
    assert flow.busy > 0


def test_a_wake_from_inside_is_not_lost() -> None:
    """A flow that is woken while it runs looks once more before it waits: the change may have come after its look."""
    state = {"ready": False}

    async def work() -> None:
        while not state["ready"]:
            set_ready()
            await Flow.park()

    def set_ready() -> None:
        state["ready"] = True
        flow.wake()

    flow = Flow(crash)
    flow.start(work())
    assert flow.is_done


def test_two_flows_may_wake_each_other() -> None:
    """A wake in the middle of another flow's run comes back to it, without recursion into itself."""
    log: Log = []
    flows: list[Flow] = [Flow(crash), Flow(crash)]

    async def work(own: int) -> None:
        for turn in range(3):
            log.append(f"{own}{turn}")
            flows[1 - own].wake()
            await Flow.park()

    flows[0].start(work(0))
    flows[1].start(work(1))
    while not all(flow.is_done for flow in flows):
        for flow in flows:
            flow.wake()
    assert sorted(log) == ["00", "01", "02", "10", "11", "12"]


def test_a_crash_is_reported_and_ends_the_flow() -> None:
    """What a coroutine raises reaches `on_crash`, not the callback that woke it, and never again."""
    seen: list[BaseException] = []

    async def work() -> None:
        await Flow.park()
        raise ZeroDivisionError

    flow = Flow(seen.append)
    flow.start(work())
    flow.wake()
    flow.wake()
    assert [type(error) for error in seen] == [ZeroDivisionError]
    assert flow.is_done


def test_close_runs_what_must_run_and_nothing_else() -> None:
    """A closed flow runs its `finally` blocks where it waits, and nothing behind them."""
    log: Log = []

    async def work() -> None:
        try:
            await Flow.park()
            log.append("never")
        except Exception:  # noqa: BLE001 - being closed is none of these, which is what is tested
            log.append("caught")
        finally:
            log.append("finally")
        log.append("behind")

    flow = Flow(crash)
    flow.start(work())
    flow.close()
    assert (log, flow.is_done) == (["finally"], True)
    flow.wake()
    flow.close()
    assert log == ["finally"]


@pytest.mark.parametrize("wake", [Flow.wake, Flow.close])
def test_a_flow_that_was_never_started_is_done(wake: Callable[[Flow], None]) -> None:
    """Waking or closing nothing does nothing."""
    flow = Flow(crash)
    wake(flow)
    assert flow.is_done
