"""What changes by itself under a configuration that nobody changed: prices at their dates, and providers' lists.

Takes such a change by a reload, so that it reaches workers as any other does. A file that was edited and not reloaded
yet stays unread: then the change waits for whoever reloads it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import structlog

from gateline.control.catalogue.live import NoList, live_list
from gateline.control.compile import TooManyRows, provider_of
from gateline.control.config import Config, load
from gateline.control.configuration import Configuration
from gateline.control.lists import address_of, keep_lists, read_lists
from gateline.control.mistakes import ConfigMistakes
from gateline.net.egress import EgressPolicy
from gateline.providers.table import TABLE
from gateline.store.datadir import DataDir

_LONGEST_SLEEP = 300.0  # seconds: a clock that was set, or a machine that slept, is noticed by then


class Renewal:
    """`reload` takes the file into force, or raises why not and changes nothing."""

    def __init__(
        self,
        path: Path | None,
        data_dir: DataDir,
        configuration: Configuration,
        reload: Callable[[], Awaitable[None]],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._data_dir = data_dir
        self._configuration = configuration
        self._reload = reload
        self._now = now
        self._asked = asyncio.Event()
        self._is_reloading = False
        self._passed = 0  # the change of prices that could not be taken: it is not tried for ever

    def ask(self) -> None:
        """Somebody reloaded: providers are asked for their lists again."""
        if not self._is_reloading:
            self._asked.set()

    async def run(self) -> None:
        """Never returns."""
        self._asked.set()
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), _LONGEST_SLEEP if (left := self._left()) is None else left)
            if self._asked.is_set():
                self._asked.clear()
                await self._look()
            elif self._left() == 0.0:
                self._passed = self._configuration.snapshot.prices_until
                await self._take("prices_changed")

    def _left(self) -> float | None:
        """Seconds until prices change, at most a sleep; None when no change is announced."""
        until = self._configuration.snapshot.prices_until
        if not until or until == self._passed:
            return None
        return min(max(until - self._now(), 0.0), _LONGEST_SLEEP)

    async def _look(self) -> None:
        """Asks every provider with `models: auto` at once; what they say is kept, and taken if it is new."""
        try:
            config = await asyncio.to_thread(load, self._path)
        except ConfigMistakes:
            return  # the log has said so
        known = read_lists(self._data_dir)
        lists = await _lists(config, known)
        if all(set(models) == set(known.get(address, ())) for address, models in lists.items()):
            return
        try:
            keep_lists(self._data_dir, lists)
        except OSError as error:
            structlog.get_logger().error("model_lists_not_kept", cause=error.strerror)
            return
        await self._take("model_lists_changed")

    async def _take(self, event: str) -> None:
        if not await asyncio.to_thread(self._configuration.is_unedited):
            remedy = "the configuration was edited: reload it, then this is taken as well"
            structlog.get_logger().warning(event, remedy=remedy)
            return
        self._is_reloading = True
        try:
            await self._reload()
        except (ConfigMistakes, TooManyRows, OSError) as error:
            structlog.get_logger().error(event, not_taken=str(error)[:300])
        else:
            structlog.get_logger().info(event, snapshot=self._configuration.version)
        finally:
            self._is_reloading = False


async def _lists(config: Config, known: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """By address. A provider that gives none now keeps the list it gave before, where it did."""
    providers = [provider_of(name, each) for name, each in config.providers.items() if each.models == "auto"]
    egress = EgressPolicy(config.egress.allow)
    answers = await asyncio.gather(
        *(live_list(provider, TABLE[provider.kind], egress) for provider in providers), return_exceptions=True
    )
    lists: dict[str, tuple[str, ...]] = {}
    for provider, answer in zip(providers, answers, strict=True):
        address = address_of(provider)
        if isinstance(answer, tuple):
            lists[address] = answer
            continue
        if not isinstance(answer, NoList):
            raise answer
        if address in known:
            lists[address] = known[address]
        using = "its last list" if address in known else "the catalogue"
        structlog.get_logger().warning("no_model_list", provider=provider.name, cause=str(answer), using=using)
    return lists
