"""Added latency: one request through the gateway, one straight to its upstream, in turns, on one connection each."""

from __future__ import annotations

import asyncio
from time import monotonic_ns

from gateline.bench.connection import Connection, client_tls, connect
from gateline.bench.plan import Plan, split_url
from gateline.bench.record import OK, Recorder, units
from gateline.bench.request import Requests

_NS = 1_000_000_000
WARM_UP = 200  # turns that are not counted: caches, and the gateway's own connections
SIDES = ("through", "straight")


class Duel:
    """Whatever slows the machine for a moment meets both sides alike, which two runs one after the other would not.
    A connection that breaks ends the duel with its error counted."""

    def __init__(self, plan: Plan, recorder: Recorder) -> None:
        assert plan.against is not None
        self._plan = plan
        self._recorder = recorder
        self._urls = (plan.url, plan.against)
        self._sides: list[Connection] = []
        self._bytes: list[bytes] = []
        self._turn = 0
        self._stop_ns = 0
        self._over = asyncio.Event()

    async def prepare(self) -> None:
        """Raises OSError or ssl.SSLError when a side cannot be reached."""
        for url in self._urls:
            origin = split_url(url)
            tls = client_tls(verify=self._plan.verify, ca=self._plan.ca) if origin.tls else None
            self._sides.append(await connect(origin, self, tls, stream=self._plan.kind == "stream"))
            self._bytes.append(Requests(self._plan, origin).usual)

    async def run(self, start_ns: int) -> None:
        await asyncio.sleep(max(start_ns - monotonic_ns(), 0) / _NS)
        duration = self._plan.duration
        self._stop_ns = 0 if duration is None else start_ns + int(duration * _NS)
        self._next()
        try:
            async with asyncio.timeout(None if duration is None else duration + self._plan.timeout):
                await self._over.wait()
        except TimeoutError:
            self._recorder.error("timeout")
        for side in self._sides:
            side.close()

    def stop(self) -> None:
        self._over.set()

    @property
    def running(self) -> int:
        return 1

    def finished(self, connection: Connection, now_ns: int) -> None:
        if connection.reply.status != OK or self._turn >= WARM_UP:
            self._recorder.finished(connection, now_ns)
        if connection.reply.status == OK and self._turn >= WARM_UP:
            self._recorder.samples(SIDES[self._turn % 2]).append(units(now_ns - connection.sent_ns))
        if not connection.reply.keep_alive:
            self.lost(connection, "closed by the server")
            return
        self._turn += 1
        if self._ends(now_ns):
            self._over.set()
        else:
            self._next()

    def lost(self, connection: Connection, reason: str) -> None:
        if not self._over.is_set():
            self._recorder.error(reason)
            self._over.set()

    def _ends(self, now_ns: int) -> bool:
        wanted = self._plan.requests
        counted = self._turn - WARM_UP
        return bool((self._stop_ns and now_ns >= self._stop_ns) or (wanted is not None and counted >= wanted))

    def _next(self) -> None:
        side = self._turn % 2
        request = self._bytes[side]
        connection = self._sides[side]
        connection.send(request, monotonic_ns())
        if self._turn >= WARM_UP:
            self._recorder.sent(len(request), 0)
