"""Day two: a new configuration, a revoked key, a restart, all under load and without a failed request."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.journey.gate import Gate, settings
from tests.journey.invoice import compare
from tests.journey.load import Load
from tests.journey.patience import until
from tests.journey.upstream import Upstream
from tests.journey.wire import Wire, ask, chat, request

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
        answers = [ask(gate.port, chat(token)) for _ in range(20)]
        assert {answer.status for answer in answers} == {401}
        assert len({answer.id[:10] for answer in answers}) >= 1
        assert b"".join(iter(wire.chunk, b"")).endswith(b"data: [DONE]\n\n")
    listed = json.loads(gate.command("keys", "list", "--json").stdout)
    assert [each["revoked"] for each in listed if each["id"] == key.id] == [True]


def test_a_key_that_the_command_makes_is_good_at_once(gate: Gate) -> None:
    gate.settle()
    made = gate.command("keys", "create", "--name", "fresh", "--models", "plain", "--json")
    assert made.returncode == 0, made.stderr
    token = json.loads(made.stdout)["token"]
    assert {ask(gate.port, chat(token)).status for _ in range(8)} == {200}


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
    """Clients that ask all the time: each gets its answer, then is told that the connection ends; none is cut off."""
    with Load(gate.port, gate.token) as load:
        load.more(50)
        gate.signal(signal.SIGTERM)
        until(lambda: readiness(gate) == 503, "it says that it is not ready")
        load.more(50)
        assert gate.wait() == 0, gate.log()
    assert {answer.status for answer in load.answers} == {200}
    begun = [told for last, told in load.failures if "ConnectionRefusedError" not in told]
    # A connection that waits in the listener's queue when the listener closes is reset, and one that was idle is
    # closed: neither had an answer begun. Each client can meet one of each.
    assert len(begun) <= 2 * len(load.tallies), begun
    rows = {row["id"]: row for row in gate.records()}
    assert all(answer.id in rows for answer in load.answers)
    assert not [row for row in rows.values() if row["error"]]
    compare(gate.records(), upstream.lines())


def test_a_second_signal_ends_the_streams_and_says_so(gate: Gate, upstream: Upstream) -> None:
    """Each gets an error in its stream and a record; what had not begun gets 503; exit status 0."""
    place = upstream.place()
    with Wire(gate.port) as stream, Wire(gate.port) as whole:
        _, headers = stream.send(chat(gate.token, stream=True, metadata={"fake": "stall,after=4"})).head()
        stream.chunk()
        whole.send(chat(gate.token, metadata={"fake": "stall"}))
        waiting = upstream.seen("fault", after=upstream.seen("fault", after=place).seq).id
        gate.signal(signal.SIGTERM)
        until(lambda: readiness(gate) == 503, "it drains")
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


def test_one_data_directory_has_one_gateway(gate: Gate) -> None:
    """A second one on the same data says so and ends."""
    second = gate.command("serve", "--config", str(gate.config), "--port", "0", "--workers", "1")
    assert second.returncode == 1
    assert "another gateway uses" in second.stderr
    assert len(second.stderr.splitlines()) == 1
    assert ask(gate.port, chat(gate.token)).status == 200
