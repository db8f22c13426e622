"""What all client connections of a worker share, and what their requests are handed to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from gateline.model.errors import GatewayError, Unavailable
from gateline.model.snapshot import Server
from gateline.net.clock import Clock
from gateline.net.spool import Spools

if TYPE_CHECKING:
    from gateline.net.server import ClientConnection

_BODIES = 512 * 1024 * 1024  # bytes of request bodies in memory at once, or twice the largest allowed if that is more
_SMALL = 16_384  # bytes of a body that came with its head, up to which it is not worth counting
_LARGE = 1_048_576  # bytes of a body from which it must leave a quarter of that to smaller ones


class Handler(Protocol):
    """What a worker does with requests. Both run inside the connection's callbacks and never wait."""

    def begin(self, connection: ClientConnection) -> None:
        """A request's head is whole: `connection.request`."""

    def refusal(self, connection: ClientConnection, error: GatewayError) -> bytes:
        """The whole response to what never became a request."""


class Service:
    """What all connections of a worker share. `open` counts them, and `opened` is told at every change, since other
    workers go by it; `limits` is replaced when the configuration is. A body of up to `small` bytes that comes with its
    head is taken as it is."""

    def __init__(self, clock: Clock, limits: Server, handler: Handler, opened: Callable[[int], None]) -> None:
        self._opened = opened
        self.clock = clock
        self.limits = limits
        self.handler = handler
        self.connections: set[ClientConnection] = set()
        self.busy: set[ClientConnection] = set()
        self.spools = Spools()
        self.draining = False
        self.open = 0
        self.accepted = 0
        self.pipelines_cut = 0  # connections that ended because too much waited behind a request
        self.in_threads = 0  # pieces of work, waiting or under way
        self.thread_results_dropped = 0  # since the call's time was up, or its client gone
        self.bodies = 0  # bytes of request bodies in memory
        self.small = min(_SMALL, limits.body_bytes)
        self._sweep = 0
        clock.every_tick(self.check_deadlines)

    def count(self, change: int) -> None:
        self.open += change
        self._opened(self.open)

    def check_room(self, more: int, body: int) -> None:
        """Raises Unavailable when memory has no room for `more` bytes of a body that has `body` with them."""
        room = max(_BODIES, 2 * self.limits.body_bytes)
        if self.bodies + more > (room if body <= _LARGE else room - room // 4):
            raise Unavailable("There is no room for another request body now: try again shortly.", retry_after=1)

    def check_deadlines(self, now: float) -> None:
        """Connections with a request are looked at every tick, the others once a second."""
        self.small = min(_SMALL, self.limits.body_bytes)  # which may have been replaced
        for connection in tuple(self.busy):
            connection.check(now)
        self._sweep = (self._sweep + 1) % 10
        if self._sweep == 0:
            self.spools.sweep()
            for connection in tuple(self.connections):
                if not connection.is_busy:
                    connection.check(now)

    def drain(self) -> None:
        """Idle connections close now, the others with their next answer."""
        self.draining = True
        for connection in tuple(self.connections):
            connection.close_if_idle()
