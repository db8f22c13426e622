"""Name resolution beside the path: answers are kept, refreshed in the background, and used while that runs."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field

from gateline.net.race import interleave

_FRESH = 30.0  # seconds an answer is used without asking again
_STALE = 600.0  # seconds an old answer still serves while the resolver is silent
_ENTRIES = 4_096
_ADDRESSES = 16  # of one name: what a connect may try


@dataclass(slots=True)
class _Answer:
    addresses: list[str]
    at: float
    refreshing: asyncio.Task[list[str]] | None = field(default=None)


class Resolver:
    """Caches `getaddrinfo`, which runs in the loop's thread pool. At most 4,096 names; the oldest goes first."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._answers: dict[str, _Answer] = {}
        self._asking: dict[str, asyncio.Task[list[str]]] = {}

    async def resolve(self, host: str) -> list[str]:
        """Addresses of `host`, best first, families in turns, at most 16. Raises OSError when there are none."""
        answer = self._answers.get(host)
        now = self._loop.time()
        if answer is None or now - answer.at > _STALE:
            # Shielded: one who stops waiting must not take the answer from the others.
            return await asyncio.shield(self._ask(host))
        if now - answer.at > _FRESH and answer.refreshing is None:
            answer.refreshing = self._ask(host)
            answer.refreshing.add_done_callback(lambda _: self._refreshed(answer))
        return answer.addresses

    def prefer(self, host: str, address: str) -> None:
        """The others before it did not answer in time: until the next look-up it comes first."""
        answer = self._answers.get(host)
        if answer is not None and address in answer.addresses:
            answer.addresses = [address, *(other for other in answer.addresses if other != address)]

    def _refreshed(self, answer: _Answer) -> None:
        answer.refreshing = None  # on failure the old answer goes on serving until it is stale

    def _ask(self, host: str) -> asyncio.Task[list[str]]:
        """One question a name at a time, however many ask."""
        task = self._asking.get(host)
        if task is None:
            task = self._asking[host] = self._loop.create_task(self._look_up(host))
            task.add_done_callback(lambda task: self._asked(host, task))
        return task

    def _asked(self, host: str, task: asyncio.Task[list[str]]) -> None:
        del self._asking[host]
        if not task.cancelled():
            task.exception()  # seen, also when nobody waits for it any more

    async def _look_up(self, host: str) -> list[str]:
        try:
            found = await self._loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except UnicodeError:
            raise OSError("its name is not a host name") from None
        addresses = interleave(list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found)))[:_ADDRESSES]
        if not addresses:
            raise OSError("its name has no address")
        self._answers.pop(host, None)
        if len(self._answers) >= _ENTRIES:
            del self._answers[next(iter(self._answers))]
        self._answers[host] = _Answer(addresses, self._loop.time())
        return addresses
