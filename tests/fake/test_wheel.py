"""The wheel: everybody's turn once a revolution, from one timer."""

from __future__ import annotations

import asyncio

from gateline.fake.wheel import Wheel


class Rider:
    def __init__(self, turns: int, over: asyncio.Event) -> None:
        self.left = turns
        self.over = over
        self.after_leaving = 0

    def turn(self) -> bool:
        if self.left == 0:
            self.after_leaving += 1
        self.left -= 1
        if self.left == 0:
            self.over.set()
        return self.left > 0


def test_every_rider_gets_its_turns_and_no_more() -> None:
    """A rider that says False is never asked again; the wheel starts again for one that comes later."""

    async def story() -> None:
        wheel = Wheel(0.004)
        for _ in range(2):
            events = [asyncio.Event() for _ in range(20)]
            riders = [Rider(1 + index % 5, event) for index, event in enumerate(events)]
            for rider in riders:
                wheel.join(rider)
                await asyncio.sleep(0)
            async with asyncio.timeout(20):
                for event in events:
                    await event.wait()
            assert [rider.left for rider in riders] == [0] * 20
            assert all(rider.after_leaving == 0 for rider in riders)

    asyncio.run(story())
