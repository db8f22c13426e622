"""The supervisor as a process of its own: TLS over its workers, certificates that change, starts that fail."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateline.app.launch import Launch
from gateline.app.program import start_program
from gateline.net.process import reap
from tests.journey.gate import Gate, settings
from tests.journey.patience import DEADLINE, until
from tests.journey.upstream import Upstream
from tests.journey.wire import Wire, ask, chat, request
from tests.net.certificates import certificate

LIVEZ = b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


class Running:
    """`python -m gateline` with a configuration that names a certificate."""

    def __init__(self, folder: Path) -> None:
        self.files = folder / "cert.pem", folder / "key.pem"
        self.install("one")
        self.config = folder / "gateline.yaml"
        self.write(version=1)
        self.log = folder / "log"
        command = ["serve", "--config", str(self.config), "--data-dir", str(folder / "data"), "--port", "0"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gateline", *command, "--workers", "2"], stdout=log, stderr=log
            )
        until(lambda: "ready at https://" in self.log.read_text(), "the gateway is ready")
        self.port = int(self.log.read_text().partition(" ready at https://")[2].split()[0].rpartition(":")[2])
        self.client = ssl.create_default_context(cafile=certificate("one").file)
        self.client.load_verify_locations(certificate("two").file)

    def install(self, name: str) -> None:
        for source, place in zip(certificate(name), self.files, strict=True):
            shutil.copy(source, place.with_suffix(".new"))
            place.with_suffix(".new").replace(place)

    def write(self, version: int) -> None:
        tls = {"certificate": str(self.files[0]), "key": str(self.files[1])}
        written = settings("http://127.0.0.1:9/v1", server={"tls": tls, "cors": {"origins": [f"https://{version}"]}})
        self.config.write_text(json.dumps(written))

    def connect(self, session: ssl.SSLSession | None = None) -> ssl.SSLSocket:
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE)
        return self.client.wrap_socket(sock, server_hostname="127.0.0.1", session=session)

    def ask(self, session: ssl.SSLSession | None = None) -> tuple[bool, str, ssl.SSLSession | None]:
        """One request on a connection of its own: whether it resumed, whose certificate it saw, and its session."""
        with self.connect(session) as tls:
            tls.sendall(LIVEZ)
            assert tls.recv(15) == b"HTTP/1.1 200 OK"
            name = dict(pair[0] for pair in (tls.getpeercert() or {})["subject"])["commonName"]  # type: ignore[misc]
            return bool(tls.session_reused), str(name), tls.session

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(DEADLINE)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    gateway = Running(tmp_path)
    yield gateway
    gateway.stop()
    assert gateway.process.returncode == 0


def test_sessions_resume_on_any_worker_and_over_a_new_certificate(running: Running) -> None:
    """Workers share the keys of their tickets; a reload at SIGHUP, with new files at the same paths, shows new
    connections the new certificate, and breaks neither open connections nor sessions."""
    _, name, session = running.ask()
    assert name == "one"
    held = [running.connect() for _ in range(8)]  # spread over both workers
    resumed = [running.ask(session)[0] for _ in range(12)]
    assert resumed == [True] * 12
    running.install("two")
    running.process.send_signal(signal.SIGHUP)
    until(lambda: running.ask()[1] == "two", "the new certificate is shown")
    names = {running.ask()[1] for _ in range(6)}
    assert "two" in names
    assert running.ask(session)[0]
    for tls in held:
        tls.sendall(LIVEZ)
        assert tls.recv(15) == b"HTTP/1.1 200 OK"
        tls.close()


def readiness(gate: Gate) -> int:
    return ask(gate.port, request("GET", "/readyz")).status


def test_one_interrupt_at_a_terminal_drains_and_two_cut(tmp_path: Path) -> None:
    """Ctrl-C reaches every process of the gateway, and still what runs may finish; the second one ends it in-band.
    The exit status is 0 and nobody prints a traceback."""
    with Upstream() as upstream, Gate(tmp_path, settings(upstream.url, server={"drain_delay": "1s"})) as gate:
        gate.settle()
        with Wire(gate.port) as finishes, Wire(gate.port) as stalls:
            finishes.send(chat(gate.token, stream=True, metadata={"fake": "tps=8,tokens=8"})).head()
            stalls.send(chat(gate.token, stream=True, metadata={"fake": "stall,after=2"})).head()
            os.killpg(gate.pid, signal.SIGINT)
            until(lambda: readiness(gate) == 503, "it drains")
            assert b"".join(iter(finishes.chunk, b"")).endswith(b"data: [DONE]\n\n")
            os.killpg(gate.pid, signal.SIGINT)
            assert b"shutting down" in b"".join(iter(stalls.chunk, b""))
        assert gate.wait() == 0
        assert "Traceback" not in gate.log()
        assert "KeyboardInterrupt" not in gate.log()


def launch(folder: Path, **changes: object) -> Launch:
    fields: dict[str, object] = {
        "data_dir": str(folder), "config": "", "host": "127.0.0.1", "port": 0, "workers": 1, "engines": (),
        "drain_delay": 0.0, "grace": 1.0, **changes,
    }  # fmt: skip
    return Launch(**fields)  # type: ignore[arg-type]


def start(folder: Path, **changes: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateline.app.supervisor", launch(folder, **changes).dump()]
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)


def test_a_start_that_cannot_succeed_says_why(tmp_path: Path) -> None:
    """A port that is taken and a certificate that is none end it with one line that says what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = start(tmp_path / "a", port=taken.getsockname()[1])
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "name another --port" in done.stderr
    broken = tmp_path / "broken.pem"
    broken.write_text("not a certificate")
    done = start(tmp_path / "b", tls_certificate=str(broken), tls_key=str(broken))
    assert done.returncode == 1
    assert done.stderr.startswith("gateline: the TLS certificate or key cannot be used")
    assert done.stderr.count("\n") == 1


def test_a_program_is_started_and_its_death_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    """It reads nothing, writes to stderr, finds no signal ignored that a program counts on, and is reaped by us."""
    code = "import signal, sys; print(repr(sys.stdin.read()), signal.getsignal(signal.SIGPIPE)); sys.exit(3)"
    pid = start_program([sys.executable, "-I", "-c", code])
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert reap() == [(pid, 3 << 8)]
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("''")


STUBBORN = """
import os, sys
from types import SimpleNamespace
from gateline.app.launch import Launch
from gateline.app.supervisor import Supervisor
from gateline.net.process import Child
supervisor = Supervisor(Launch.load(sys.argv[1]))
supervisor._crew = SimpleNamespace(died=lambda pid, status: False)
supervisor._take_signals()
ready, write = os.pipe()
os.set_inheritable(write, True)
work = f"trap '' TERM; echo x >&{write}; while :; do sleep 1; done"
child = Child("engine", lambda: os.posix_spawn("/bin/sh", ["sh", "-c", work], dict(os.environ)))
child.wanted = False
supervisor._engines["engine"] = child
child.start()
pid = child.pid
os.read(ready, 1)
child.signal(15)
supervisor._wait_for([child], 0.1)
try:
    os.kill(pid, 0)
except ProcessLookupError:
    print("gone", child.is_running)
"""


def test_what_does_not_end_is_killed_and_gone_before_we_go(tmp_path: Path) -> None:
    """A process that does not hear SIGTERM is killed, and the supervisor waits until nothing is left of it."""
    text = launch(tmp_path).dump()
    done = subprocess.run(
        [sys.executable, "-c", STUBBORN, text], capture_output=True, text=True, timeout=DEADLINE, check=True
    )
    assert done.stdout == "gone False\n"
