"""The control process, run whole: two scripted workers on its feed, the commands on its socket, a supervisor's end of
the channel in the test's hand."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any

import httpx
import msgspec
import pytest
from typer.testing import CliRunner, Result

from gateline.cli.keys import app as keys_command
from gateline.model.engine import State
from gateline.model.feed import Beat, Changed, Found, Hello, Lookup, Publish, Refused, Seen, ToControl, ToWorker
from gateline.model.key import key_hash
from gateline.model.record import RECORD_VERSION, Record
from gateline.model.snapshot import DEFAULT_TENANT, decode
from gateline.store.datadir import DataDir
from gateline.store.journal import Journal, new_incarnation
from gateline.store.sql.lookup import KeyReader
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


def test_the_first_start_makes_the_first_key_and_serves_it(tmp_path: Path) -> None:
    """The token goes to the supervisor alone; workers find its hash; no log line, status or metric holds it."""
    with running(tmp_path) as process:
        process.start_workers()
        token = process.told("first_key")["token"]
        hashed = key_hash(token.encode(), process.data_dir.pepper())
        worker = process.workers[0]
        assert decode(worker.hear(Publish).snapshot).models[DEFAULT_TENANT].keys() == {"local-chat"}
        assert worker.hear(Changed).key.hash == hashed
        worker.say(Lookup(hashed))
        found = worker.hear(Found)
        assert (found.key.name, found.key.admin, found.changed) == ("first", True, 1)
        listed = json.loads(command(process, "list", "--json").stdout)
        assert [key["name"] for key in listed] == ["first"]
        address = process.ask("GET", "/status").json()["admin"]
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=DEADLINE) as page:
            metrics = page.read().decode()
        assert "gateline_connections 0.0" in metrics
        with urllib.request.urlopen(f"http://{address}/livez", timeout=DEADLINE) as page:
            assert page.status == 200
        process.tell(event="stop")
        assert process.wait() == 0
        log = process.log()
        assert all(json.loads(line)["event"] for line in log.splitlines())
        for told in (log, metrics, json.dumps(listed)):
            assert token not in told
            assert token.removeprefix("sk-gl-") not in told


def test_a_second_start_makes_no_key_and_a_lost_supervisor_ends_it(tmp_path: Path) -> None:
    with running(tmp_path) as process:
        process.told("first_key")
        process.hang_up()
        assert process.wait() == 0
    with running(tmp_path) as process:
        process.start_workers()
        assert process.workers[1].hear(Publish).version == 2  # no worker ran the first: it was not kept
        assert command(process, "list", "--json").exit_code == 0
        process.tell(event="stop")
        assert process.wait() == 0
        assert process._lines.readline() == b""


def test_a_revoked_key_is_acknowledged_by_every_worker(tmp_path: Path) -> None:
    with running(tmp_path) as process:
        process.start_workers()
        process.told("first_key")
        made = command(process, "create", "--name", "bob", "--models", "a, b", "--requests-per-minute", "7", "--json")
        assert made.exit_code == 0
        key_id = json.loads(made.stdout)["key"]["id"]
        revoked = command(process, "revoke", key_id)
        assert revoked.exit_code == 0
        assert revoked.stdout.startswith("acknowledged by 2 of 2 workers in ")
        for worker in process.workers:
            versions = [worker.hear(Changed).key for _ in range(3)][1:]
            assert [(key.id, key.revoked, key.models) for key in versions] == [
                (key_id, False, ("a", "b")),
                (key_id, True, ("a", "b")),
            ]


def test_a_worker_that_does_not_acknowledge_makes_revoke_fail(tmp_path: Path) -> None:
    """It says which one, and exits 1; the key is revoked all the same. A worker known to be dead is not waited for."""
    with running(tmp_path) as process:
        process.start_workers(silent=1)
        process.told("first_key")
        made = json.loads(command(process, "create", "--name", "bob", "--json").stdout)
        refused = command(process, "revoke", made["key"]["id"])
        assert refused.exit_code == 1
        assert "acknowledged by 1 of 2 workers" in refused.stdout
        assert "not yet by worker 1" in refused.stderr
        process.tell(event="worker_died", worker=1)
        again = command(process, "revoke", made["key"]["id"])
        assert (again.exit_code, again.stdout.split(" in ")[0]) == (0, "acknowledged by 1 of 1 workers")
        assert process.ask("GET", "/status").json()["workers"][1]["restarts"] == 1


def test_a_key_written_past_the_server_is_announced_too(tmp_path: Path) -> None:
    with running(tmp_path) as process:
        process.start_workers()
        process.told("first_key")
        process.workers[0].hear(Changed)
        process._lock.close()
        process.data_dir.control_socket.unlink(missing_ok=True)
        made = command(process, "create", "--name", "past")
        assert made.exit_code == 0
        assert made.stdout.startswith("sk-gl-")
        assert process.workers[0].hear(Changed).key.name == "past"


def test_mistakes_in_a_command_are_told(tmp_path: Path) -> None:
    with running(tmp_path) as process:
        process.told("first_key")
        unknown = command(process, "revoke", "key_none")
        assert (unknown.exit_code, "there is no key key_none" in unknown.stderr) == (1, True)
        wrong = command(process, "create", "--name", "x", "--requests-per-minute", "0")
        assert (wrong.exit_code, "requests_per_minute: must be at least 1" in wrong.stderr) == (1, True)


def test_a_reload_publishes_a_good_file_and_refuses_a_bad_one(tmp_path: Path) -> None:
    with running(tmp_path) as process:
        process.start_workers()
        process.told("first_key")
        worker = process.workers[0]
        assert worker.hear(Publish).version == 1
        (tmp_path / "gateline.yaml").write_text("models: {local-embed: }\n")
        process.tell(event="reload")
        assert process.told("reloaded") == {"event": "reloaded", "version": 2, "engines": ["local-embed"]}
        assert worker.hear(Publish).version == 2
        (tmp_path / "gateline.yaml").write_text("models: {local-embed: }\nserver: {prot: 1}\n")
        process.tell(event="reload")
        mistakes = process.told("reload_refused")["mistakes"]
        assert mistakes == ["2: server.prot: there is no such field here: did you mean port?"]
        refused = process.ask("POST", "/reload")
        assert (refused.status_code, refused.json()["mistakes"]) == (422, mistakes)
        assert process.ask("GET", "/status").json()["snapshot"] == 2
        lines = [json.loads(line) for line in process.log().splitlines()]
        assert [line["mistakes"] for line in lines if line["event"] == "reload_refused"] == [mistakes]
        (tmp_path / "gateline.yaml").write_text(CONFIG)
        good = process.ask("POST", "/reload").json()
        assert (good["snapshot"], good["running"], good["missing"]) == (3, [0, 1], [])


def test_a_configuration_that_a_worker_refuses_is_withdrawn_and_not_kept(tmp_path: Path) -> None:
    """The command hears which worker and why, the log too; every worker runs the last good one again, and so does the
    next start."""
    with running(tmp_path) as process:
        process.start_workers()
        process.told("first_key")
        process.workers[1].refuses = 3
        (tmp_path / "gateline.yaml").write_text("server: {admin_port: 0}\nmodels: {local-embed: }\n")
        assert process.ask("POST", "/reload").json()["snapshot"] == 2
        kept = process.data_dir.snapshot.read_bytes()
        assert decode(kept).version == 2
        (tmp_path / "gateline.yaml").write_text(CONFIG)
        refused = process.ask("POST", "/reload")
        assert (refused.status_code, refused.json()["mistakes"]) == (422, ["0: worker 1 cannot run it: no such kind"])
        taken = process.workers[0]
        assert [taken.hear(Publish).version for _ in range(4)] == [1, 2, 3, 2]
        assert process.ask("GET", "/status").json()["snapshot"] == 2
        assert process.data_dir.snapshot.read_bytes() == kept
        process.tell(event="reload")
        assert [process.told("reloaded")["version"] for _ in range(2)] == [2, 4]


def test_a_reload_takes_the_logs_along_and_names_what_waits_for_a_start(tmp_path: Path) -> None:
    """`logging` follows the file; a field that only a start reads is named once in the log, and so is its way back."""
    with running(tmp_path) as process:
        process.told("first_key")
        access = tmp_path / "access.log"
        (tmp_path / "gateline.yaml").write_text(
            f"server: {{admin_port: 1}}\nmodels: {{local-chat: }}\nlogging: {{access: {access}, level: warning}}\n"
        )
        assert process.ask("POST", "/reload").status_code == 200
        journal = Journal(DataDir(tmp_path / "data").journal, new_incarnation(), 65536)
        journal.append(msgspec.msgpack.encode(record("one")))
        process.ask("GET", "/usage")
        journal.close()
        assert [json.loads(line)["request_id"] for line in access.read_text().splitlines()] == ["one"]
        (tmp_path / "gateline.yaml").write_text(CONFIG)
        assert process.ask("POST", "/reload").status_code == 200
        lines = [json.loads(line) for line in process.log().splitlines()]
        named = [(line["level"], line["fields"]) for line in lines if line["event"] == "restart_needed"]
        assert named == [("warning", ["server.admin_port"])]


def test_the_status_names_each_engine_its_process_and_what_it_says(tmp_path: Path) -> None:
    """The process as the supervisor tells it; the state from the engine itself, or that nobody answers."""
    with running(tmp_path) as process:
        process.told("first_key")
        process.tell(event="engines", engines={"local-chat": {"pid": 77, "restarts": 2}})
        away = {"pid": 77, "restarts": 2, "state": "away", "detail": "the engine does not answer"}
        give_up = threading.Event()
        timer = threading.Timer(DEADLINE, give_up.set)
        timer.start()
        while process.ask("GET", "/status").json()["engines"] != {"local-chat": away}:
            assert not give_up.wait(0.01), "the supervisor's word did not arrive"
        timer.cancel()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(DataDir(tmp_path / "data").engine_socket("local-chat")))
            listener.listen()
            answering = threading.Thread(target=_greet, args=(listener, State("failed", "no weights", running=3)))
            answering.start()
            (engine,) = process.ask("GET", "/status").json()["engines"].values()
            answering.join(DEADLINE)
        said = {"state": "failed", "detail": "no weights", "waiting": 0, "running": 3}
        assert engine == {"pid": 77, "restarts": 2, **said}


def _greet(listener: socket.socket, state: State) -> None:
    end, _ = listener.accept()
    with end:
        end.sendall(frame(msgspec.msgpack.encode(state)))
        end.settimeout(DEADLINE)
        end.recv(1)


def test_a_database_that_is_away_stops_no_beat_and_loses_no_lookup(tmp_path: Path) -> None:
    """It says so once, keeps beating, answers nothing it does not know, and goes on when the database is back."""
    (tmp_path / "data").mkdir(mode=0o700)
    in_the_way = tmp_path / "data" / "gateline.db"
    in_the_way.mkdir()
    with running(tmp_path) as process:
        process.start_workers()
        worker = process.workers[0]
        worker.say(Lookup(b"?" * 16))
        while "database_away" not in process.log():
            assert not isinstance(worker.hear(Beat | Found), Found)
        for _ in range(8):  # two more seconds of trying
            assert not isinstance(worker.hear(Beat | Found), Found)
        in_the_way.rmdir()
        in_the_way.touch()
        process.told("first_key")
        assert worker.hear(Found).key is None
        process.tell(event="stop")
        assert process.wait() == 0
        events = [json.loads(line)["event"] for line in process.log().splitlines()]
        assert events.count("database_away") == 1
        assert events.count("database_away_over") == 1


def test_a_database_that_was_lost_is_not_made_anew(tmp_path: Path) -> None:
    """A data directory that had one and has none: no key is called unknown, no new admin key is made, the log says what
    to do, and all goes on when it is back."""
    with running(tmp_path) as process:
        process.told("first_key")
        process.tell(event="stop")
        assert process.wait() == 0
        database, aside = process.data_dir.database, tmp_path / "aside.db"
    database.rename(aside)
    with running(tmp_path) as process:
        process.start_workers()
        worker = process.workers[0]
        worker.say(Lookup(b"?" * 16))
        while "database_away" not in process.log():
            assert not isinstance(worker.hear(Beat | Found), Found)
        assert not isinstance(worker.hear(Beat | Found), Found)
        assert not database.exists()
        (away,) = [json.loads(line) for line in process.log().splitlines() if "database_away" in line]
        assert "restore it" in away["cause"]
        aside.rename(database)
        assert worker.hear(Found).key is None
        process.tell(event="stop")
        assert process.wait() == 0
        assert b"first_key" not in b"".join(process._lines)
    database.rename(aside)
    with running(tmp_path) as process:
        process.start_workers()
        while "database_away" not in process.log():
            process.workers[0].hear(Beat)
        process.tell(event="stop")
        assert process.wait() == 0
        assert not database.exists()
        assert "last_import_failed" not in process.log()


def test_what_the_workers_wrote_last_is_imported_before_the_end(tmp_path: Path) -> None:
    with running(tmp_path) as process:
        process.told("first_key")
        journal = Journal(process.data_dir.journal, new_incarnation())
        try:
            journal.append(msgspec.msgpack.encode(record("one")))
            (total,) = process.ask("GET", "/usage?by=model").json()
            assert (total["name"], total["requests"]) == ("m", 1)
            journal.append(msgspec.msgpack.encode(record("two")))
            process.tell(event="stop")
            assert process.wait() == 0
        finally:
            journal.close()
        database = subprocess.run(
            [sys.executable, "-c", COUNT, str(process.data_dir.database)], capture_output=True, text=True, check=True
        )
        assert database.stdout.strip() == "2"


COUNT = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM records').fetchone()[0])"


def test_usage_in_a_wrong_unit_is_told(tmp_path: Path) -> None:
    with running(tmp_path) as process:
        process.told("first_key")
        assert command(process, "list").exit_code == 0
        refused = process.ask("GET", "/usage?since=1x")
        assert (refused.status_code, "duration" in refused.json()["error"]["message"]) == (422, True)
        assert process.ask("GET", "/usage?by=color").status_code == 422


@pytest.mark.parametrize("page", ["/keys", "/status", "/docs", "/openapi.json"])
def test_the_tcp_port_shows_numbers_only(tmp_path: Path, page: str) -> None:
    with running(tmp_path) as process:
        process.told("first_key")
        assert command(process, "list").exit_code == 0
        address = process.ask("GET", "/status").json()["admin"]
        assert httpx.get(f"http://{address}{page}", timeout=DEADLINE).status_code == 404


def test_a_restarted_control_process_serves_what_was_there(tmp_path: Path) -> None:
    """Killed and started again: keys, counter and snapshot version go on where they were."""
    with running(tmp_path) as process:
        token = process.told("first_key")["token"]
        hashed = key_hash(token.encode(), process.data_dir.pepper())
    with running(tmp_path) as process:
        process.start_workers()
        process.workers[0].say(Lookup(hashed))
        assert process.workers[0].hear(Found).key.name == "first"
        reader = KeyReader(process.data_dir.database)
        assert reader.last_change() == 1
        reader.close()
