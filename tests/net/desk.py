"""A handler that answers requests with what they were, and the pieces a connection needs around it."""

from __future__ import annotations

from gateline.model.errors import GatewayError
from gateline.model.snapshot import Server
from gateline.net.clock import Clock
from gateline.net.flow import Flow
from gateline.net.server import ClientConnection
from gateline.net.service import Service
from gateline.net.spool import Spool
from tests.net.transport import FakeTransport


class Desk:
    """Answers `200` and `METHOD path body`, at once or, with `waits`, when told to. Refusals are `STATUS message`."""

    def __init__(self, limits: Server | None = None) -> None:
        self.clock = Clock()
        self.clock.now = 1_000.0
        self.waits = False
        self.reads_body = True
        self.waiting: list[ClientConnection] = []
        self.gone: list[str] = []
        self.crashes: list[BaseException] = []
        self.counts: list[int] = []
        self.service = Service(self.clock, limits or Server(), self, self.counts.append)

    def connect(self) -> FakeTransport:
        self.connection = ClientConnection(self.service)
        return FakeTransport(self.connection)

    def tick(self, seconds: float) -> None:
        """Time passes, and all connections are looked at."""
        self.clock.now += seconds
        for _ in range(10):
            self.service.check_deadlines(self.clock.now)

    # --- the handler ---

    def begin(self, connection: ClientConnection) -> None:
        flow = connection.flow = Flow(self.crashes.append)
        flow.start(self._serve(connection, flow))

    def refusal(self, connection: ClientConnection, error: GatewayError) -> bytes:
        return b"%d %b\n" % (error.status, type(error).__name__.encode())

    async def _serve(self, connection: ClientConnection, flow: Flow) -> None:
        request = connection.request
        if self.reads_body and not connection.body_complete:
            if connection.failure is None:
                connection.want_body()
            while not (connection.body_complete or connection.failure or connection.gone):
                await flow.park()
        if self.waits:
            self.waiting.append(connection)
            while connection in self.waiting and not connection.gone:
                await flow.park()
        if connection.gone:
            if connection in self.waiting:
                self.waiting.remove(connection)
            self.gone.append(request.path.decode())
            connection.done(keep_alive=False)
        elif connection.failure is not None:
            connection.write(self.refusal(connection, connection.failure))
            connection.done(keep_alive=False)
        else:
            self.answer(connection)

    def answer(self, connection: ClientConnection) -> None:
        request, body, keep = connection.request, connection.body, connection.keeps_alive
        data = bytes(body.view()) if isinstance(body, Spool) else bytes(body)
        if not connection.body_complete:
            data = b""
        connection.write(b"200 %b %b %b%b\n" % (request.method, request.path, data, b"" if keep else b" close"))
        connection.done(keep_alive=keep)

    def let_go(self) -> None:
        """The request that waits may be answered."""
        flow = self.waiting.pop(0).flow
        assert flow is not None
        flow.wake()
