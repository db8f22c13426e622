"""Repeated work: a failure ends nothing, is said once, and its end is said too."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from gateline.control.complaint import Complaint
from gateline.control.jobs import repeat, repeat_async

DEADLINE = 10.0


def test_a_failing_job_goes_on_and_complains_once() -> None:
    done = asyncio.Event()
    calls: list[int] = []

    async def work() -> None:
        calls.append(1)
        if len(calls) < 5:
            raise OSError("the disk is away")
        done.set()

    async def run() -> None:
        task = asyncio.ensure_future(repeat_async("work", 0, work))
        async with asyncio.timeout(DEADLINE):
            await done.wait()
            while "work_failed_over" not in [entry["event"] for entry in logs]:  # noqa: ASYNC110 the log has no event
                await asyncio.sleep(0)
        task.cancel()

    with capture_logs() as logs:
        asyncio.run(run())
    assert [(entry["event"], entry["failures"]) for entry in logs] == [("work_failed", 1), ("work_failed_over", 4)]


def test_a_job_in_a_thread_is_never_run_twice_at_once() -> None:
    running: list[int] = []
    most: list[int] = []

    def work() -> None:
        running.append(1)
        most.append(len(running))
        running.pop()

    async def run() -> None:
        task = asyncio.ensure_future(repeat("work", 0, work))
        async with asyncio.timeout(DEADLINE):
            while len(most) < 20:  # noqa: ASYNC110 the thread counts
                await asyncio.sleep(0)
        task.cancel()

    asyncio.run(run())
    assert set(most) == {1}


def test_a_job_that_is_not_due_is_skipped_until_it_is() -> None:
    """Nothing runs while the look says no; after a failure the job runs again without asking."""
    answers = iter([False, False, True, False, False, False])
    ran: list[str] = []
    asked: list[bool] = []

    def is_due() -> bool:
        asked.append(next(answers, False))
        return asked[-1]

    async def work() -> None:
        ran.append(f"after {len(asked)}")
        if len(ran) < 3:
            raise OSError("the disk is away")

    async def run() -> None:
        task = asyncio.ensure_future(repeat_async("work", 0, work, is_due))
        async with asyncio.timeout(DEADLINE):
            while len(asked) < 20:  # noqa: ASYNC110 the job has no event for a run that is skipped
                await asyncio.sleep(0)
        task.cancel()

    with capture_logs():
        asyncio.run(run())
    assert ran == ["after 3", "after 4", "after 5"]


def test_a_complaint_is_repeated_at_most_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("gateline.control.complaint.time.monotonic", lambda: now[0])
    complaint = Complaint("away")
    with capture_logs() as logs:
        for _ in range(300):
            complaint.failed(OSError("locked\nsecond line"))
            now[0] += 1
        complaint.went_well()
        complaint.went_well()
    assert [entry["failures"] for entry in logs] == [1, 61, 121, 181, 241, 300]
    assert logs[0]["cause"] == "locked"
