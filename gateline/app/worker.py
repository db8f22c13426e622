"""A data-plane worker, composed: from shared memory and a snapshot to a process that answers requests."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import ssl
import sys
import time
from pathlib import Path
from time import monotonic_ns

import uvloop

from gateline.app.complaints import Complaints
from gateline.app.gauges import Gauges
from gateline.app.seat import NO_ROOM, Seat
from gateline.gateway.admit import Admit
from gateline.gateway.attempt import Attempts
from gateline.gateway.front import Front
from gateline.gateway.identify import Identify
from gateline.gateway.keytable import KeyTable
from gateline.gateway.pipeline import Pipeline
from gateline.gateway.read import Read
from gateline.gateway.record import Recorder
from gateline.gateway.responses import Responses
from gateline.gateway.router import Router, Upstreams
from gateline.gateway.tally import Tallies
from gateline.gateway.tokens import TokenTable
from gateline.model.feed import Rejected
from gateline.model.snapshot import Snapshot, decode
from gateline.net.clock import Clock
from gateline.net.connect import Connector
from gateline.net.egress import EgressPolicy
from gateline.net.listener import Listener
from gateline.net.peeklink import PeekLink
from gateline.net.room import file_limit, room
from gateline.net.server import ClientConnection
from gateline.net.service import Service
from gateline.net.tls import reload_certificate
from gateline.store import columns
from gateline.store.columns import Columns
from gateline.store.inflight import InFlight
from gateline.store.journal import Journal, JournalFull, new_incarnation
from gateline.store.limits import Limits
from gateline.store.responses import ResponseStore

_DEAD_AFTER_NS = 1_000_000_000  # a worker without a tick for this long does not count for the balance
_POLL = 0.05  # seconds between looks at whether all streams have ended, while draining
_SWITCH = 0.001  # seconds a thread that works on a large body may hold the loop up: by Python's own 5 ms, 12 were seen


def main(seat: Seat, tls: ssl.SSLContext | None) -> None:
    """Serves until it is told to drain and all is done, then returns."""
    # The loop is not closed: uvloop would wait for handles that end with the process, as it does right after this.
    asyncio.Runner(loop_factory=uvloop.new_event_loop).run(Worker(seat, tls).run())


class Worker:
    """One process. Everything with state is made here and handed to who needs it."""

    def __init__(self, seat: Seat, tls: ssl.SSLContext | None) -> None:
        self._seat = seat
        self._tls = tls
        self._parent = seat.supervisor
        self._files = file_limit()
        self._columns = Columns(seat.columns, seat.places)
        self._cells = self._columns.worker(seat.worker)
        self._others = [self._columns.worker(i) for i in range(seat.places) if i != seat.worker]
        self._complaints = Complaints("worker", seat.worker)

    async def run(self) -> None:
        seat, cells = self._seat, self._cells
        loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._cut = asyncio.Event()
        self.clock = clock = Clock()
        data_dir = seat.data_dir
        snapshot = decode(data_dir.snapshot.read_bytes())
        self._open_journal(data_dir.journal)
        self._limits = Limits(seat.limits, seat.worker, seat.places, data_dir.limits_lock)
        self._tallies = tallies = Tallies(cells)
        self._connector = Connector(loop, EgressPolicy(snapshot.egress_allow), self._complaints.unconnected)
        self._gauges = Gauges(cells)
        self._tokens = TokenTable(clock, self._reject)
        self._upstreams = Upstreams(self._connector, clock, tallies, data_dir.engine_socket, self._tokens)
        self._peeker = PeekLink(loop, data_dir.run / f"peek-{seat.worker}.sock", data_dir.peek_socket)
        self._keys = KeyTable(
            data_dir.feed_socket, seat.worker, clock, self._publish, self._cut_calls_of, self._tokens.granted
        )
        recorder = Recorder(self._journal, self._in_flight, cells, tallies, clock, self._complaints.notice)
        pipeline = Pipeline(
            Identify(self._keys),
            Admit(self._limits, self._journal, cells),
            Read(self._peeker),
            Attempts(self._in_flight, clock, self._peeker, self._complaints.key_refused),
            recorder,
            Responses(ResponseStore(data_dir.responses), time.time),
            self._complaints.defect,
        )
        router = self._upstreams.build(snapshot, None)
        self.front = Front(pipeline, router, cells, data_dir.pepper(), self._complaints.crash, self._complaints.notice)
        self.service = Service(clock, snapshot.server, self.front, self._count_connections)
        self._adopt(snapshot, router)
        self._listeners = [self._listener(sock) for sock in seat.listeners]
        clock.every_tick(self.front.check_deadlines)
        clock.every_tick(self._tick)
        clock.start(loop)
        self._keys.start()
        loop.add_signal_handler(signal.SIGTERM, self._leave)
        loop.add_signal_handler(signal.SIGUSR2, self._end_with_all)
        loop.add_signal_handler(signal.SIGUSR1, self._cut_short)
        for listener in self._listeners:
            listener.start()
        self._complaints.say("worker_started", level="info", pid=os.getpid())
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
        sys.setswitchinterval(_SWITCH)
        await self._stop.wait()
        await self._drain()
        self._close()

    def _open_journal(self, folder: Path) -> None:
        incarnation = new_incarnation()
        self._journal = Journal(folder, incarnation)
        try:
            self._in_flight = InFlight(folder, incarnation)
        except JournalFull:
            self._journal.discard()  # else each try on a full disk would take a segment more of it
            raise

    def _cut_calls_of(self, key_id: str) -> None:
        self.front.cut_calls_of(key_id)  # which is made after the table of keys

    def _reject(self, rejected: Rejected) -> None:
        self._keys.reject(rejected)  # the same

    # --- configuration ---

    def _publish(self, version: int, raw: bytes) -> None:
        """A new configuration, between two requests: those that run keep the one they began with."""
        if version == self._keys.snapshot_version:
            return
        try:
            snapshot = decode(raw)
            router = self._upstreams.build(snapshot, self.front.router)
        except ValueError as error:
            self._complaints.say("configuration_refused", error=str(error))
            self._keys.refuse(version, str(error))
            return
        self._adopt(snapshot, router)
        gc.freeze()

    def _adopt(self, snapshot: Snapshot, router: Router) -> None:
        self.front.router = router
        self._tokens.adopt(snapshot)
        self.service.limits = snapshot.server
        self._keys.snapshot_version = snapshot.version
        self._keys.unverified_for = snapshot.unverified_keys_for
        if self._tls is not None and snapshot.server.tls_certificate:
            try:
                reload_certificate(self._tls, snapshot.server.tls_certificate, snapshot.server.tls_key)
            except (OSError, ssl.SSLError) as error:
                self._complaints.say("certificate_refused", error=str(error))

    # --- connections ---

    def _listener(self, sock: object) -> Listener:
        import socket

        assert isinstance(sock, socket.socket)
        return Listener(
            sock,
            lambda: ClientConnection(self.service),
            tls=self._tls,
            lead=self._lead,
            has_room=self._has_room,
        )

    def _count_connections(self, count: int) -> None:
        self._cells[columns.CONNECTIONS] = count

    def _lead(self) -> int:
        """How many more connections this worker has, or is taking on, than the least busy one that also takes some."""
        now = monotonic_ns()
        least = [
            cells[columns.CONNECTIONS]
            for cells in self._others
            if now - cells[columns.LAST_TICK_NS] < _DEAD_AFTER_NS and not cells[columns.NOT_ACCEPTING]
        ]
        return self.service.open + self._accepting - min(least) if least else 0

    @property
    def _accepting(self) -> int:
        return sum(listener.accepting for listener in self._listeners)

    def _has_room(self) -> bool:
        return self.service.open + self._accepting < room(self.service.limits.connections, self._files)

    # --- the tick ---

    def _tick(self, now: float) -> None:
        live, pools = self.front.live, self._upstreams.pools.values()
        self._gauges.update(
            {
                columns.LAST_TICK_NS: monotonic_ns(),
                columns.LIVE_REQUESTS: len(live),
                columns.STREAMS_OPEN: sum(exchange.stream for exchange in live),
                columns.POOL_IDLE: sum(len(pool.idle) for pool in pools),
                columns.POOL_BUSY: sum(pool.busy for pool in pools),
                columns.QUEUE_WAITING: sum(pool.connecting for pool in pools),
                columns.BODY_BYTES: self.service.bodies,
            },
            {
                columns.ACCEPTED: self.service.accepted,
                columns.UPSTREAM_CONNECTS: self._connector.connects,
                columns.LIMIT_LOCK_MISSED: self._limits.lock_missed,
                columns.JOURNAL_BYTES: self._journal.written,
                columns.PIPELINES_CUT: self.service.pipelines_cut,
                columns.THREAD_RESULTS_DROPPED: self.service.thread_results_dropped,
            },
            self.clock.lag,
        )
        self.front.router.show_in_flight(self._cells)
        self._tallies.count()
        if os.getppid() != self._parent:
            self._end_with_all()  # the supervisor is gone: nobody will tell us

    # --- the end ---

    def _leave(self) -> None:
        """This worker alone is to end, or everybody was told at once: the supervisor hears of it and starts another
        beside this one if it is not ending itself. The second time it is to end now."""
        if self._stop.is_set():
            self._cut.set()
        self._limits.keep_company()
        self._stop.set()
        with contextlib.suppress(OSError):  # full of news of others, or nobody reads it any more
            os.write(self._seat.leaving, bytes([self._seat.worker]))

    def _end_with_all(self) -> None:
        """The gateway ends: who looks for a place to send requests to must look elsewhere."""
        self.front.ready = False
        self._stop.set()

    def _cut_short(self) -> None:
        self._cut.set()
        self._end_with_all()

    async def _drain(self) -> None:
        """Still accepting for a while; then no new connections; then what runs may finish inside the grace period."""
        limits = self.service.limits
        self._complaints.say("worker_drains", level="info", requests=len(self.front.live))
        await self._unless_cut(limits.drain_delay)
        for listener in self._listeners:
            listener.stop()
        self._cells[columns.NOT_ACCEPTING] = 1
        self.service.drain()
        ends = self.clock.now + limits.grace
        while self._has_work() and self.clock.now < ends and not self._cut.is_set():
            await self._unless_cut(_POLL)

    def _has_work(self) -> bool:
        return bool(self.front.live or self.service.connections or self._accepting)

    async def _unless_cut(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._cut.wait(), seconds)

    def _close(self) -> None:
        self._complaints.say("worker_stopped", level="info", cut_off=len(self.front.live))
        self.front.cut_all()
        self.clock.stop()
        self._keys.close()
        self._peeker.close()
        self._upstreams.close()
        self._tallies.count()
        self._journal.close()
        self._in_flight.detach()
        for connection in tuple(self.service.connections):
            connection.abort()
        self._count_connections(0)


def run(seat: Seat, tls: ssl.SSLContext | None) -> None:
    """The body of a forked worker: never returns into the supervisor's code."""
    code = 0
    try:
        main(seat, tls)
    except JournalFull as error:
        Complaints("worker", seat.worker).say("worker_without_room", cause=str(error))
        code = NO_ROOM
    except BaseException as error:  # noqa: BLE001 - the process ends here; the supervisor must see that it failed
        Complaints("worker", seat.worker).crash(error)
        code = 1
    finally:
        sys.stderr.flush()
        os._exit(code)
