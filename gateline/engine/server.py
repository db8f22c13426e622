"""The engine's socket: many gateway workers, each with request ids of its own, one model behind them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from gateline.engine.connection import Connection
from gateline.engine.refusal import Refused
from gateline.engine.stepper import WAITING_LIMIT, Stepper
from gateline.engine.work import JSON, Model, Part
from gateline.model.engine import Data, End, FromEngine, Head, State, Submit

BUSY_RETRY_AFTER = 1.0  # a full queue moves within seconds
FAILED_RETRY_AFTER = 30.0  # somebody has to install or repair something
CLOSE_SECONDS = 1.0


class EngineServer:
    """Answers 503 until `serve` is given a model. All methods belong to the event loop's thread.

    `on_broken` is called with what a step raised, after all open requests have ended with an error: end the process,
    whoever started it starts a fresh one.
    """

    def __init__(self, *, on_broken: Callable[[BaseException], None], waiting_limit: int = WAITING_LIMIT) -> None:
        self._on_broken = on_broken
        self._waiting_limit = waiting_limit
        self._listener: asyncio.AbstractServer | None = None
        self._connections: set[Connection] = set()
        self._requests: dict[int, tuple[Connection, int]] = {}
        self._keys = itertools.count(1)
        self._stepper: Stepper | None = None
        self._state = State("loading", "starting", retry_after=5.0)
        self._idle = asyncio.Event()
        self._idle.set()
        self._alone = asyncio.Event()
        self._alone.set()

    async def open(self, path: Path) -> None:
        """Listens on a Unix socket that only this user may use. One left by an earlier life is replaced."""
        path.unlink(missing_ok=True)  # noqa: ASYNC240 - once, before anything is served
        self._listener = await asyncio.get_running_loop().create_unix_server(lambda: Connection(self), str(path))
        path.chmod(0o600)  # noqa: ASYNC240

    def announce(self, state: State) -> None:
        """Tells every connection, if it is news."""
        if state != self._state:
            self._state = state
            for connection in self._connections:
                connection.send(state)

    def serve(self, model: Model) -> None:
        """From now on requests are computed."""
        self._stepper = Stepper(model, self._deliver, self._broke, waiting_limit=self._waiting_limit)
        self._stepper.start()
        self.announce(State("ready"))

    async def drain(self, seconds: float) -> None:
        """Refuses what is new, gives open requests `seconds` to finish, ends the rest with an error and closes."""
        ready = self._stepper is not None
        self.announce(State("loading", "restarting", retry_after=BUSY_RETRY_AFTER))
        stepper, self._stepper = self._stepper, None
        if ready:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), seconds)
        if stepper is not None:
            stepper.stop()
        self._end_all("the local engine is stopping")
        if self._listener is not None:
            self._listener.close()
        for connection in list(self._connections):
            connection.close()
        with suppress(TimeoutError):  # a peer that does not read keeps nobody here
            await asyncio.wait_for(self._alone.wait(), CLOSE_SECONDS)

    # --- called by connections -------------------------------------------------------------------------------------

    def opened(self, connection: Connection) -> None:
        self._connections.add(connection)
        self._alone.clear()
        connection.send(self._state)

    def submitted(self, connection: Connection, submit: Submit) -> None:
        if self._stepper is None:
            self._refuse(connection, submit.id, self._not_ready())
            return
        key = next(self._keys)
        if not self._stepper.submit(key, submit.path, submit.body):
            message = "the local model's queue is full: try again later"
            full = Refused(message, status=503, code="queue_full", retry_after=BUSY_RETRY_AFTER)
            self._refuse(connection, submit.id, full)
            return
        connection.open[submit.id] = key
        self._requests[key] = (connection, submit.id)
        self._idle.clear()
        self._publish()

    def left(self, connection: Connection, request: int) -> None:
        key = connection.open.get(request)  # None: it has just ended, its End is on the way
        if key is not None and self._stepper is not None:
            self._stepper.cancel(key)

    def closed(self, connection: Connection) -> None:
        self._connections.discard(connection)
        for request in list(connection.open):
            self.left(connection, request)
        if not self._connections:
            self._alone.set()

    # --- called by the stepper -------------------------------------------------------------------------------------

    def _deliver(self, parts: list[Part]) -> None:
        """One write a connection, however many requests moved."""
        outgoing: dict[Connection, list[FromEngine]] = {}
        for part in parts:
            connection, request = self._requests[part.key]
            messages = outgoing.setdefault(connection, [])
            if part.status:
                messages.append(Head(request, part.status, part.content_type, part.retry_after))
            if part.data:
                messages.append(Data(request, part.data))
            if part.last:
                messages.append(End(request, part.queue, part.cpu, part.error))
                self._forget(part.key)
        for connection, messages in outgoing.items():
            connection.send(*messages)
        self._publish()

    def _broke(self, error: BaseException) -> None:
        self._stepper = None
        self.announce(State("loading", "restarting after a failure", retry_after=BUSY_RETRY_AFTER))
        self._on_broken(error)

    # --- inner -----------------------------------------------------------------------------------------------------

    def _forget(self, key: int) -> None:
        connection, request = self._requests.pop(key)
        del connection.open[request]
        if not self._requests:
            self._idle.set()

    def _publish(self) -> None:
        stepper = self._stepper
        if stepper is not None:
            self.announce(State("ready", "", 0.0, stepper.waiting, stepper.running, stepper.batch))

    def _not_ready(self) -> Refused:
        if self._state.state == "failed":
            message, retry_after = f"the local model cannot run: {self._state.detail}", FAILED_RETRY_AFTER
        else:
            message = f"the local model is not ready yet ({self._state.detail}): try again"
            retry_after = max(self._state.retry_after, BUSY_RETRY_AFTER)
        return Refused(message, status=503, code="model_loading", retry_after=retry_after)

    def _refuse(self, connection: Connection, request: int, refused: Refused) -> None:
        connection.send(
            Head(request, refused.status, JSON, refused.retry_after), Data(request, refused.body()), End(request)
        )

    def _end_all(self, error: str) -> None:
        for key, (connection, request) in list(self._requests.items()):
            connection.send(End(request, error=error))
            self._forget(key)
