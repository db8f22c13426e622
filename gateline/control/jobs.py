"""Work that is done again and again beside everything else, each kind in a thread, never twice at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from gateline.control.complaint import Complaint


def always() -> bool:
    return True


async def repeat(name: str, seconds: float, work: Callable[[], object], is_due: Callable[[], bool] = always) -> None:
    """Runs `work` in a thread every `seconds`, for ever; a failure is logged at a bounded rate and tried again.

    `is_due` is asked before each run and must cost next to nothing: False skips it. After a failure nobody is asked.
    """
    await repeat_async(name, seconds, lambda: asyncio.to_thread(work), is_due)


async def repeat_async(
    name: str, seconds: float, work: Callable[[], Awaitable[object]], is_due: Callable[[], bool] = always
) -> None:
    complaint = Complaint(f"{name}_failed")
    failing = False
    while True:
        if is_due() or failing:
            failing = True
            try:
                await work()
            except Exception as error:  # noqa: BLE001 a task's boundary: a database that is away must not end the job
                complaint.failed(error)
            else:
                complaint.went_well()
                failing = False
        await asyncio.sleep(seconds)
