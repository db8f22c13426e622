"""The log: ordered, bounded, awaitable."""

from __future__ import annotations

import asyncio

from gateline.fake.events import EventLog


def test_the_ring_forgets_and_says_so() -> None:
    """What fell off is counted as lost; counts by event stay exact."""
    log = EventLog(size=3)
    for number in range(5):
        log.add("chunk", 1, "a", number)
    assert [event.seq for event in log.since(0)] == [3, 4, 5]
    assert [event.seq for event in log.since(4)] == [5]
    assert log.since(5) == []
    assert (log.lost(0), log.lost(2), log.lost(4)) == (2, 0, 0)
    assert log.counts == {"chunk": 5}


def test_numbers_go_on_after_a_reset() -> None:
    """A reader's place stays true: nothing old comes again, nothing new is missed."""
    log = EventLog()
    log.add("accepted", 1, "a")
    log.clear()
    log.add("accepted", 2, "b")
    assert [event.seq for event in log.since(1)] == [2]


def test_wait_returns_when_something_happens() -> None:
    """Several waiters are woken by the event, not by the time."""

    async def story() -> None:
        log = EventLog()
        waiters = [asyncio.create_task(log.wait(0, 30)) for _ in range(3)]
        await asyncio.sleep(0)
        log.add("accepted", 1, "a")
        for events in await asyncio.gather(*waiters):
            assert [event.id for event in events] == ["a"]
        assert await log.wait(1, 0) == []

    asyncio.run(story())
