"""What the log says: each process' beginning and end once, refusals at a bounded rate, an access log that is lost."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.journey.gate import Gate, settings
from tests.journey.patience import until
from tests.journey.upstream import Upstream
from tests.journey.wire import Wire, ask, chat, request

_REFUSED = 100


def test_each_process_says_when_it_begins_and_ends(tmp_path: Path, upstream: Upstream) -> None:
    """Two workers: two lines of each kind, under the processes' own names and numbers, in the order of a life."""
    with Gate(tmp_path, settings(upstream.url), workers=2) as gate:
        gate.settle()
        pids = gate.worker_pids()
        gate.signal(signal.SIGTERM)
        assert gate.wait() == 0
        lives = ("worker_started", "worker_drains", "worker_stopped")
        for event in lives:
            assert sorted(line["process"] for line in gate.events(event)) == ["worker-0", "worker-1"]
        assert sorted(line["pid"] for line in gate.events("worker_started")) == sorted(pids)
        assert [line["cut_off"] for line in gate.events("worker_stopped")] == [0, 0]
        for event in ("started", "control_started", "draining", "control_stopped", "stopped"):
            assert len(gate.events(event)) == 1, event


def test_a_flood_of_refusals_is_a_few_lines(tmp_path: Path, upstream: Upstream) -> None:
    """Whoever has no key can fill no disk; every refusal is counted all the same."""
    with Gate(tmp_path, settings(upstream.url)) as gate:
        gate.settle()
        with Wire(gate.port) as wire:
            ids = [wire.send(request("GET", "/nothing")).answer().id for _ in range(_REFUSED)]
        lines = gate.events("request_refused")
        assert [(line["request_id"], line["status"]) for line in lines[:20]] == [(each, 404) for each in ids[:20]]
        assert len(lines) < _REFUSED
        family, label = "gateline_unknown_caller_responses_total", 'status="404"'
        until(lambda: gate.metric(family, label) == _REFUSED, "all are counted")


def test_an_access_log_that_is_lost_is_told_and_stops_nothing(tmp_path: Path, upstream: Upstream) -> None:
    """Its folder goes away while the gateway runs: calls are answered and recorded, the lost lines are counted, and
    the log says so once; when the folder is back the lines go on."""
    folder = tmp_path / "logs"
    folder.mkdir()
    path = folder / "access.log"
    with Gate(tmp_path / "gate", settings(upstream.url, logging={"access": str(path)})) as gate:
        gate.settle()
        first = ask(gate.port, chat(gate.token))
        until(lambda: path.exists() and first.id in path.read_text(), "the first line is written")
        path.unlink()
        folder.rmdir()
        lost = [ask(gate.port, chat(gate.token)).id for _ in range(3)]
        until(lambda: gate.metric("gateline_access_lines_dropped_total") == 3, "three lines are counted")
        assert [gate.record(each)["status"] for each in lost] == [200] * 3
        assert len(gate.events("access_log_failed")) == 1
        folder.mkdir()
        last = ask(gate.port, chat(gate.token))
        until(lambda: path.exists() and last.id in path.read_text(), "a line is written again")
        assert len(gate.events("access_log_failed_over")) == 1
