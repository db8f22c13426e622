"""Key changes, from the database to the feed. Whoever wrote them, this process or another, each goes out in order."""

from __future__ import annotations

import asyncio
from pathlib import Path

from gateline.control.publish import Away, Feed
from gateline.store.sql.lookup import Answers, KeyReader, StoreAway


class Changes:
    """Two readers, since lookups and changes are read by two threads."""

    def __init__(self, database: Path, feed_socket: Path) -> None:
        self._lookups = KeyReader(database)
        self._changes = KeyReader(database)
        self._one_at_a_time = asyncio.Lock()
        self.feed = Feed(feed_socket, self._look_up)

    async def start(self) -> None:
        """Serves the feed. The changes made before this start are nobody's news."""
        try:
            self.feed.changed = await asyncio.to_thread(self._changes.last_change)
        except StoreAway:
            self.feed.changed = -1  # then all keys are announced when the database is back: much, but true
        await self.feed.start()

    async def push(self) -> None:
        """Announces every change that is not announced yet. Raises StoreAway."""
        async with self._one_at_a_time:
            while keys := await asyncio.to_thread(self._changes.changes_after, self.feed.changed):
                for key in keys:
                    self.feed.announce(key)
            self.feed.changed = max(self.feed.changed, 0)  # the store answers, if with nothing

    async def close(self) -> None:
        await self.feed.close()
        self._lookups.close()
        self._changes.close()

    def _look_up(self, hashes: list[bytes]) -> Answers:
        try:
            return self._lookups.by_hashes(hashes)
        except StoreAway as error:
            raise Away(str(error)) from error
