"""Clients that leave: the upstream is let go, one record says that they left, ledger and invoice agree."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.journey.gate import Gate, Row, settings
from tests.journey.invoice import compare
from tests.journey.patience import until
from tests.journey.upstream import Upstream
from tests.journey.wire import Wire, chat, request

LEAVE: dict[str, Callable[[Wire], None]] = {"close": Wire.close, "reset": Wire.reset, "half-close": Wire.end}


@pytest.fixture(scope="module")
def gate(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    config = settings(upstream.url, server={"write_timeout": "1s"})
    with Gate(tmp_path_factory.mktemp("gate"), config, workers=2) as running:
        yield running


def gone(gate: Gate, request_id: str) -> Row:
    row = gate.record_soon(request_id)
    assert (row["status"], row["error"], row["client_gone"]) == (499, "client_gone", 1)
    assert (row["usage_source"], row["cost"], row["input_tokens"]) == ("none", None, None)
    return row


@pytest.mark.parametrize("way", LEAVE)
@pytest.mark.parametrize("stream", [False, True])
def test_leaving_before_the_first_byte(stream: bool, way: str, gate: Gate, upstream: Upstream) -> None:
    place = upstream.place()
    with Wire(gate.port) as wire:
        wire.send(chat(gate.token, stream=stream, metadata={"fake": "stall"}))
        request_id = upstream.seen("fault", after=place).id
        LEAVE[way](wire)
        upstream.seen("cancelled", request_id)
    row = gone(gate, request_id)
    assert (row["first_byte"], row["bytes_out"]) == (0, 0)
    assert [attempt["status"] for attempt in row["attempts"]] == [0]


@pytest.mark.parametrize("way", LEAVE)
def test_leaving_in_the_middle_of_a_stream(way: str, gate: Gate, upstream: Upstream) -> None:
    with Wire(gate.port) as wire:
        wire.send(chat(gate.token, stream=True, metadata={"fake": "stall,after=4"}))
        request_id = dict(wire.head()[1])["x-request-id"]
        assert wire.chunk()
        LEAVE[way](wire)
        upstream.seen("cancelled", request_id)
    row = gone(gate, request_id)
    assert row["first_byte"] > 0
    assert row["bytes_out"] > 0
    assert [attempt["status"] for attempt in row["attempts"]] == [200]


def test_leaving_in_the_middle_of_a_body(gate: Gate) -> None:
    """The caller is known by then, so there is a record; no target was asked."""
    before = len(gate.records())
    with Wire(gate.port) as wire:
        wire.send(chat(gate.token)[:-3])
        wire.send(b"")
    until(lambda: len(gate.records()) == before + 1, "a record of who left")
    row = gate.records()[-1]
    assert (row["status"], row["attempts"], row["model"]) == (499, [], "")


def test_leaving_after_the_end_is_no_failure(gate: Gate) -> None:
    for way in LEAVE.values():
        with Wire(gate.port) as wire:
            answer = wire.send(chat(gate.token)).answer()
            way(wire)
        row = gate.record(answer.id)
        assert (row["status"], row["error"], row["client_gone"]) == (200, "", 0)


def test_leaving_while_a_request_waits_behind_it(gate: Gate, upstream: Upstream) -> None:
    """What was pipelined behind an abandoned request is never begun."""
    place = upstream.place()
    with Wire(gate.port) as wire:
        wire.send(chat(gate.token, metadata={"fake": "stall"}) + chat(gate.token, max_tokens=1) * 3)
        request_id = upstream.seen("fault", after=place).id
    upstream.seen("cancelled", request_id)
    gone(gate, request_id)
    assert not [event for event in upstream.lines() if event.number > upstream.line(request_id).number]


def test_a_client_that_reads_nothing_is_let_go(gate: Gate, upstream: Upstream) -> None:
    """An endless answer to nobody: it stops at once where the client does, and ends at the write deadline."""
    for stream in (True, False):
        place = upstream.place()
        with Wire(gate.port) as wire:
            wire.send(chat(gate.token, stream=stream, metadata={"fake": "endless"}))
            request_id = dict(wire.head()[1])["x-request-id"]
            upstream.seen("cancelled", request_id, after=place)
        row = gone(gate, request_id)
        assert row["bytes_out"] < 64_000_000


def test_many_leave_at_random(gate: Gate, upstream: Upstream) -> None:
    """Two hundred calls, half of them abandoned somewhere: one record each, and nothing on the invoice but them."""
    chance = random.Random(7)
    plans = [(chance.random() < 0.5, chance.randrange(6), chance.choice(list(LEAVE))) for _ in range(200)]
    before = len(gate.records())

    def one(plan: tuple[bool, int, str]) -> None:
        leaves, after, way = plan
        with Wire(gate.port) as wire:
            wire.send(chat(gate.token, stream=True, metadata={"fake": "tps=400,tokens=12"}))
            if not leaves:
                assert wire.answer().body.endswith(b"data: [DONE]\n\n")
                return
            if after:
                wire.head()
            for _ in range(after):
                if not wire.chunk():
                    break
            LEAVE[way](wire)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(one, plans, timeout=60))
    until(lambda: len(gate.records()) == before + 200, "one record each")
    until(lambda: not [line for line in upstream.lines() if line.outcome == "open"], "nothing is left open upstream")
    until(lambda: gate.metric("gateline_live_requests") == 0, "nothing is left open here")
    rows = gate.records()[-200:]
    assert sum(not row["error"] for row in rows) >= 90


def test_the_ledger_is_the_invoice(gate: Gate, upstream: Upstream) -> None:
    compare(gate.records(), upstream.lines())


def test_nothing_is_held_for_who_has_left(gate: Gate) -> None:
    """No connection, no upstream, no slot: the gauges return to what they were."""
    with Wire(gate.port) as wire:
        assert wire.send(request("GET", "/livez")).answer().status == 200
    until(lambda: gate.metric("gateline_connections") == 0, "no client connection is open")
    until(lambda: gate.metric("gateline_upstream_connections", 'state="busy"') == 0, "no upstream connection is busy")
    until(lambda: gate.metric("gateline_requests_in_flight") == 0, "no call is in flight")
