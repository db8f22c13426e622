"""What all client connections of a worker share, and what their requests are handed to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from gateline.model.errors import GatewayError
from gateline.model.snapshot import Server
from gateline.net.clock import Clock
from gateline.net.spool import Spools

if TYPE_CHECKING:
    from gateline.net.server import ClientConnection


class Handler(Protocol):
    """What a worker does with requests. Both run inside the connection's callbacks and never wait."""

    def begin(self, connection: ClientConnection) -> None:
        """A request's head is whole: `connection.request`."""

    def refusal(self, connection: ClientConnection, error: GatewayError) -> bytes:
        """The whole response to what never became a request."""


class Service:
    """What all connections of a worker share. `open` counts them, and `opened` is told at every change, since other
    workers go by it; `limits` is replaced when the configuration is."""

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
        self._sweep = 0
        clock.every_tick(self.check_deadlines)

    def count(self, change: int) -> None:
        self.open += change
        self._opened(self.open)

    def check_deadlines(self, now: float) -> None:
        """Connections with a request are looked at every tick, the others once a second."""
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
