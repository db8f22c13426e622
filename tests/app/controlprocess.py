"""The control process run whole, with two scripted workers on its feed, the commands on its socket and a supervisor's
end of the channel in the test's hand."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any

import httpx
import msgspec
from typer.testing import CliRunner, Result

from gateline.cli.keys import app as keys_command
from gateline.model.feed import Changed, Hello, Publish, Refused, Seen, ToControl, ToWorker
from gateline.model.record import RECORD_VERSION, Record
from gateline.store.datadir import DataDir
from gateline.wire.frames import FrameReader, frame

DEADLINE = 30.0
LAUNCHER = """
import mmap, socket, sys
from pathlib import Path
from gateline.app.control import main
from gateline.app.seat import Seat
from gateline.store import columns
from gateline.store.datadir import DataDir
slow = [name for name in ("sqlalchemy", "alembic", "fastapi", "uvicorn", "pydantic", "genai_prices", "structlog")
        if name in sys.modules]
assert not slow, slow
root, config, channel = sys.argv[1:]
shared = mmap.mmap(-1, columns.size(2))
main(Seat(data_dir=DataDir(Path(root)), config=Path(config), places=2, columns=shared, limits=mmap.mmap(-1, 4096),
          supervisor=0, alive=(0, 1), channel=socket.socket(fileno=int(channel))))
"""
CONFIG = "server: {admin_port: 0}\nmodels: {local-chat: }\n"


class Worker:
    """Acknowledges whatever it is told, unless `silent`; everything it hears goes into `heard`."""

    def __init__(self, index: int, path: Path, *, silent: bool = False) -> None:
        self._index, self._path, self._silent = index, path, silent
        self.heard: Queue[ToWorker] = Queue()
        self.refuses = 0  # this version
        self._socket = self._connected()
        self.say(Hello(index, os.getpid(), 0))
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _connected(self) -> socket.socket:
        give_up = threading.Event()
        timer = threading.Timer(DEADLINE, give_up.set)
        timer.start()
        try:
            while True:
                end = socket.socket(socket.AF_UNIX)
                try:
                    end.connect(str(self._path))
                except OSError:
                    end.close()
                    assert not give_up.wait(0.002), "the feed did not open"
                else:
                    return end
        finally:
            timer.cancel()

    def say(self, message: ToControl) -> None:
        self._socket.sendall(frame(msgspec.msgpack.encode(message)))

    def _listen(self) -> None:
        frames, seen, snapshot = FrameReader(), 0, 0
        while data := self._read():
            for raw in frames.feed(data):
                message = msgspec.msgpack.decode(raw, type=ToWorker)
                self.heard.put(message)
                if isinstance(message, Changed):
                    seen = message.key.changed
                elif isinstance(message, Publish) and message.version == self.refuses:
                    self.say(Refused(message.version, "no such kind"))
                elif isinstance(message, Publish):
                    snapshot = message.version
                if isinstance(message, Changed | Publish) and not self._silent:
                    self.say(Seen(seen, snapshot))

    def _read(self) -> bytes:
        try:
            return self._socket.recv(65536)
        except OSError:
            return b""

    def hear(self, kind: Any) -> Any:
        while True:
            message = self.heard.get(timeout=DEADLINE)
            if isinstance(message, kind):
                return message

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(DEADLINE)
        self._socket.close()


class ControlProcess:
    def __init__(self, root: Path, config: Path) -> None:
        self.data_dir = DataDir(root)
        self.data_dir.create()
        self._lock = self.data_dir.supervisor_lock.open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)  # as the supervisor does: the commands then know that a server runs
        ours, theirs = socket.socketpair()
        self._log = (root / "log").open("a+b")
        self._process = subprocess.Popen(
            [sys.executable, "-c", LAUNCHER, str(root), str(config), str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stderr=self._log,
        )
        theirs.close()
        ours.settimeout(DEADLINE)
        self._channel = ours
        self._lines = ours.makefile("rb")
        self.workers: list[Worker] = []

    def start_workers(self, *, silent: int | None = None) -> None:
        self.workers = [Worker(index, self.data_dir.feed_socket, silent=index == silent) for index in range(2)]

    def tell(self, **event: Any) -> None:
        self._channel.sendall(json.dumps(event).encode() + b"\n")

    def told(self, event: str) -> dict[str, Any]:
        """The next line of this kind."""
        while True:
            line = json.loads(self._lines.readline())
            if line["event"] == event:
                return dict(line)

    def hang_up(self) -> None:
        self._channel.shutdown(socket.SHUT_RDWR)

    def wait(self) -> int:
        return self._process.wait(DEADLINE)

    def log(self) -> str:
        return (self.data_dir.root / "log").read_text()

    def ask(self, method: str, path: str) -> httpx.Response:
        """Waits for a socket that is about to open: the first key is told before it does."""
        end = time.monotonic() + DEADLINE
        while not self._is_open():
            assert time.monotonic() < end, "the control socket did not open"
            time.sleep(0.01)
        transport = httpx.HTTPTransport(uds=str(self.data_dir.control_socket))
        with httpx.Client(transport=transport, timeout=DEADLINE) as client:
            return client.request(method, f"http://control{path}")

    def _is_open(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.data_dir.control_socket)) == 0

    def close(self) -> None:
        self._process.kill()
        self._process.wait(DEADLINE)
        for worker in self.workers:
            worker.close()
        self._lines.close()
        self._channel.close()
        self._lock.close()
        self._log.close()


@contextmanager
def running(root: Path, config: str = CONFIG) -> Iterator[ControlProcess]:
    path = root / "gateline.yaml"
    path.write_text(config)
    process = ControlProcess(root / "data", path)
    try:
        yield process
    finally:
        process.close()


def command(process: ControlProcess, *words: str) -> Result:
    return CliRunner().invoke(keys_command, [*words, "--data-dir", str(process.data_dir.root)])


def record(name: str) -> Record:
    return Record(
        version=RECORD_VERSION, id=name, tenant="default", key_id="key_x", operation="chat.completions", model="m",
        target="up/x", status=200, error="", stream=False, client_gone=False, started=1, first_byte=2, finished=3,
        overhead=0, attempts=[], usage=None, usage_source="none", cost=None, bytes_in=1, bytes_out=1,
    )  # fmt: skip
