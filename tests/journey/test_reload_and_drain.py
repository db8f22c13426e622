"""Day two: a new configuration, a revoked key, a restart, all under load and without a failed request."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.journey.gate import Gate, settings
from tests.journey.invoice import compare
from tests.journey.load import Load
from tests.journey.patience import DEADLINE, until
from tests.journey.upstream import Upstream
from tests.journey.wire import Answer, Wire, ask, chat, request

SLOW = {"fake": "tps=10,tokens=12"}


@pytest.fixture
def gate(upstream: Upstream, tmp_path: Path) -> Iterator[Gate]:
    upstream.forget()
    with Gate(tmp_path, settings(upstream.url, server={"drain_delay": "1s"}), workers=2) as running:
        yield running


def models(gate: Gate) -> set[str]:
    return {model["id"] for model in ask(gate.port, request("GET", "/v1/models", gate.token)).json()["data"]}


def reload(gate: Gate, upstream: Upstream, **sections: Any) -> None:
    gate.configure(settings(upstream.url, **sections))
    gate.signal(signal.SIGHUP)


def test_a_new_configuration_takes_over_under_load(gate: Gate, upstream: Upstream) -> None:
    """Ten times: no request fails, both workers serve the new model, a stream from before goes on to its end."""
    gate.settle()
    with Load(gate.port, gate.token) as load, Wire(gate.port) as wire:
        load.more(50)
        wire.send(chat(gate.token, stream=True, metadata={"fake": "tps=5,tokens=10"})).head()
        for number in range(10):
            version = gate.status()["snapshot"]
            new = {f"new-{number}": {"targets": [{"provider": "up", "model": f"m-{number}"}]}}
            reload(gate, upstream, models=new)
            until(lambda known=version: gate.status()["snapshot"] > known, "it is compiled")  # type: ignore[misc]
            gate.settle()
            for _ in range(4):
                assert models(gate) == {"plain", f"new-{number}"}
            assert ask(gate.port, chat(gate.token, model=f"new-{number}")).status == 200
            load.more(20)
        assert b"".join(iter(wire.chunk, b"")).endswith(b"data: [DONE]\n\n")
    assert load.failures == []
    assert {answer.status for answer in load.answers} == {200}
    assert ask(gate.port, chat(gate.token, model="new-0")).status == 404
    compare(gate.records(), upstream.lines())


def test_a_provider_that_moves_is_followed(gate: Gate, upstream: Upstream) -> None:
    """A new address takes the calls that follow; those under way end where they began."""
    gate.settle()
    with Upstream() as second, Load(gate.port, gate.token) as load:
        load.more(30)
        reload(gate, second)
        until(lambda: len(second.lines()) > 30, "calls arrive there")
        gate.settle()
        here = len(upstream.lines())
        load.more(30)
        assert len(upstream.lines()) == here
        reload(gate, upstream)
        until(lambda: len(upstream.lines()) > here + 30, "and come back")
        gate.settle()
    assert load.failures == []
    assert {answer.status for answer in load.answers} == {200}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("models: {plain: {targets: [{provider: up, model: m}]}}\n", "plain"),
        ('{"server": {"prot": 1}}', "server.prot"),
        ("a: [", "this is not YAML"),
        ("", None),
    ],
)
def test_a_bad_file_is_refused_in_one_line(text: str, told: str | None, gate: Gate, upstream: Upstream) -> None:
    """The last good configuration stays in force, and a good file after the bad one is taken."""
    gate.settle()
    version = gate.status()["snapshot"]
    if told is None:
        gate.config.unlink()
    else:
        gate.config.write_text(text)
    gate.signal(signal.SIGHUP)
    (line,) = until(lambda: gate.events("reload_refused"), "it is refused")
    assert told is None or told in " ".join(line["mistakes"])
    assert line["in_force"] == gate.status()["snapshot"] == version
    assert models(gate) == {"plain"}
    assert ask(gate.port, chat(gate.token)).status == 200
    reload(gate, upstream, models={"better": {"targets": [{"provider": "up", "model": "m"}]}})
    until(lambda: models(gate) == {"plain", "better"}, "the good one is taken")


def test_a_revoked_key_is_refused_by_all_at_once(gate: Gate) -> None:
    """When the command returns every worker has acknowledged; an open stream of that key goes on to its end."""
    gate.settle()
    token, key = gate.make_key("leaves")
    assert {ask(gate.port, chat(token)).status for _ in range(8)} == {200}
    with Wire(gate.port) as wire:
        wire.send(chat(token, stream=True, metadata={"fake": "tps=4,tokens=12"})).head()
        revoked = gate.command("keys", "revoke", key.id)
        assert (revoked.returncode, revoked.stdout.partition(" in ")[0]) == (0, "acknowledged by 2 of 2 workers")
        with ExitStack() as opened:
            held = [opened.enter_context(Wire(gate.port)) for _ in range(6)]  # spread over both workers
            assert {each.send(request("GET", "/livez")).answer().status for each in held} == {200}
            answers = [each.send(chat(token)).answer() for each in held]
        assert {answer.status for answer in answers} == {401}
        assert {pid for pid in gate.worker_pids() for answer in answers if comes_from(answer, pid)} == {
            *gate.worker_pids()
        }
        assert b"".join(iter(wire.chunk, b"")).endswith(b"data: [DONE]\n\n")
    listed = json.loads(gate.command("keys", "list", "--json").stdout)
    assert [each["revoked"] for each in listed if each["id"] == key.id] == [True]


def test_a_revocation_can_cut_what_runs(gate: Gate) -> None:
    """`--running cut` ends the key's open streams on every worker, each with an error and without `[DONE]`."""
    gate.settle()
    token, key = gate.make_key("thrown out")
    with ExitStack() as opened:
        wires = [opened.enter_context(Wire(gate.port)) for _ in range(4)]
        for wire in wires:
            wire.send(chat(token, stream=True, metadata={"fake": "tps=1,tokens=600"})).head()
        cut = gate.command("keys", "revoke", key.id, "--running", "cut")
        assert cut.returncode == 0, cut.stderr
        for wire in wires:
            whole = b"".join(iter(wire.chunk, b""))
            assert b"revoked_api_key" in whole
            assert b"[DONE]" not in whole


def test_a_key_that_the_command_makes_is_good_at_once(gate: Gate) -> None:
    gate.settle()
    made = gate.command("keys", "create", "--name", "fresh", "--models", "plain", "--json")
    assert made.returncode == 0, made.stderr
    token = json.loads(made.stdout)["token"]
    assert {ask(gate.port, chat(token)).status for _ in range(8)} == {200}


def comes_from(answer: Answer, pid: int) -> bool:
    """Request ids begin with the process that gave them."""
    return answer.id.startswith(f"req_{pid:x}")


def refuses(port: int) -> bool:
    """Whether the system refuses a new client, in place of letting it wait for somebody who accepts."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=DEADLINE).close()
    except ConnectionRefusedError:
        return True
    return False


def readiness(gate: Gate) -> int:
    return ask(gate.port, request("GET", "/readyz")).status


def test_a_drain_finishes_what_runs(gate: Gate, upstream: Upstream) -> None:
    """SIGTERM: not ready first, new connections still served for a while, streams end well, exit status 0."""
    with Wire(gate.port) as stream, Wire(gate.port) as idle:
        idle.send(request("GET", "/livez")).answer()
        _, headers = stream.send(chat(gate.token, stream=True, metadata={"fake": "tps=8,tokens=16"})).head()
        gate.signal(signal.SIGTERM)
        until(lambda: readiness(gate) == 503, "it says that it is not ready")
        assert ask(gate.port, chat(gate.token)).status == 200
        assert ask(gate.port, request("GET", "/livez")).status == 200
        assert idle.rest() == b""
        assert b"".join(iter(stream.chunk, b"")).endswith(b"data: [DONE]\n\n")
        assert gate.wait() == 0, gate.log()
        assert stream.rest() == b""
    assert gate.record(dict(headers)["x-request-id"])["error"] == ""
    compare(gate.records(), upstream.lines())
    assert "defect" not in gate.log()
    assert "crash" not in gate.log()


def test_a_drain_under_load_fails_no_request(gate: Gate, upstream: Upstream) -> None:
    """Clients that ask all the time: each gets its answer, then is told that the connection ends. No answer that was
    begun is cut off: at most a kept connection closes as the next request leaves, once a worker, since who loses it to
    one may find the other just before that ends too. A new one is lost where the system completed it behind a worker's
    last look at the queue: a moment, which no process can close a listener without."""
    with Load(gate.port, gate.token) as load:
        load.more(50)
        gate.signal(signal.SIGTERM)
        until(lambda: readiness(gate) == 503, "it says that it is not ready")
        load.more(50)
        assert gate.wait() == 0, gate.log()
    assert {answer.status for answer in load.answers} == {200}
    for tally in load.tallies:
        unmet = [(last, told) for last, told in tally.failures if "ConnectionRefusedError" not in told]
        assert len(unmet) <= 2, unmet
        assert sum(not last for last, _ in unmet) <= 1, unmet
        assert all("unread" not in told or told.endswith("unread: b''") for _, told in unmet), unmet
    rows = {row["id"]: row for row in gate.records()}
    assert {answer.id for answer in load.answers} == set(rows)  # whatever was served has arrived
    assert not [row for row in rows.values() if row["error"]]
    compare(gate.records(), upstream.lines())


def test_a_second_signal_ends_the_streams_and_says_so(gate: Gate, upstream: Upstream) -> None:
    """Each gets an error in its stream and a record; what had not begun gets 503; exit status 0. Before it comes,
    streams run on and new clients are refused: nobody waits in a queue that nobody takes from."""
    place = upstream.place()
    with Wire(gate.port) as stream, Wire(gate.port) as whole:
        _, headers = stream.send(chat(gate.token, stream=True, metadata={"fake": "stall,after=4"})).head()
        stream.chunk()
        whole.send(chat(gate.token, metadata={"fake": "stall"}))
        waiting = upstream.seen("fault", after=upstream.seen("fault", after=place).seq).id
        gate.signal(signal.SIGTERM)
        until(lambda: readiness(gate) == 503, "it drains")
        until(lambda: refuses(gate.port), "new clients are refused while a stream runs")
        gate.signal(signal.SIGTERM)
        body = b"".join(iter(stream.chunk, b""))
        assert json.loads(body.split(b"\n\n")[-2].removeprefix(b"data: "))["error"]["code"] == "unavailable"
        assert b"[DONE]" not in body
        answer = whole.answer()
        assert (answer.status, answer.error["code"], answer.header("retry-after")) == (503, "unavailable", "1")
        assert gate.wait() == 0, gate.log()
    for request_id in (dict(headers)["x-request-id"], waiting):
        row = gate.record(request_id)
        assert (row["error"], row["usage_source"], row["client_gone"]) == ("unavailable", "none", 0)


def test_the_grace_period_ends(upstream: Upstream, tmp_path: Path) -> None:
    """A stream that outlasts it is cut with an error in the stream."""
    with Gate(tmp_path, settings(upstream.url, server={"grace": "300ms"})) as gate, Wire(gate.port) as wire:
        _, headers = wire.send(chat(gate.token, stream=True, metadata={"fake": "tps=5,tokens=1000"})).head()
        gate.signal(signal.SIGTERM)
        body = b"".join(iter(wire.chunk, b""))
        assert b'"code":"unavailable"' in body
        assert b"[DONE]" not in body
        assert gate.wait() == 0
    assert gate.record(dict(headers)["x-request-id"])["error"] == "unavailable"


def test_a_worker_is_restarted_beside_its_streams(upstream: Upstream, tmp_path: Path) -> None:
    """SIGTERM to the only worker: another answers at once, while the old one keeps its stream, counts it against the
    key's limit and hears of revocations. The second SIGTERM ends the stream in-band, and the old worker with it."""
    upstream.forget()
    with Gate(tmp_path, settings(upstream.url)) as gate, Wire(gate.port) as stream:
        gate.settle()
        token, _ = gate.make_key("one", concurrency=1)
        place = upstream.place()
        _, headers = stream.send(chat(token, stream=True, metadata={"fake": "stall,after=2"})).head()
        upstream.seen("fault", after=place)
        (old,) = gate.worker_pids()
        os.kill(old, signal.SIGTERM)
        until(lambda: comes_from(ask(gate.port, chat(gate.token)), old) is False, "another answers")
        new = until(lambda: {pid for pid in gate.worker_pids() if pid not in {old, None}}, "it is known").pop()
        assert set(gate.worker_pids()) == {old, new}
        assert comes_from(ask(gate.port, chat(gate.token)), new)
        assert readiness(gate) == 200
        refused = ask(gate.port, chat(token))
        assert (refused.status, refused.error["code"], comes_from(refused, new)) == (429, "rate_limit_exceeded", True)
        other, gone = gate.make_key("goes")
        assert ask(gate.port, chat(other)).status == 200
        assert "acknowledged by 2 of 2 workers" in gate.command("keys", "revoke", gone.id).stdout
        os.kill(old, signal.SIGTERM)
        body = b"".join(iter(stream.chunk, b""))
        assert b'"code":"unavailable"' in body
        until(lambda: gate.worker_pids() == [new], "the old one has left")
        assert ask(gate.port, chat(token)).status == 200
        assert gate.record(dict(headers)["x-request-id"])["error"] == "unavailable"
        assert gate.events("worker_died") == []


def test_workers_without_a_supervisor_give_the_port_back(gate: Gate) -> None:
    """`kill -9` of the supervisor: they drain by themselves, and while a stream still runs another can listen."""
    with Wire(gate.port) as stream:
        stream.send(chat(gate.token, stream=True, metadata={"fake": "stall,after=2"})).head()
        stream.chunk()
        gate.signal(signal.SIGKILL)
        gate.wait()
        until(lambda: refuses(gate.port), "the workers have closed the listener")
        socket.create_server(("127.0.0.1", gate.port)).close()


def test_one_data_directory_has_one_gateway(gate: Gate) -> None:
    """A second one on the same data says so and ends."""
    second = gate.command("serve", "--config", str(gate.config), "--port", "0", "--workers", "1")
    assert second.returncode == 1
    assert "another gateway uses" in second.stderr
    assert len(second.stderr.splitlines()) == 1
    assert ask(gate.port, chat(gate.token)).status == 200
