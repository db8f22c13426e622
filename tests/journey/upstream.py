"""The scripted provider on a thread of its own, so that synchronous clients and the provider can both run."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec
import uvloop

from gateline.fake.events import Event
from gateline.fake.invoice import Line
from gateline.fake.script import Script, read_script
from gateline.fake.server import FakeProvider
from tests.journey.patience import DEADLINE

T = TypeVar("T")


class Upstream:
    """`with Upstream() as upstream`. Every question is answered on the provider's own loop: nothing is read halfway."""

    def __init__(self, script: Script | None = None) -> None:
        self._fake = FakeProvider(script)
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="upstream")

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._fake.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._fake.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(DEADLINE)
        self._loop.close()

    @property
    def url(self) -> str:
        return self._fake.url

    def seen(self, event: str, request_id: str | None = None, *, after: int = 0) -> Event:
        """The first such event, waited for. Raises TimeoutError with what was seen instead."""
        return self._run(self._fake.seen(event, request_id, after=after, within=DEADLINE))

    def place(self) -> int:
        """The number of the last event: `seen(after=...)` then speaks of later ones only."""
        return self._call(lambda: self._fake.log.last)

    def events(self, request_id: str) -> list[str]:
        return self._call(lambda: [each.event for each in self._fake.log.since(0) if each.id == request_id])

    def lines(self) -> list[Line]:
        """The invoice, as it is now."""
        return self._call(lambda: [msgspec.structs.replace(line) for line in self._fake.invoice.lines()])

    def line(self, request_id: str) -> Line:
        """The one line of this request."""
        (line,) = [line for line in self.lines() if line.id == request_id]
        return line

    def heard(self) -> dict[str, Any]:
        """Head and body of the last request, as they came."""
        return dict(msgspec.json.decode(self._call(self._fake.provider.echo)))

    def follow(self, script: str) -> None:
        self._call(lambda: self._fake.follow(read_script(script)))

    def forget(self) -> None:
        """Empties invoice, log and counts."""
        self._call(self._fake.provider.reset)

    def _call(self, question: Callable[[], T]) -> T:
        async def answer() -> T:
            return question()

        return self._run(answer())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(DEADLINE * 2)
