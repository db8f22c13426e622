"""The process a gateway is: opens the listener, starts workers, control and engines, and keeps them running.

Standard library only, single-threaded, never in the way of a request. Workers are forked, not executed: they inherit
the listener, the shared memory and the TLS ticket keys, so any of them can die and be replaced without a client's
connection attempt being lost.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import selectors
import signal
import socket
import ssl
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from gateline.app.channel import Channel
from gateline.app.complaints import Complaints
from gateline.app.crew import Crew
from gateline.app.diskroom import make_room
from gateline.app.greeting import Greeting
from gateline.app.launch import Launch
from gateline.app.program import start_program
from gateline.app.seat import Seat
from gateline.net.process import Child, describe, reap
from gateline.net.room import raise_file_limit, room
from gateline.net.tls import server_context
from gateline.store.datadir import DataDir

_BACKLOG = 4_096
_ENDING = (signal.SIGTERM, signal.SIGINT)
_MARGIN = 10.0  # seconds beyond drain delay and grace after which a worker that has not ended is killed
_ENGINE_GRACE = 12.0
_CONTROL_GRACE = 15.0
_KILLED_WITHIN = 10.0


class Supervisor:
    """`run` returns the exit status of the gateway."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._data_dir = DataDir(Path(launch.data_dir))
        self._say = Complaints("supervisor", 0)
        self._selector = selectors.DefaultSelector()
        self._signals: list[int] = []
        self._pid = os.getpid()
        self._stopping = 0  # how many times it was told to stop
        self._engines: dict[str, Child] = {}
        self._control = Child("control", self._fork_control)
        self._peeker = Child("peeker", self._spawn_peeker)
        self._channel = Channel(self._selector)

    def run(self) -> int:
        launch = self._launch
        self._data_dir.create()
        self._only_one = self._lock()
        self._data_dir.assigned.unlink(missing_ok=True)  # of columns that are no more
        make_room(self._data_dir, launch.workers)
        files = raise_file_limit()
        self._tls = server_context(launch.tls_certificate, launch.tls_key) if launch.tls_certificate else None
        self._listener = self._listen()
        self._crew = Crew(launch.workers, self._worker_spawner, self._data_dir, self._say, self._channel.tell)
        host, port = self._listener.getsockname()[:2]
        self._greeting = Greeting(launch, host, port, str(self._data_dir.root), files)
        self._take_signals()
        connections = room(launch.connections, files)
        self._say.say("started", level="info", workers=launch.workers, files=files, connections=connections)
        self._crew.start()
        while self._step():
            pass
        return self._end()

    # --- start ---

    def _lock(self) -> int:
        """One gateway a data directory. Raises SystemExit with a message when another holds it."""
        fd = os.open(self._data_dir.supervisor_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit(
                f"gateline: another gateway uses {self._data_dir.root}: stop it, or name another --data-dir"
            ) from None
        return fd

    def _listen(self) -> socket.socket:
        launch = self._launch
        family = socket.AF_INET6 if ":" in launch.host else socket.AF_INET
        try:
            listener = socket.create_server((launch.host, launch.port), family=family, backlog=_BACKLOG)
        except OSError as error:
            raise SystemExit(
                f"gateline: cannot listen on {launch.host}:{launch.port} ({_reason(error)}): name another --port"
            ) from None
        listener.setblocking(False)
        return listener

    def _take_signals(self) -> None:
        read, write = socket.socketpair()
        read.setblocking(False)
        write.setblocking(False)
        signal.set_wakeup_fd(write.fileno(), warn_on_full_buffer=False)
        self._wakeup = (read, write)
        self._selector.register(read, selectors.EVENT_READ, "signal")
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, lambda number, _frame: self._signals.append(number))
        self._leaving = os.pipe()
        for end in self._leaving:
            os.set_blocking(end, False)
        self._selector.register(self._leaving[0], selectors.EVENT_READ, "leaving")

    # --- children ---

    def _seat(self, worker: int = -1, channel: socket.socket | None = None) -> Seat:
        config = Path(self._launch.config) if self._launch.config else None
        return Seat(
            data_dir=self._data_dir,
            config=config,
            places=self._crew.places,
            columns=self._crew.columns_map,
            limits=self._crew.limits_map,
            supervisor=self._pid,
            worker=worker,
            listeners=(self._listener,) if worker >= 0 else (),
            leaving=self._leaving[1],
            channel=channel,
            alive=self._crew.alive,
        )

    def _fork(self) -> int:
        """`os.fork`, and in the child nothing left of what is the supervisor's alone.

        SIGTERM and SIGINT are held back until the child has given up our handlers: one that came sooner would only be
        noted in its copy of our list, and the child would never hear that it is to end."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
        try:
            pid = os.fork()
            if pid == 0:
                self._in_child()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
        return pid

    def _in_child(self) -> None:
        """Leaves behind what only the supervisor uses: its signals, its selector, its end of the channel."""
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        for number in (signal.SIGINT, signal.SIGHUP):  # a terminal sends them to all: what they mean is told by us
            signal.signal(number, signal.SIG_IGN)
        self._selector.close()
        os.close(self._only_one)  # the lock is the supervisor's alone: it goes when the supervisor goes
        os.close(self._leaving[0])
        for end in self._wakeup:
            end.close()
        self._channel.abandon()

    def _worker_spawner(self, index: int) -> Callable[[], int]:
        def spawn() -> int:
            pid = self._fork()
            if pid:
                return pid
            from gateline.app.worker import run

            run(self._seat(index), self._tls)
            raise AssertionError("a worker never returns here")

        return spawn

    def _fork_control(self) -> int:
        ours, theirs = socket.socketpair()
        pid = self._fork()
        if pid == 0:
            code = 1
            try:
                ours.close()
                self._listener.close()  # held here, it would keep accepting nobody's connections after the workers end
                from gateline.app.control import main

                main(self._seat(channel=theirs))
                code = 0
            except BaseException as error:  # noqa: BLE001 - the process ends here; the supervisor must see that it failed
                Complaints("control", 0).crash(error)
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        theirs.close()
        self._channel.open(ours)
        self._tell_engines()
        return pid

    def _want_control(self) -> None:
        if not self._control.is_running and not self._control.restarts:
            self._control.start()

    def _start_helpers(self) -> None:
        """Once workers answer: what is slow to start must not slow down their start."""
        self._want_control()
        self._peeker.start()
        self._want_engines(self._launch.engines)

    def _want_engines(self, names: tuple[str, ...]) -> None:
        for name in names:
            if name not in self._engines:
                self._engines[name] = child = Child(f"engine-{name}", self._engine_spawner(name))
                child.start()
        for name, child in self._engines.items():
            if name not in names and child.wanted:
                child.wanted = False
                child.signal(signal.SIGTERM)
            elif name in names and not child.wanted:
                child.wanted = True  # one that is still ending is started again when it has
                if not child.is_running:
                    child.start()
        self._tell_engines()

    def _spawn_peeker(self) -> int:
        command = [sys.executable, "-m", "gateline.app.peeker", str(self._data_dir.peek_socket), str(self._pid)]
        return start_program(command)

    def _engine_spawner(self, name: str) -> Callable[[], int]:
        def spawn() -> int:
            command = [sys.executable, "-m", "gateline.app.engine", "--name", name]
            # Named here: when the engine comes to look, its parent may be gone and another in its place.
            command += ["--data-dir", str(self._data_dir.root), "--parent", str(self._pid)]
            return start_program(command)

        return spawn

    # --- the loop ---

    def _step(self) -> bool:
        """Waits for the next thing to happen and does what it asks for; False when all workers have ended at last."""
        for key, _ in self._selector.select(self._timeout()):
            if key.data == "signal":
                with contextlib.suppress(BlockingIOError):
                    self._wakeup[0].recv(4_096)
            elif key.data == "control":
                self._hear()
        while self._signals:
            self._signalled(self._signals.pop(0))
        ended = reap()
        self._hear_who_leaves()  # whoever said so before it ended has ended as it was told to
        for pid, status in ended:
            self._died(pid, status)
        self._restart_due()
        self._greeting.look(self._crew.columns)
        if self._greeting.is_done and not self._peeker.is_running and not self._peeker.restarts and not self._stopping:
            self._start_helpers()
        if not self._stopping:
            return True
        if monotonic() > self._kill_at:
            self._crew.end(signal.SIGKILL)
        return not self._crew.has_ended

    def _timeout(self) -> float:
        if not self._greeting.is_done:
            return 0.01
        dues = [child.due for child in self._children() if child.restarts and child.wanted and not child.is_running]
        if self._stopping:
            return 0.5
        return max(0.0, min(dues) - monotonic()) if dues else 60.0

    def _children(self) -> list[Child]:
        return [self._control, self._peeker, *self._crew.children, *self._engines.values()]

    def _signalled(self, number: int) -> None:
        if number in {signal.SIGTERM, signal.SIGINT}:
            self._stopping += 1
            if self._stopping == 1:
                self._say.say("draining", level="info", delay=self._launch.drain_delay, grace=self._launch.grace)
                self._kill_at = monotonic() + self._launch.drain_delay + self._launch.grace + _MARGIN
                self._listener.close()  # only workers accept, and none will be started: with the last one it is closed
            # Not SIGTERM: what a whole group is told reaches workers directly as well, and twice would mean "now".
            self._crew.end(signal.SIGUSR2 if self._stopping == 1 else signal.SIGUSR1)
        elif number == signal.SIGHUP:
            self._channel.tell("reload")

    def _died(self, pid: int, status: int) -> None:
        if self._crew.died(pid, status):
            self._want_control()  # at the latest: it may be the one to make room for the journal of the next
            return
        for child in (self._control, self._peeker, *self._engines.values()):
            if child.pid == pid:
                child.died()
                if child.wanted and not self._stopping:
                    wait = round(max(child.due - monotonic(), 0.0), 3)
                    self._say.say("process_died", process=child.name, how=describe(status), restart_in=wait)
                self._tell_engines()

    def _hear_who_leaves(self) -> None:
        with contextlib.suppress(BlockingIOError):
            for place in os.read(self._leaving[0], 4_096):
                self._crew.leaves(place)

    def _restart_due(self) -> None:
        now = monotonic()
        for child in self._children():
            if child.restarts and child.wanted and not child.is_running and child.due <= now:
                child.start()
                self._crew.restarted(child)
                self._tell_engines()

    # --- the control process ---

    def _tell_engines(self) -> None:
        engines = {name: {"pid": child.pid, "restarts": child.restarts} for name, child in self._engines.items()}
        self._channel.tell("engines", engines=engines)

    def _hear(self) -> None:
        for event in self._channel.hear():
            if event["event"] == "first_key":
                self._greeting.first_key(event["token"])
            elif event["event"] == "reloaded":
                self._want_engines(tuple(event["engines"]))

    # --- the end ---

    def _end(self) -> int:
        """All workers have ended: engines next, then the control process, which imports the last records."""
        helpers = [self._peeker, *self._engines.values()]
        for child in helpers:
            child.wanted = False
            child.signal(signal.SIGTERM)
        self._wait_for(helpers, _ENGINE_GRACE)
        self._control.wanted = False
        self._channel.tell("stop")
        self._wait_for([self._control], _CONTROL_GRACE)
        self._say.say("stopped", level="info")
        return 0

    def _wait_for(self, children: list[Child], seconds: float) -> None:
        """Until they have ended; those that have not when the time is up are killed. Even that is waited for: a killed
        process is there until it has been given the processor once more, and nothing of ours outlives us."""
        self._collect(children, seconds)
        for child in children:
            child.signal(signal.SIGKILL)
        self._collect(children, _KILLED_WITHIN)

    def _collect(self, children: list[Child], seconds: float) -> None:
        until = monotonic() + seconds
        while any(child.is_running for child in children) and monotonic() < until:
            self._selector.select(0.1)
            with contextlib.suppress(BlockingIOError):
                self._wakeup[0].recv(4_096)
            for pid, status in reap():
                self._died(pid, status)


def _reason(error: OSError) -> str:
    """The system's words alone: `create_server` adds the address to them, which is said already."""
    return (error.strerror or str(error)).partition(" (while")[0]


def main() -> None:
    """`python -m gateline.app.supervisor LAUNCH`, what `gateline serve` turns into."""
    try:
        code = Supervisor(Launch.load(sys.argv[1])).run()
    except ssl.SSLError as error:
        raise SystemExit(f"gateline: the TLS certificate or key cannot be used: {error.reason}") from None
    raise SystemExit(code)


if __name__ == "__main__":
    main()
