"""The control process: feed first, since workers wait for it; then everything that is slow to import.

Composition only. It outlives a database that is away: the feed keeps beating, so workers keep the keys they know.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
from collections.abc import Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gateline.app.seat import Seat
from gateline.control.changes import Changes
from gateline.control.channel import Channel
from gateline.control.compile import TooManyRows
from gateline.control.configuration import Configuration
from gateline.control.mistakes import ConfigMistakes, Mistake
from gateline.control.roster import Roster

if TYPE_CHECKING:
    from gateline.app.control_parts import Parts

_RETRY_SECONDS = 1.0
_RUN_SECONDS = 2.0  # a reload waits for the workers, which take milliseconds, before it is said to have worked
_LATE_SECONDS = 60.0
_NICE = 5  # where cores are short, importing the ledger gives way to answering


def main(seat: Seat) -> None:
    """Runs until the supervisor says stop, closes its end of the channel, or SIGTERM; returns when all is imported.

    Raises ConfigMistakes when there is neither a good configuration nor a kept snapshot of an earlier one.
    """
    asyncio.run(_Control(seat).run())


class _Control:
    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        self._roster = Roster(seat.alive)
        self._configuration = Configuration(seat.config, seat.data_dir)
        self._changes = Changes(seat.data_dir.database, seat.data_dir.feed_socket)
        self._channel: Channel | None = None
        self._parts: Parts | None = None
        self._stopping = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        self._take_signals()
        self._publish()
        await self._changes.start()
        if self._seat.channel is not None:
            self._channel = await Channel.open(self._seat.channel)
            self._start(self._listen(self._channel))
        module = await asyncio.to_thread(importlib.import_module, "gateline.app.control_parts")
        parts: Parts = module.Parts(self._seat, self._configuration, self._changes, self._roster, self.reload)
        self._parts = parts
        parts.tokens.apply(self._configuration.snapshot)  # does not wait for a database that is away
        if self._configuration.is_pending:  # the file had changed under the running workers
            self._start(self._settle_late(self._configuration.version))
        if await self._opened(parts):
            await parts.start()
            os.nice(_NICE)  # not before: a start that engines outrun as they load would keep the first key waiting
            await self._stopping.wait()
        await self._close(parts)

    async def reload(self) -> None:
        """Takes the file as it is now into force, or raises what is wrong with it and changes nothing."""
        async with self._reloading:
            await asyncio.to_thread(self._configuration.reload)
            self._publish()
            if not await self._settled(_RUN_SECONDS):
                self._start(self._settle_late(self._configuration.version))
            if self._parts is not None:
                await asyncio.to_thread(self._parts.reloaded)
                self._parts.renewal.ask()
            self._tell("reloaded", version=self._configuration.version, engines=self._configuration.engines)

    def _publish(self) -> None:
        self._changes.feed.publish(self._configuration.version, self._configuration.encoded())
        if self._parts is not None:
            self._parts.tokens.apply(self._configuration.snapshot)

    async def _settled(self, seconds: float) -> bool:
        """Whether all workers run what was published, or something newer was; then it is kept for the next start.
        Raises ConfigMistakes when one refuses it, OSError when it cannot be kept: the last good one is in force again.
        """
        version, feed = self._configuration.version, self._changes.feed
        settled = await feed.running(version, self._roster.alive, seconds)
        if self._configuration.version != version:
            return True
        if reason := feed.refusal(version):
            self._withdraw()
            raise ConfigMistakes([Mistake(0, "", reason)])
        if settled.missing:
            return False
        try:
            await asyncio.to_thread(self._configuration.keep)
        except OSError:
            self._withdraw()
            raise
        return True

    def _withdraw(self) -> None:
        self._configuration.revert()
        self._publish()

    async def _settle_late(self, version: int) -> None:
        """For workers that take their time: one may be stopped, or be busy."""
        while self._configuration.is_pending and self._configuration.version == version:
            try:
                if await self._settled(_LATE_SECONDS):
                    return
            except (ConfigMistakes, OSError) as error:
                self._refuse(error)
                self._tell("reloaded", version=self._configuration.version, engines=self._configuration.engines)
                return

    def _take_signals(self) -> None:
        """Ctrl-C and a closing terminal reach the whole group: the supervisor alone decides what they mean."""
        loop = asyncio.get_running_loop()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        loop.add_signal_handler(signal.SIGTERM, self._stopping.set)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks = [task for task in self._tasks if not task.done()]
        self._tasks.append(asyncio.get_running_loop().create_task(work))

    def _tell(self, event: str, **fields: Any) -> None:
        if self._channel is not None:
            self._channel.send(event, **fields)

    async def _opened(self, parts: Parts) -> bool:
        """Opens the database, however long it is away; False when told to stop meanwhile."""
        while not self._stopping.is_set():
            try:
                token = await asyncio.to_thread(parts.open)
            except Exception as error:  # noqa: BLE001 a database can fail in every way: none may end the feed
                parts.away(error)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), _RETRY_SECONDS)
                continue
            if token is not None:
                self._tell("first_key", token=token)
            return True
        return False

    async def _listen(self, channel: Channel) -> None:
        async for event in channel.events():
            await self._heard(event)
        self._stopping.set()

    async def _heard(self, event: dict[str, Any]) -> None:
        match event.get("event"):
            case "reload":
                await self._reload_as_told()
            case "worker_died":
                self._roster.worker_died(int(event["worker"]))
                self._changes.feed.moved()
            case "worker_left":
                self._roster.worker_left(int(event["worker"]))
                self._changes.feed.moved()
            case "worker_started":
                self._roster.worker_started(int(event["worker"]))
            case "engines":
                self._roster.engines = dict(event.get("engines") or {})
            case "stop":
                self._stopping.set()
            case _:
                pass  # a newer supervisor may say more

    async def _reload_as_told(self) -> None:
        import structlog

        try:
            await self.reload()
        except (ConfigMistakes, TooManyRows, OSError) as error:
            self._refuse(error)
        else:
            structlog.get_logger().info("reloaded", version=self._configuration.version)

    def _refuse(self, error: Exception) -> None:
        import structlog

        found = error.mistakes if isinstance(error, ConfigMistakes) else [error]
        mistakes = [str(mistake) for mistake in found]
        structlog.get_logger().error("reload_refused", mistakes=mistakes, in_force=self._configuration.version)
        self._tell("reload_refused", mistakes=mistakes)

    async def _close(self, parts: Parts) -> None:
        await parts.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._changes.close()
        if self._channel is not None:
            await self._channel.close()
