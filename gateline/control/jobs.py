"""Work that is done again and again beside everything else, each kind in a thread, never twice at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from gateline.control.complaint import Complaint


async def repeat(name: str, seconds: float, work: Callable[[], object]) -> None:
    """Runs `work` in a thread every `seconds`, for ever; a failure is logged at a bounded rate and tried again."""
    await repeat_async(name, seconds, lambda: asyncio.to_thread(work))


async def repeat_async(name: str, seconds: float, work: Callable[[], Awaitable[object]]) -> None:
    complaint = Complaint(f"{name}_failed")
    while True:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 a task's boundary: a database that is away must not end the job
            complaint.failed(error)
        else:
            complaint.went_well()
        await asyncio.sleep(seconds)
