"""Upstream connections, kept open: one deque an origin, last in first out, nothing searched."""

from __future__ import annotations

import asyncio
from collections import deque

from gateline.model.errors import GatewayError, Unavailable, UpstreamUnreachable
from gateline.model.snapshot import Provider
from gateline.net.clock import Clock
from gateline.net.connect import Connector
from gateline.net.flow import Flow
from gateline.net.upstream import UpstreamConnection

_OPEN = 16_384  # connections an origin may have at once
_IDLE = 256  # of them kept idle
_IDLE_SECONDS = 55.0  # under the 60 s after which most servers close


class Dial:
    """A connection being opened for one request. Woken through its flow when `connection` or `failure` is set."""

    __slots__ = ("_task", "connection", "failure")

    def __init__(self, pool: OriginPool, flow: Flow) -> None:
        self.connection: UpstreamConnection | None = None
        self.failure: GatewayError | None = None
        self._task = asyncio.get_running_loop().create_task(self._run(pool, flow))

    async def _run(self, pool: OriginPool, flow: Flow) -> None:
        try:
            self.connection = await pool.open()
        except GatewayError as error:
            self.failure = error
        except Exception as error:  # noqa: BLE001 - the task's boundary: whoever waits must be told, whatever it was
            self.failure = UpstreamUnreachable(f"Connecting failed in an unforeseen way ({type(error).__name__}).")
        flow.wake()

    def cancel(self) -> None:
        """Nobody waits any more: a connection that is already there goes to the pool, one under way is dropped."""
        self._task.cancel()
        if self.connection is not None:
            self.connection.abort()


class OriginPool:
    """The connections to one provider. `busy` and `connecting` count; `len(idle)` are ready."""

    __slots__ = ("_clock", "_connector", "busy", "closed", "connecting", "idle", "provider", "settling")

    def __init__(self, provider: Provider, connector: Connector, clock: Clock) -> None:
        self.provider = provider
        self.idle: deque[UpstreamConnection] = deque()
        self.busy = 0
        self.connecting = 0
        self.settling: deque[UpstreamConnection] = deque()
        self.closed = False
        self._connector = connector
        self._clock = clock

    @property
    def now(self) -> float:
        return self._clock.now

    def take(self) -> UpstreamConnection | None:
        """An idle connection, the one used last, or None."""
        idle = self.idle
        while idle:
            connection = idle.pop()
            transport = connection.transport
            if transport is not None and not transport.is_closing():
                self.busy += 1
                connection.leased = True
                return connection
        return None

    def dial(self, flow: Flow) -> Dial:
        """Raises Unavailable when the origin has all the connections it may have."""
        if self.busy + self.connecting >= _OPEN:
            raise Unavailable(
                f"All {_OPEN} connections to {self.provider.name} are in use: try again shortly.", retry_after=1
            )
        return Dial(self, flow)

    async def open(self) -> UpstreamConnection:
        self.connecting += 1
        try:
            connection = await self._connector.connect(self.provider, lambda: UpstreamConnection(self))
        finally:
            self.connecting -= 1
        self.busy += 1
        connection.leased = True
        return connection

    def give(self, connection: UpstreamConnection, transport: asyncio.Transport) -> None:
        """A whole reply has been read: the connection waits for its next request."""
        if connection.leased:
            connection.leased = False
            self.busy -= 1
        if connection.served == 1:
            self._connector.remember_session(self.provider, transport)
        idle = self.idle
        if len(idle) >= _IDLE or self.closed:
            transport.close()
            return
        connection.idle_since = self._clock.now
        idle.append(connection)

    def forget(self, connection: UpstreamConnection) -> None:
        """The connection carries no request any more, and will carry none."""
        if connection.leased:
            connection.leased = False
            self.busy -= 1
            transport = connection.transport
            if transport is not None and connection.served == 1:
                self._connector.remember_session(self.provider, transport)

    def sweep(self, now: float) -> None:
        """Closes what has been idle too long; the oldest lie on the left."""
        idle = self.idle
        while idle and (idle[0].transport is None or now - idle[0].idle_since > _IDLE_SECONDS):
            transport = idle.popleft().transport
            if transport is not None:
                transport.close()
        # Those that were over at the last sweep and still have not ended never will.
        for _ in range(len(self.settling)):
            connection = self.settling.popleft()
            if connection.is_settling:
                if connection.settle_by < now:
                    connection.abort()
                else:
                    self.settling.append(connection)

    def close(self) -> None:
        """The provider has left the configuration: idle connections end now, the others with their request."""
        self.closed = True
        self.sweep(float("inf"))
