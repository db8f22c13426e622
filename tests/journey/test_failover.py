"""Faults before the first visible byte: tried again, then elsewhere; the client sees an answer, the record sees all."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.journey.gate import Gate, Row, settings
from tests.journey.invoice import compare
from tests.journey.upstream import Upstream
from tests.journey.wire import Answer, ask, chat

# fault -> what the attempts at the first target are recorded as, (status, error)
WHOLE: dict[str, tuple[int, str]] = {
    "status=500": (500, "server_error"),
    "status=503": (503, "server_error"),
    "status=529": (529, "server_error"),
    "status=408": (408, "invalid_request_error"),
    "status=429": (429, "rate_limit_exceeded"),
    "status=401": (401, "upstream_key_refused"),
    "status=403": (403, "permission_denied"),
    "status=402": (402, "invalid_request_error"),
    "reset": (0, "upstream_unreachable"),
    "reset,after=0": (200, "upstream_broken"),
    "reset,after=1": (200, "upstream_broken"),
    "close": (0, "upstream_unreachable"),
    "close,after=1": (200, "upstream_broken"),
    "stall": (0, "upstream_timeout"),
    "stall,after=0": (200, "upstream_timeout"),
    "stall,after=1": (200, "upstream_timeout"),
    "cut": (200, "upstream_broken"),
    "garbage": (0, "upstream_broken"),
    "garbage,after=1": (200, "upstream_broken"),
    "bad_chunk": (200, "upstream_broken"),
    "bad_json": (200, "upstream_broken"),
    "error_event": (200, "fake_error"),
    "length=7": (200, "upstream_broken"),
    "length=-7": (200, "upstream_broken"),
    "big_head=2000000": (0, "upstream_broken"),
    "redirect": (307, "upstream_broken"),
    "gzip,huge=100000000": (200, "upstream_broken"),
}
STREAMED: dict[str, tuple[int, str]] = {
    "status=500": (500, "server_error"),
    "status=429": (429, "rate_limit_exceeded"),
    "status=401": (401, "upstream_key_refused"),
    "reset": (0, "upstream_unreachable"),
    "reset,after=0": (200, "upstream_broken"),
    "reset,after=1": (200, "upstream_broken"),
    "close": (0, "upstream_unreachable"),
    "close,after=1": (200, "upstream_broken"),
    "stall": (0, "upstream_timeout"),
    "stall,after=0": (200, "upstream_timeout"),
    "stall,after=1": (200, "upstream_timeout"),
    "cut,after=1": (200, "upstream_broken"),
    "garbage": (0, "upstream_broken"),
    "garbage,after=1": (200, "upstream_broken"),
    "bad_chunk,after=1": (200, "upstream_broken"),
    "bad_json,after=0": (200, "upstream_broken"),
    "bad_json,after=1": (200, "upstream_broken"),
    "error_event,after=0": (200, "fake_error"),
    "error_event,after=1": (200, "fake_error"),
    "big_head=2000000": (0, "upstream_broken"),
    "redirect": (307, "upstream_broken"),
}
# Faults that are none to a client that reads well.
HARMLESS = (
    "interim",
    "interim=100",
    "interim=102",
    "second",
    "drip=0.001,tokens=2",
    "gzip",
    "huge=3000000",
    "stall=0.05",
)
ACCOUNT = {"status=401", "status=402", "status=403"}


def names() -> list[str]:
    return [f"w:{fault}" for fault in WHOLE] + [f"s:{fault}" for fault in STREAMED]


def stalled(letter: str) -> str:
    """Who does not wait for a reply that stalls: for a stream's first byte, or for all of a whole one."""
    return "hasty" if letter == "s" else "brief"


@pytest.fixture(scope="module")
def gate(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    with socket.socket() as refusing:  # bound and not listening: it refuses, and nobody else takes the port
        refusing.bind(("127.0.0.1", 0))
        kind = {"kind": "openai-compatible"}
        providers: dict[str, Any] = {
            "hasty": {**kind, "base_url": upstream.url, "timeouts": {"first_byte": "300ms", "idle": "300ms"}},
            "brief": {**kind, "base_url": upstream.url, "timeouts": {"total": "300ms"}},
            "away": {**kind, "base_url": f"http://127.0.0.1:{refusing.getsockname()[1]}/v1"},
        }
        models: dict[str, Any] = {}
        for name in names():
            letter, fault = name.split(":")
            provider = stalled(letter) if fault.startswith("stall") else "up"
            target = {"provider": provider, "model": f"faulty-{letter}@{fault}"}
            models[name] = {"targets": [target], "fallbacks": ["plain"]}
        models["away"] = {"targets": [{"provider": "away", "model": "x"}], "fallbacks": ["plain"]}
        models["twice"] = {"targets": [{"provider": "away", "model": "x"}], "fallbacks": ["w:reset", "plain"]}
        models["once"] = {"targets": [{"provider": "up", "model": "x"}]}
        with Gate(
            tmp_path_factory.mktemp("gate"), settings(upstream.url, providers=providers, models=models)
        ) as running:
            yield running
            compare(running.records(), upstream.lines())


def attempts_of(row: Row) -> list[tuple[str, int, str]]:
    return [(each["target"].partition("/")[0], each["status"], each["error"]) for each in row["attempts"]]


def served(gate: Gate, answer: Answer, fault: str, told: tuple[int, str], stream: bool) -> None:
    assert answer.status == 200, answer.body
    provider = stalled("s" if stream else "w") if fault.startswith("stall") else "up"
    turns = 1 if fault in ACCOUNT or provider == "brief" else 2
    row = gate.record(answer.id)
    failed = [(provider, *told)] * turns
    # On a connection used before, an end without a byte may only mean that it was stale: that costs one attempt more.
    stale = [(provider, *told)] if fault in {"reset", "close"} else []
    assert attempts_of(row) in ([*failed, ("up", 200, "")], [*stale, *failed, ("up", 200, "")])
    assert (row["error"], row["status"], row["target"]) == ("", 200, "up/gpt-4o-2024-08-06")
    assert row["usage_source"] == "provider"
    if stream:
        assert answer.body.endswith(b"data: [DONE]\n\n")
        assert answer.body.count(b'"role":"assistant"') == 1, "the first target's beginning was shown"
    else:
        assert answer.json()["model"] == "gpt-4o-2024-08-06"


@pytest.mark.parametrize("fault", WHOLE)
def test_a_whole_answer_comes_from_elsewhere(fault: str, gate: Gate) -> None:
    answer = ask(gate.port, chat(gate.token, model=f"w:{fault}"))
    served(gate, answer, fault, WHOLE[fault], stream=False)


@pytest.mark.parametrize("fault", STREAMED)
def test_a_stream_comes_from_elsewhere(fault: str, gate: Gate) -> None:
    answer = ask(gate.port, chat(gate.token, model=f"s:{fault}", stream=True))
    served(gate, answer, fault, STREAMED[fault], stream=True)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", HARMLESS)
def test_what_is_odd_but_right_is_passed(fault: str, stream: bool, gate: Gate) -> None:
    """One attempt, one whole answer, known usage; and the next call on that connection gets its own answer."""
    for _ in range(2):
        answer = ask(gate.port, chat(gate.token, stream=stream, metadata={"fake": fault}))
        row = gate.record(answer.id)
        assert (answer.status, attempts_of(row), row["usage_source"]) == (200, [("up", 200, "")], "provider")
        if stream:
            assert answer.body.endswith(b"data: [DONE]\n\n")
        else:
            assert answer.json()["choices"]
        assert b"unasked" not in answer.body
        assert answer.header("content-encoding") == ""


def test_a_provider_that_is_away_is_passed_over(gate: Gate) -> None:
    """Connection refused: tried twice, then the fallback; and a fallback of a fallback."""
    for model, turns in (("away", [("away", 0, "upstream_unreachable")] * 2), ("twice", [])):
        answer = ask(gate.port, chat(gate.token, model=model))
        assert answer.status == 200
        assert attempts_of(gate.record(answer.id))[: len(turns)] == turns
        assert attempts_of(gate.record(answer.id))[-1] == ("up", 200, "")


def test_a_fault_that_passes_is_met_by_another_try(gate: Gate, upstream: Upstream) -> None:
    """Two attempts with ids of their own, one record, one answer."""
    for stream in (False, True):
        answer = ask(
            gate.port,
            chat(gate.token, model="once", stream=stream, metadata={"fake": f"status=500,times=1,tokens={4 + stream}"}),
        )
        assert answer.status == 200
        assert attempts_of(gate.record(answer.id)) == [("up", 500, "server_error"), ("up", 200, "")]
        ids = [line.id for line in upstream.lines() if line.id.startswith(answer.id)]
        assert ids == [answer.id, f"{answer.id}.2"]


def test_a_wait_that_the_upstream_asks_for_is_kept(gate: Gate, upstream: Upstream) -> None:
    """The second attempt begins no sooner than Retry-After says, since it is below the longest back-off."""
    wait = 0.045
    answer = ask(gate.port, chat(gate.token, metadata={"fake": f"status=503,retry_after={wait},times=1"}))
    assert answer.status == 200
    first, second = [line for line in upstream.lines() if line.id.startswith(answer.id)]
    assert first.last_ns is not None
    assert second.accepted_ns - first.last_ns >= wait * 1e9


def test_a_longer_wait_is_not_waited_for(gate: Gate) -> None:
    """Beyond the longest back-off the client is told at once, with the header."""
    answer = ask(gate.port, chat(gate.token, metadata={"fake": "status=429,retry_after=3600"}))
    assert (answer.status, answer.header("retry-after")) == (429, "3600")
    assert len(gate.record(answer.id)["attempts"]) == 1


def test_a_mistake_of_the_client_is_not_tried_again(gate: Gate) -> None:
    """A 400 of the upstream is the answer: no second attempt, no fallback, nothing held against the target."""
    for _ in range(4):
        answer = ask(gate.port, chat(gate.token, model="away", n=200))
        assert (answer.status, answer.error["param"]) == (400, "n")
        assert attempts_of(gate.record(answer.id))[-1] == ("up", 400, "integer_above_max_value")
    assert ask(gate.port, chat(gate.token)).status == 200


def test_a_fallback_is_no_door_to_a_forbidden_model(gate: Gate) -> None:
    """A key that may not use the fallback gets the first target's failure."""
    token, _ = gate.make_key("narrow", models=("w:status=500",))
    answer = ask(gate.port, chat(token, model="w:status=500"))
    assert answer.status == 500
    assert {name for name, _, _ in attempts_of(gate.record(answer.id))} == {"up"}
    assert "gpt-4o-2024-08-06" not in json.dumps(gate.record(answer.id))
