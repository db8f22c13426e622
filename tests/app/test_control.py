"""The control process, run whole: two scripted workers on its feed, the commands on its socket, a supervisor's end of
the channel in the test's hand."""

from __future__ import annotations

import json
import socket
import threading
import urllib.request
from pathlib import Path

import httpx
import msgspec
import pytest

from gateline.model.engine import State
from gateline.model.feed import Changed, Found, Lookup, Publish
from gateline.model.key import key_hash
from gateline.model.snapshot import DEFAULT_TENANT, decode
from gateline.store.datadir import DataDir
from gateline.store.journal import Journal, new_incarnation
from gateline.store.sql.lookup import KeyReader
from gateline.wire.frames import frame
from tests.app.controlprocess import CONFIG, DEADLINE, command, record, running


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
        assert (refused.status_code, refused.json()["mistakes"]) == (422, ["worker 1 cannot run it: no such kind"])
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
