"""The process a gateway is: opens the listener, starts workers, control and engines, and keeps them running.

Standard library only, single-threaded, never in the way of a request. Workers are forked, not executed: they inherit
the listener, the shared memory and the TLS ticket keys, so any of them can die and be replaced without a client's
connection attempt being lost.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import mmap
import os
import resource
import selectors
import signal
import socket
import ssl
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from gateline.app.complaints import Complaints
from gateline.app.greeting import Greeting
from gateline.app.launch import Launch
from gateline.app.seat import Seat
from gateline.net.process import Child, describe, reap
from gateline.net.tls import server_context
from gateline.store import columns, limits
from gateline.store.datadir import DataDir

_BACKLOG = 4_096
_ENDING = (signal.SIGTERM, signal.SIGINT)
_FILES = 65_536
_MARGIN = 10.0  # seconds beyond drain delay and grace after which a worker that has not ended is killed
_ENGINE_GRACE = 12.0
_CONTROL_GRACE = 15.0
_CONTROL_NICE = 5  # where cores are short, importing the ledger gives way to answering


class Supervisor:
    """`run` returns the exit status of the gateway."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._data_dir = DataDir(Path(launch.data_dir))
        self._say = Complaints("supervisor", 0)
        self._selector = selectors.DefaultSelector()
        self._signals: list[int] = []
        self._stopping = 0  # how many times it was told to stop
        self._workers: list[Child] = []
        self._engines: dict[str, Child] = {}
        self._control = Child("control", self._fork_control)
        self._peeker = Child("peeker", self._spawn_peeker)
        self._channel: socket.socket | None = None
        self._heard = b""

    def run(self) -> int:
        launch = self._launch
        self._data_dir.create()
        self._only_one = self._lock()
        self._raise_file_limit()
        self._tls = server_context(launch.tls_certificate, launch.tls_key) if launch.tls_certificate else None
        self._listener = self._listen()
        self._columns_map = mmap.mmap(-1, columns.size(launch.workers))
        self._limits_map = mmap.mmap(-1, limits.size(launch.workers))
        self._columns = columns.Columns(self._columns_map, launch.workers)
        host, port = self._listener.getsockname()[:2]
        self._greeting = Greeting(launch, host, port, str(self._data_dir.root))
        self._take_signals()
        self._workers = [Child(f"worker-{i}", self._worker_spawner(i)) for i in range(launch.workers)]
        for child in self._workers:
            child.start()
        self._control.start()
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

    def _raise_file_limit(self) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
        if soft < wanted:
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        self.files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]

    def _listen(self) -> socket.socket:
        launch = self._launch
        family = socket.AF_INET6 if ":" in launch.host else socket.AF_INET
        try:
            listener = socket.create_server((launch.host, launch.port), family=family, backlog=_BACKLOG)
        except OSError as error:
            raise SystemExit(
                f"gateline: cannot listen on {launch.host}:{launch.port} ({error.strerror}): name another --port"
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

    # --- children ---

    def _seat(self, worker: int = -1, channel: socket.socket | None = None) -> Seat:
        config = Path(self._launch.config) if self._launch.config else None
        return Seat(
            data_dir=self._data_dir,
            config=config,
            workers=self._launch.workers,
            columns=self._columns_map,
            limits=self._limits_map,
            worker=worker,
            listeners=(self._listener,) if worker >= 0 else (),
            channel=channel,
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
        for end in self._wakeup:
            end.close()
        if self._channel is not None:
            self._channel.close()

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
                os.nice(_CONTROL_NICE)
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
        if self._channel is not None:
            self._selector.unregister(self._channel)
            self._channel.close()
        ours.setblocking(False)
        self._channel = ours
        self._heard = b""
        self._selector.register(ours, selectors.EVENT_READ, "control")
        return pid

    def _start_helpers(self) -> None:
        """Once workers answer: what is slow to start must not slow down their start."""
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

    def _spawn_peeker(self) -> int:
        command = [sys.executable, "-m", "gateline.app.peeker", str(self._data_dir.peek_socket)]
        return _spawn(command)

    def _engine_spawner(self, name: str) -> Callable[[], int]:
        def spawn() -> int:
            command = [sys.executable, "-m", "gateline.app.engine", "--name", name]
            command += ["--data-dir", str(self._data_dir.root)]
            return _spawn(command)

        return spawn

    # --- the loop ---

    def _step(self) -> bool:
        """Waits for the next thing to happen and does what it asks for; False when all workers have ended at last."""
        for key, _ in self._selector.select(self._timeout()):
            if key.data == "signal":
                with contextlib.suppress(BlockingIOError):
                    self._wakeup[0].recv(4_096)
            else:
                self._hear()
        while self._signals:
            self._signalled(self._signals.pop(0))
        for pid, status in reap():
            self._died(pid, status)
        self._restart_due()
        self._greeting.look(self._columns)
        if self._greeting.is_done and not self._peeker.is_running and not self._peeker.restarts and not self._stopping:
            self._start_helpers()
        if not self._stopping:
            return True
        if monotonic() > self._kill_at:
            for child in self._workers:
                child.signal(signal.SIGKILL)
        return any(child.is_running for child in self._workers)

    def _timeout(self) -> float:
        if not self._greeting.is_done:
            return 0.01
        dues = [child.due for child in self._children() if child.restarts and child.wanted and not child.is_running]
        if self._stopping:
            return 0.5
        return max(0.0, min(dues) - monotonic()) if dues else 60.0

    def _children(self) -> list[Child]:
        return [self._control, self._peeker, *self._workers, *self._engines.values()]

    def _signalled(self, number: int) -> None:
        if number in {signal.SIGTERM, signal.SIGINT}:
            self._stopping += 1
            if self._stopping == 1:
                self._kill_at = monotonic() + self._launch.drain_delay + self._launch.grace + _MARGIN
            # The second time by another signal: two that are alike, close together, can arrive as one.
            told = signal.SIGTERM if self._stopping == 1 else signal.SIGUSR1
            for child in self._workers:
                child.wanted = False
                child.signal(told)
        elif number == signal.SIGHUP:
            self._tell("reload")

    def _died(self, pid: int, status: int) -> None:
        for index, child in enumerate(self._workers):
            if child.pid == pid:
                child.died()
                if child.wanted:
                    self._say.say("worker_died", worker=index, how=describe(status))
                self._columns.zero_gauges(index)
                self._limits_of(index)
                self._columns.worker(index)[columns.WORKER_RESTARTS] += 1 if child.wanted else 0
                self._tell("worker_died", worker=index)
                return
        for child in (self._control, self._peeker, *self._engines.values()):
            if child.pid == pid:
                child.died()
                if child.wanted and not self._stopping:
                    self._say.say("process_died", process=child.name, how=describe(status))

    def _limits_of(self, worker: int) -> None:
        """The dead worker's running calls no longer count against their keys."""
        view = limits.Limits(self._limits_map, worker, self._launch.workers, self._data_dir.limits_lock)
        view.zero_worker(worker)
        view.close()

    def _restart_due(self) -> None:
        now = monotonic()
        for child in self._children():
            if child.restarts and child.wanted and not child.is_running and child.due <= now:
                child.start()
                if child in self._workers:
                    self._tell("worker_started", worker=self._workers.index(child))

    # --- the control process ---

    def _tell(self, event: str, **fields: object) -> None:
        if self._channel is not None:
            with contextlib.suppress(OSError):  # it has just died: it asks the workers itself when it is back
                self._channel.send(json.dumps({"event": event, **fields}).encode() + b"\n")

    def _hear(self) -> None:
        assert self._channel is not None
        try:
            data = self._channel.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(self._channel)
            self._channel.close()
            self._channel = None
            return
        *lines, self._heard = (self._heard + data).split(b"\n")
        for line in lines:
            event = json.loads(line)
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
        self._tell("stop")
        self._wait_for([self._control], _CONTROL_GRACE)
        return 0

    def _wait_for(self, children: list[Child], seconds: float) -> None:
        until = monotonic() + seconds
        while any(child.is_running for child in children) and monotonic() < until:
            self._selector.select(0.1)
            with contextlib.suppress(BlockingIOError):
                self._wakeup[0].recv(4_096)
            for pid, status in reap():
                self._died(pid, status)
        for child in children:
            child.signal(signal.SIGKILL)


def _spawn(command: list[str]) -> int:
    """Starts a program that reads nothing and writes to our stderr. Not through `subprocess`, which now and then
    collects a child of its own accord: its death would never be reported to us. Raises OSError."""
    return os.posix_spawn(
        command[0],
        command,
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, sys.stderr.fileno(), 1),
        ],
        setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],  # which Python ignores, and a program does not expect to be
    )


def main() -> None:
    """`python -m gateline.app.supervisor LAUNCH`, what `gateline serve` turns into."""
    try:
        code = Supervisor(Launch.load(sys.argv[1])).run()
    except ssl.SSLError as error:
        raise SystemExit(f"gateline: the TLS certificate or key cannot be used: {error.reason}") from None
    raise SystemExit(code)


if __name__ == "__main__":
    main()
