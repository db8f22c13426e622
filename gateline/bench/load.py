"""The load of one process: keeps its connections busy, or sends at decided times, until the run is over."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from time import monotonic_ns

from gateline.bench.alarm import Alarm
from gateline.bench.connection import Connection, client_tls, connect
from gateline.bench.plan import Plan, Send, split_url
from gateline.bench.record import Recorder
from gateline.bench.request import Requests
from gateline.bench.schedule import FixedRate, Replay, Schedule, fixed_rate

_NS = 1_000_000_000
_FINEST_NS = 200_000  # between two looks at the schedule
_DRAIN = 10.0  # seconds for what is open when the run ends
_CONNECTING = 64  # connections opened at once
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0  # seconds before a broken connection is made again


class Load:
    """`prepare`, then `run`. Without a schedule the loop is closed: each connection sends when it has its answer."""

    def __init__(self, plan: Plan, recorder: Recorder, clock: Callable[[], int] = monotonic_ns) -> None:
        self._plan = plan
        self._recorder = recorder
        self._clock = clock
        self._origin = split_url(plan.url)
        self._requests = Requests(plan, self._origin)
        self._usual = self._requests.usual
        self._tls = client_tls(verify=plan.verify, ca=plan.ca) if self._origin.tls else None
        self.schedule: Schedule | None = _schedule(plan)
        self._budget = -1 if plan.requests is None or self.schedule is not None else plan.requests
        self._start = 0
        self._stop_at = 0
        self._stopping = False
        self.idle: list[Connection] = []
        self.busy: set[Connection] = set()
        self._mending: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()

    async def prepare(self) -> None:
        """Opens all connections. Raises OSError or ssl.SSLError when one cannot be made."""
        for start in range(0, self._plan.connections, _CONNECTING):
            count = min(_CONNECTING, self._plan.connections - start)
            self.idle += await asyncio.gather(*(self._connect() for _ in range(count)))

    async def run(self, start_ns: int) -> None:
        """From `start_ns` to the end of the plan and of what was open then."""
        plan = self._plan
        await asyncio.sleep(max(start_ns - self._clock(), 0) / _NS)
        self.begin(start_ns)
        alarm: Alarm | None = None
        if self.schedule is not None:
            interval = _FINEST_NS if plan.rate is None else max(int(_NS / plan.rate), _FINEST_NS)
            alarm = Alarm(start_ns, interval, self.dispatch)
            self.dispatch()
        else:
            self._fill()
        watch = asyncio.create_task(self._watch())
        try:
            seconds = None if plan.duration is None else max(self._stop_at - self._clock(), 0) / _NS
            await self._wait(seconds)
            self.stop()
            await self._wait(_DRAIN)
        finally:
            watch.cancel()
            if alarm is not None:
                alarm.stop()
            self._close()

    def begin(self, start_ns: int) -> None:
        """Decided times count from here."""
        self._start = start_ns
        self._stop_at = 0 if self._plan.duration is None else start_ns + int(self._plan.duration * _NS)

    def stop(self) -> None:
        """Sends nothing that was not due already; the run is over when all that is open has ended."""
        self._stopping = True
        if not self._rest():
            self._over.set()

    @property
    def running(self) -> int:
        return len(self.busy)

    # --- told by the connections -------------------------------------------------------------------------------------

    def finished(self, connection: Connection, now_ns: int) -> None:
        self._recorder.finished(connection, now_ns)
        self.busy.discard(connection)
        if not connection.reply.keep_alive:
            connection.close()
            self._mend(0.0)
        elif self.schedule is None and self._may_send():
            self._send(connection, now_ns, self._usual)
            return
        else:
            self.idle.append(connection)
            if self.schedule is not None:
                self.dispatch()
        if not self._rest():
            self._over.set()

    def lost(self, connection: Connection, reason: str) -> None:
        if connection.is_busy:
            self.busy.discard(connection)
            self._recorder.error(reason)
        elif connection in self.idle:
            self.idle.remove(connection)
        if not self._rest():
            self._over.set()
        else:
            self._mend(0.0 if reason == "closed" else _FIRST_PAUSE)

    # --- sending -----------------------------------------------------------------------------------------------------

    def dispatch(self) -> None:
        """Sends what is due, as far as there are free connections; the rest keeps its decided time."""
        schedule, idle = self.schedule, self.idle
        if schedule is None:
            return
        now = self._clock() - self._start
        while idle:
            at = schedule.next_at()
            if at is None or at > now:
                return
            send = schedule.take()
            self._send(idle.pop(), self._start + at, self._bytes(send))

    def _bytes(self, send: Send | None) -> bytes:
        return self._usual if send is None else self._requests.sized(send.prompt_tokens, send.max_tokens)

    def _fill(self) -> None:
        while self.idle and self._may_send():
            self._send(self.idle.pop(), self._clock(), self._usual)

    def _may_send(self) -> bool:
        if self._stopping or self._budget == 0:
            return False
        self._budget -= self._budget > 0
        return True

    def _send(self, connection: Connection, due_ns: int, request: bytes) -> None:
        self.busy.add(connection)
        connection.send(request, due_ns)
        self._recorder.sent(len(request), 0 if self.schedule is None else connection.sent_ns - due_ns)

    def _rest(self) -> bool:
        """Whether anything is open or still to be sent."""
        if self.busy:
            return True
        if self.schedule is None:
            return not self._stopping and self._budget != 0
        at = self.schedule.next_at()
        return at is not None and not (self._stopping and at > self._clock() - self._start)

    # --- connections -------------------------------------------------------------------------------------------------

    async def _connect(self) -> Connection:
        return await connect(self._origin, self, self._tls, stream=self._plan.kind == "stream")

    def _mend(self, pause: float) -> None:
        task = asyncio.get_running_loop().create_task(self._reconnect(pause))
        self._mending.add(task)
        task.add_done_callback(self._mending.discard)

    async def _reconnect(self, pause: float) -> None:
        while True:
            await asyncio.sleep(pause)
            try:
                connection = await self._connect()
            except (OSError, ssl.SSLError) as error:
                self._recorder.error("refused" if isinstance(error, ConnectionRefusedError) else "no connection")
                pause = min(max(pause, _FIRST_PAUSE) * 2, _LONGEST_PAUSE)
                continue
            self.idle.append(connection)
            if self.schedule is None:
                self._fill()
            else:
                self.dispatch()
            return

    async def _watch(self) -> None:
        """Gives up on requests that are older than the timeout; one look a quarter second costs nothing."""
        while True:
            await asyncio.sleep(0.25)
            oldest = self._clock() - int(self._plan.timeout * _NS)
            for connection in [each for each in self.busy if each.sent_ns < oldest]:
                connection.expire()

    async def _wait(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._over.wait()
        except TimeoutError:
            pass

    def _close(self) -> None:
        for task in self._mending:
            task.cancel()
        for connection in self.busy:
            self._recorder.error("unfinished")
            connection.close()
        for connection in self.idle:
            connection.close()
        if self.schedule is not None:
            self._recorder.unsent(_due(self.schedule, self._clock() - self._start))


def _schedule(plan: Plan) -> FixedRate | Replay | None:
    if plan.trace is not None:
        end = None if plan.duration is None else plan.duration * _NS
        sends = [send for send in plan.trace if end is None or send.at_ns < end]
        return Replay(sends if plan.requests is None else sends[: plan.requests])
    if plan.rate is not None:
        return fixed_rate(plan.rate, duration=plan.duration, requests=plan.requests, phase=plan.phase)
    return None


def _due(schedule: Schedule, now_ns: int) -> int:
    """How many requests should have left by now and have not."""
    count = 0
    while (at := schedule.next_at()) is not None and at <= now_ns:
        schedule.take()
        count += 1
    return count
