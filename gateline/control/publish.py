"""The feed: tells every worker each change of the configuration and of the keys, in order, and answers its lookups.

Knows sockets and frames; not where keys or snapshots come from. A worker that reads too slowly is dropped rather than
buffered for: it comes back with `Hello`, and forgets its keys when the next beat says that it missed a change.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from gateline.model.feed import (
    Beat,
    Changed,
    Cut,
    Found,
    Granted,
    Hello,
    Lookup,
    Publish,
    Refused,
    Rejected,
    ToControl,
    ToWorker,
)
from gateline.model.key import Key
from gateline.wire.frames import FrameReader, FrameTooLarge, frame

BEAT_SECONDS = 0.25
MAX_UNREAD = 1024 * 1024  # bytes a worker may leave unread before one more frame is too many
MAX_LOOKUPS = 8_192  # different keys waiting for the database; beyond it lookups go unanswered and workers time out
_LOOKUPS_AT_ONCE = 64
_RETRY_SECONDS = 0.1
_decoder = msgspec.msgpack.Decoder(ToControl)
_encoder = msgspec.msgpack.Encoder()


class Answering(Protocol):
    """What came back for some hashes: keys in their order, true as of change `changed`."""

    @property
    def keys(self) -> Sequence[Key | None]: ...

    @property
    def changed(self) -> int: ...


class Away(Exception):
    """Raised by a lookup when the store cannot be asked now."""


@dataclass(frozen=True, slots=True)
class Settled:
    """Which workers have applied a change, and which had not when the time was up."""

    acknowledged: tuple[int, ...]
    missing: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a connected worker is: the last key change it applied and the snapshot it runs."""

    pid: int
    changed: int
    snapshot: int


class Feed:
    """`look_up` is called in a thread, never twice at once; it may block, and raises `Away` to be asked again."""

    def __init__(self, path: Path, look_up: Callable[[list[bytes]], Answering]) -> None:
        self._path = path
        self._look_up = look_up
        self._server: asyncio.Server | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._connections: set[_Connection] = set()
        self._waiting: dict[bytes, list[_Connection]] = {}
        self._asked = asyncio.Event()
        self._waiters: list[asyncio.Future[None]] = []
        self._snapshot: Publish | None = None
        self._grants: dict[bytes, bytes] = {}
        self.rejected: Callable[[Rejected], None] = lambda _: None  # until there is somebody who renews tokens
        self.changed = 0

    async def start(self) -> None:
        """Serves from now on. Raises OSError when the socket cannot be made."""
        listener = bind_private(self._path)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: _Connection(self), sock=listener)
        self._tasks = [loop.create_task(self._beat()), loop.create_task(self._answer())]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.drop()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task

    # --- what the control process says ---------------------------------------------------------------------------

    def publish(self, version: int, snapshot: bytes) -> None:
        """Makes this the configuration in force: sent to every worker that runs another one, now and on `Hello`."""
        self._snapshot = Publish(version, snapshot)
        for connection in list(self._connections):
            self._bring_up_to_date(connection)

    def announce(self, key: Key) -> None:
        """Sends one change. Changes are announced in the order of their numbers; one already announced is skipped."""
        if key.changed <= self.changed:
            return
        self.changed = key.changed
        self._send_all(Changed(key))

    def cut(self, key_id: str) -> None:
        """Ends the running calls of a key, on every worker; its revocation has been announced."""
        self._send_all(Cut(key_id))

    def grant(self, granted: Granted) -> None:
        """The token of a credential, or that there is none: told to every worker, now and when it comes anew."""
        framed = self._grants[granted.credential] = frame(_encoder.encode(granted))
        for connection in list(self._connections):
            connection.send(framed)

    def forget_grants(self, wanted: Collection[bytes]) -> None:
        """The configuration has the credentials `wanted` and no others: workers drop the rest by themselves."""
        self._grants = {credential: framed for credential, framed in self._grants.items() if credential in wanted}

    async def settled(self, changed: int, workers: Collection[int], timeout: float) -> Settled:  # noqa: ASYNC109 part of the answer
        """Waits until each of `workers` has applied change `changed`, for at most `timeout` seconds."""
        return await self._reached(lambda connection: connection.seen >= changed, workers, timeout)

    async def running(self, version: int, workers: Collection[int], timeout: float) -> Settled:  # noqa: ASYNC109 part of the answer
        """The same for a configuration: waits until each of `workers` runs snapshot `version` or a younger one, or has
        refused it."""
        await self._reached(
            lambda connection: connection.snapshot >= version or connection.refused == version, workers, timeout
        )
        running, wanted = self._those(lambda connection: connection.snapshot >= version), set(workers)
        return Settled(tuple(sorted(running & wanted)), tuple(sorted(wanted - running)))

    def refusal(self, version: int) -> str:
        """Which connected worker cannot run this snapshot, and why; empty when none has said so."""
        refusing = [each for each in self._connections if each.refused == version]
        return f"worker {refusing[0].worker} cannot run it: {refusing[0].reason}" if refusing else ""

    async def _reached(
        self,
        has: Callable[[_Connection], bool],
        workers: Collection[int],
        timeout: float,  # noqa: ASYNC109
    ) -> Settled:
        """`workers` is read again whenever something moved: one that died meanwhile is no longer waited for."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while not self._those(has).issuperset(workers):
                    waiter = asyncio.get_running_loop().create_future()
                    self._waiters.append(waiter)
                    await waiter
        done, wanted = self._those(has), set(workers)
        return Settled(tuple(sorted(done & wanted)), tuple(sorted(wanted - done)))

    def moved(self) -> None:
        """Something that a waiter may be waiting for has changed: a worker's state, or who is alive."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _those(self, has: Callable[[_Connection], bool]) -> set[int]:
        return {connection.worker for connection in self._connections if connection.worker >= 0 and has(connection)}

    def workers(self) -> dict[int, Standing]:
        """The workers that are connected, by index."""
        return {c.worker: Standing(c.pid, c.seen, c.snapshot) for c in self._connections if c.worker >= 0}

    def _send_all(self, message: ToWorker) -> None:
        framed = frame(_encoder.encode(message))
        for connection in list(self._connections):
            connection.send(framed)

    # --- what workers say ----------------------------------------------------------------------------------------

    def opened(self, connection: _Connection) -> None:
        self._connections.add(connection)

    def closed(self, connection: _Connection) -> None:
        self._connections.discard(connection)

    def said(self, connection: _Connection, message: ToControl) -> None:
        if isinstance(message, Lookup):
            self._ask(connection, message.hash)
            return
        if isinstance(message, Rejected):
            self.rejected(message)
            return
        if isinstance(message, Hello):
            connection.worker = message.worker
            connection.pid = message.pid
            connection.snapshot = message.snapshot
            connection.send(frame(_encoder.encode(Beat(self.changed))))
            if not self._bring_up_to_date(connection):
                connection.send_all(self._grants.values())
        elif isinstance(message, Refused):
            connection.refused, connection.reason = message.version, message.reason
        else:
            connection.seen = max(connection.seen, message.changed)
            connection.snapshot = message.snapshot
            self._bring_up_to_date(connection)  # it may have taken one that has been withdrawn meanwhile
        self.moved()

    def _bring_up_to_date(self, connection: _Connection) -> bool:
        """Sends the configuration in force to a worker that runs another one, and then the tokens it may call for."""
        offered = self._snapshot is not None and connection.offer(self._snapshot)
        if offered:
            connection.send_all(self._grants.values())
        return offered

    def _ask(self, connection: _Connection, hashed: bytes) -> None:
        waiting = self._waiting.get(hashed)
        if waiting is None:
            if len(self._waiting) >= MAX_LOOKUPS:
                return
            waiting = self._waiting[hashed] = []
        if connection not in waiting:
            waiting.append(connection)
        self._asked.set()

    async def _answer(self) -> None:
        """Takes what waits to the database, some at once, and answers everybody who asked for it."""
        while True:
            await self._asked.wait()
            hashes = [hashed for hashed, _ in zip(self._waiting, range(_LOOKUPS_AT_ONCE), strict=False)]
            if not hashes:
                self._asked.clear()
                continue
            try:
                answers = await asyncio.to_thread(self._look_up, hashes)
            except Away:
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            # One write a worker, not one a key: it wakes up once for all of them.
            framed: dict[_Connection, list[bytes]] = {}
            for hashed, key in zip(hashes, answers.keys, strict=True):
                found = frame(_encoder.encode(Found(hashed, key, answers.changed)))
                for connection in self._waiting.pop(hashed):
                    framed.setdefault(connection, []).append(found)
            for connection, frames in framed.items():
                connection.send(b"".join(frames))

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            self._send_all(Beat(self.changed))


class _Connection(asyncio.Protocol):
    """One worker's end. `worker` is -1 until its `Hello`."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._frames = FrameReader()
        self._transport: asyncio.Transport | None = None
        self._offered = -1
        self.worker = -1
        self.pid = 0
        self.seen = 0
        self.snapshot = 0
        self.refused = 0
        self.reason = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._feed.opened(self)

    def data_received(self, data: bytes) -> None:
        try:
            for payload in self._frames.feed(data):
                self._feed.said(self, _decoder.decode(payload))
        except (FrameTooLarge, msgspec.DecodeError):
            self.drop()

    def connection_lost(self, exc: Exception | None) -> None:
        self._feed.closed(self)

    def send(self, framed: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() > MAX_UNREAD:
            self.drop()
            return
        transport.write(framed)

    def send_all(self, frames: Iterable[bytes]) -> None:
        for framed in frames:
            self.send(framed)

    def offer(self, snapshot: Publish) -> bool:
        """Whether it was sent: a worker that runs it, or has it on its way, needs it no second time."""
        if self.worker < 0 or snapshot.version in {self.snapshot, self._offered}:
            return False
        self._offered = snapshot.version
        self.send(frame(_encoder.encode(snapshot)))
        return True

    def drop(self) -> None:
        if self._transport is not None:
            self._transport.abort()
        self._feed.closed(self)


def bind_private(path: Path) -> socket.socket:
    """A Unix socket that only this user can reach, in place of one that a dead process left behind."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        path.chmod(0o600)
    except OSError:
        listener.close()
        raise
    return listener
