"""`kill -9` of each kind of process under load: what was answered is recorded, the rest goes on."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.journey.gate import Gate, settings
from tests.journey.invoice import compare
from tests.journey.load import Load
from tests.journey.patience import until
from tests.journey.processes import children, has_ended
from tests.journey.upstream import Upstream
from tests.journey.wire import Wire, ask, chat, request

STALL = {"fake": "stall,after=3"}


@pytest.fixture
def gate(upstream: Upstream, tmp_path: Path) -> Iterator[Gate]:
    upstream.forget()
    with Gate(tmp_path, settings(upstream.url), workers=2) as running:
        running.settle()
        yield running


def served_by(request_id: str, pid: int) -> bool:
    """Request ids begin with the process that gave them."""
    return request_id.startswith(f"req_{pid:x}")


def control_pid(gate: Gate) -> int:
    """The supervisor's forked child that is no worker."""
    workers = gate.worker_pids()
    (pid,) = [each.pid for each in children(gate.pid) if "supervisor" in each.command and each.pid not in workers]
    return pid


def check_records(gate: Gate, load: Load) -> None:
    """Every answer that a client has whole is in the ledger, once, as the success it was."""
    rows = gate.records()
    known = {row["id"]: row for row in rows}
    assert len(known) == len(rows)
    lost = [answer.id for answer in load.answers if answer.id not in known]
    assert not lost, f"{len(lost)} of {len(load.answers)} answers have no record"
    assert all(known[answer.id]["status"] == answer.status == 200 for answer in load.answers)


def test_a_killed_worker_takes_only_what_it_was_doing(gate: Gate, upstream: Upstream) -> None:
    """Three times: no record of a finished answer is lost, open streams are written off, the other worker's connections
    notice nothing, limits forget the dead one's calls, and it is replaced."""
    token, key = gate.make_key("twelve", concurrency=12)
    dead: set[str] = set()
    with Load(gate.port, gate.token) as load:
        for turn in range(3):
            with ExitStack() as stack:
                streams: dict[str, Wire] = {}
                victim, other = gate.worker_pids()[:: 1 if turn % 2 else -1]
                while len(streams) < 12:
                    wire = stack.enter_context(Wire(gate.port))
                    status, headers = wire.send(chat(token, stream=True, metadata=STALL)).head()
                    assert status == 200
                    streams[dict(headers)["x-request-id"]] = wire
                assert ask(gate.port, chat(token)).status == 429
                load.more(50)
                os.kill(victim, signal.SIGKILL)
                load.more(50)
                until(lambda pid=victim: pid not in gate.worker_pids(), "it is replaced")  # type: ignore[misc]
                gate.settle()
                for request_id, wire in streams.items():
                    if served_by(request_id, victim):
                        dead.add(request_id)
                        with pytest.raises((EOFError, ConnectionResetError)):
                            all(iter(wire.chunk, b""))
                assert any(served_by(request_id, other) for request_id in streams)
                until(lambda: ask(gate.port, chat(token, max_tokens=1)).status == 200, "the dead one's calls are over")
                load.more(50)
            unharmed = [failure for failure in load.failures if served_by(failure[0], other)]
            assert not unharmed, "a connection of the other worker was disturbed"
    assert dead, "no stream was on a killed worker"
    check_records(gate, load)
    rows = {row["id"]: row for row in gate.records()}
    for request_id in dead:
        row = rows[request_id]
        assert (row["status"], row["error"], row["key_id"]) == (500, "worker_died", key.id)
        assert (row["usage_source"], row["cost"], row["input_tokens"]) == ("none", None, None)
        assert (row["model"], row["stream"], row["target"]) == ("plain", 1, "up/gpt-4o-2024-08-06")
    until(lambda: not [line for line in upstream.lines() if line.outcome == "open"], "nothing is left open upstream")
    killed = {row["id"] for row in rows.values() if row["error"] == "worker_died"}
    compare(gate.records(), upstream.lines(), killed=killed)
    assert gate.metric("gateline_worker_restarts_total") == 3
    assert len(gate.events("worker_died")) == 3
    assert sum(worker["restarts"] for worker in gate.status()["workers"]) == 3


def test_a_killed_control_process_stops_no_traffic(gate: Gate, upstream: Upstream) -> None:
    """Known keys go on; what was written meanwhile is imported by its successor, which finds new keys too."""
    with Load(gate.port, gate.token, clients=4) as load:
        load.more(20)
        pid = control_pid(gate)
        os.kill(pid, signal.SIGKILL)
        load.more(20)
        until(lambda: has_ended(pid), "it is dead")
        until(lambda: any("supervisor" in each.command for each in children(gate.pid)), "there are children")
        gate.settle()
        assert control_pid(gate) != pid
        token, key = gate.make_key("later")
        assert ask(gate.port, chat(token)).status == 200
        revoked = gate.command("keys", "revoke", key.id)
        assert revoked.returncode == 0, revoked.stderr
        assert {ask(gate.port, chat(token)).status for _ in range(8)} == {401}
        load.more(20)
    assert load.failures == []
    assert {answer.status for answer in load.answers} == {200}
    check_records(gate, load)
    compare(gate.records(), upstream.lines())
    assert [event["process"] for event in gate.events("process_died")] == ["control"]


def test_workers_without_a_supervisor_drain_by_themselves(gate: Gate, upstream: Upstream) -> None:
    """Streams finish, then the workers end; whoever is started next on that data has every record."""
    pids = [*gate.worker_pids(), control_pid(gate)]
    with Wire(gate.port) as wire:
        status, headers = wire.send(chat(gate.token, stream=True, metadata={"fake": "tps=10,tokens=15"})).head()
        assert status == 200
        first = wire.chunk()
        gate.signal(signal.SIGKILL)
        gate.wait()
        body = first + b"".join(iter(wire.chunk, b""))
        assert body.endswith(b"data: [DONE]\n\n")
        until(lambda: all(map(has_ended, pids)), "all of them end")
    assert gate.record(dict(headers)["x-request-id"])["error"] == ""
    gate.start()
    assert ask(gate.port, request("GET", "/v1/models", gate.token)).status == 200
    compare(gate.records(), upstream.lines())
