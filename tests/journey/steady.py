"""A load at a decided rate over kept connections, with streams open all the while, that remembers by id what became
of every request. On a thread and loop of its own, so that a story can disturb the gateway meanwhile.

It behaves as a sound client does: what ends before the first byte of an answer is asked again on another connection.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass, field
from time import monotonic
from types import TracebackType
from typing import Any, NamedTuple, Self, cast

import uvloop

from tests.journey.patience import DEADLINE, until, until_async
from tests.journey.wire import chat

_TICK = 0.002  # seconds between two looks at what is due
_CONNECTIONS = 32  # as many for the peak as for the share of it: a machine that grows slower meets no growing heap
_PAUSE = 0.02  # seconds before a refused connection is tried again
_STREAM = {"fake": "tps=5,tokens=12"}


class Failure(NamedTuple):
    """A request that did not get its answer. `seen` is the id of the last answer on that connection, or the stream's
    own, blank when there was none; `begun`: bytes of this answer had come, so no client may simply ask again."""

    seen: str
    begun: bool
    what: str


@dataclass
class Story:
    """What has become of everything. Appended to by the load's thread, read by the other."""

    answered: list[str] = field(default_factory=list)  # ids of whole answers with status 200
    streamed: list[str] = field(default_factory=list)  # ids of streams that reached their terminator
    failures: list[Failure] = field(default_factory=list)  # of requests, and of streams before their first byte
    cut: list[Failure] = field(default_factory=list)  # of streams after it


class Steady:
    """`with Steady(port, token, streams=100) as load`: the streams are open from then on, each followed by another."""

    def __init__(self, port: int, token: str, *, streams: int) -> None:
        self._port = port
        self._request = chat(token, max_tokens=2)
        self._stream_request = chat(token, stream=True, metadata=_STREAM)
        self._wanted_streams = streams
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="load")
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle: deque[_Connection] = deque()
        self._open = 0
        self._rate = 0.0
        self._due = 0.0
        self._closed_loop = False
        self._looked = 0.0
        self._ending = False
        self.story = Story()
        self.open_streams = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._loop.call_soon_threadsafe(self._begin)
        until(lambda: self.open_streams >= self._wanted_streams, "all streams are open")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hold(0.0)
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(2 * DEADLINE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(DEADLINE)
        self._loop.close()

    # --- what it is told ---

    def peak(self, answers: int) -> float:
        """Requests a second, streams aside, when the next request follows each answer; over so many answers."""
        self._loop.call_soon_threadsafe(self._burst)
        self.more(answers // 4)
        began, before = monotonic(), len(self.story.answered)
        self.more(answers)
        took, count = monotonic() - began, len(self.story.answered) - before
        self._closed_loop = False
        return count / took

    def hold(self, rate: float) -> None:
        """So many requests a second from now on."""
        self._loop.call_soon_threadsafe(self._pace, rate)

    def more(self, count: int) -> None:
        """Waits for so many answers more."""
        wanted = len(self.story.answered) + count
        until(lambda: len(self.story.answered) >= wanted, f"{count} answers more")

    # --- the load's own thread ---

    def _begin(self) -> None:
        for _ in range(self._wanted_streams):
            self._spawn(self._stream())
        self._looked = self._loop.time()
        self._loop.call_later(_TICK, self._tick)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _burst(self) -> None:
        self._closed_loop = True
        for _ in range(_CONNECTIONS):
            self._ask()

    def _pace(self, rate: float) -> None:
        self._rate, self._due = rate, 0.0

    def _tick(self) -> None:
        now = self._loop.time()
        self._due += (now - self._looked) * self._rate
        self._looked = now
        while self._due >= 1:
            self._due -= 1
            self._ask()
        if not self._ending:
            self._loop.call_later(_TICK, self._tick)

    def _ask(self) -> None:
        """On a free connection, or a new one; when all are busy it is left out."""
        if self._idle:
            self._idle.pop().ask(self._request)
        elif self._open < _CONNECTIONS:
            self._open += 1
            self._spawn(self._connect())

    async def _connect(self) -> None:
        while not self._ending:
            try:
                _, connection = await self._loop.create_connection(lambda: _Connection(self), "127.0.0.1", self._port)
            except OSError as error:
                self.story.failures.append(Failure("", begun=False, what=type(error).__name__))
                await asyncio.sleep(_PAUSE)
                continue
            connection.ask(self._request)
            return

    def answered(self, connection: _Connection, status: int, *, closes: bool) -> None:
        if status == 200:
            self.story.answered.append(connection.seen)
        else:
            self.story.failures.append(Failure(connection.seen, begun=True, what=f"status {status}"))
        if closes:
            connection.close()
            self._open -= 1
        else:
            self._idle.append(connection)
        if self._closed_loop:
            self._ask()

    def lost(self, connection: _Connection, error: Exception | None) -> None:
        """The peer ended it: while it was idle that is its right; a request that was under way is asked again."""
        self._open -= 1
        if not connection.busy:
            self._idle.remove(connection)
            return
        what = type(error).__name__ if error else "closed"
        self.story.failures.append(Failure(connection.seen, begun=connection.begun, what=what))
        self._ask()

    async def _stream(self) -> None:
        """One stream after the other, each on a connection of its own."""
        while not self._ending:
            seen = ""
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                try:
                    writer.write(self._stream_request)
                    head = await reader.readuntil(b"\r\n\r\n")
                    seen = _field(head, b"x-request-id")
                    assert head.startswith(b"HTTP/1.1 200"), head
                    self.open_streams += 1
                    try:
                        tail = await self._to_its_end(reader)
                    finally:
                        self.open_streams -= 1
                finally:
                    writer.close()
            except (OSError, EOFError) as error:
                if not self._ending:
                    (self.story.cut if seen else self.story.failures).append(
                        Failure(seen, begun=bool(seen), what=type(error).__name__)
                    )
                    await asyncio.sleep(_PAUSE)
                continue
            if tail.endswith(b"data: [DONE]\n\n"):
                self.story.streamed.append(seen)
            else:
                self.story.cut.append(Failure(seen, begun=True, what=tail[-200:].decode(errors="replace")))

    @staticmethod
    async def _to_its_end(reader: asyncio.StreamReader) -> bytes:
        """The last piece of a chunked body. Raises EOFError when the body does not end as it should."""
        last = b""
        while True:
            size = int(await reader.readuntil(b"\r\n"), 16)
            piece = await reader.readexactly(size + 2)
            if not size:
                return last
            last = piece[:-2]

    async def _end(self) -> None:
        """Lets what is open come to its end: nothing is left that nobody can tell the outcome of."""
        self._ending = True
        await until_async(lambda: not self._tasks and len(self._idle) == self._open, "what is open has ended")
        while self._idle:
            self._idle.pop().close()


class _Connection(asyncio.Protocol):
    """One kept connection: a request, its answer, the next."""

    def __init__(self, load: Steady) -> None:
        self._load = load
        self._held = b""
        self._closed = False
        self.busy = False
        self.seen = ""

    @property
    def begun(self) -> bool:
        return bool(self._held)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def ask(self, request: bytes) -> None:
        self.busy = True
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        held = self._held = self._held + data
        end = held.find(b"\r\n\r\n") + 4
        if end == 3 or len(held) < end + int(_field(held[:end], b"content-length")):
            return
        head, self._held = held[:end], b""
        self.busy = False
        self.seen = _field(head, b"x-request-id")
        self._load.answered(self, int(head[9:12]), closes=b"\r\nconnection: close\r\n" in head)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._closed:
            self._load.lost(self, exc)

    def close(self) -> None:
        self._closed = True
        self._transport.close()


def _field(head: bytes, name: bytes) -> str:
    at = head.index(b"\r\n" + name + b": ") + len(name) + 4
    return head[at : head.index(b"\r\n", at)].decode()
