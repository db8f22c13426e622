"""The metrics page: sums over two workers are what was sent, and no client can invent a series."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from tests.journey.gate import Gate, settings
from tests.journey.load import Load
from tests.journey.patience import until
from tests.journey.upstream import Upstream
from tests.journey.wire import Wire, ask, chat, request


@pytest.fixture
def gate(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    price = {"input": 2.5, "output": 10}
    models = {
        "priced": {"targets": [{"provider": "up", "model": "priced-upstream"}], "price": price},
        "broken": {"targets": [{"provider": "up", "model": "x@status=500"}], "fallbacks": ["plain"]},
    }
    with Gate(tmp_path_factory.mktemp("gate"), settings(upstream.url, models=models), workers=2) as running:
        running.settle()
        yield running


def told(gate: Gate, family: str, count: float, *labels: str) -> None:
    until(lambda: gate.metric(family, *labels) == count, f"{family}{labels} is {count}: {gate.metric(family, *labels)}")


def test_sums_over_workers_are_what_was_sent(gate: Gate) -> None:
    """Every request is counted once, under the status it got; tokens, cost and retries are those of the ledger."""
    limited, _ = gate.make_key("limited", requests_per_minute=1)
    workers = set()
    for _ in range(30):
        workers.add(ask(gate.port, chat(gate.token, model="priced")).id[:12])
        ask(gate.port, chat(gate.token, stream=True))
    for _ in range(5):
        ask(gate.port, chat(gate.token, model="broken"))
        ask(gate.port, chat("sk-gl-wrong"))
        ask(gate.port, request("GET", "/nowhere"))
        ask(gate.port, chat(limited))
        ask(gate.port, chat(gate.token, model="no-such-model"))
    assert len(workers) == 2
    requests = "gateline_requests_total"
    told(gate, requests, 30, 'model="priced"', 'status="2xx"')
    told(gate, requests, 30 + 5 + 1, 'model="plain"', 'status="2xx"')
    told(gate, requests, 4, 'status="429"')
    told(gate, requests, 5, 'model=""', 'status="4xx"')
    told(gate, requests, 30 + 30 + 5 + 5 + 5)
    told(gate, "gateline_unknown_caller_responses_total", 5, 'status="401"')
    told(gate, "gateline_unknown_caller_responses_total", 5, 'status="404"')
    rows = gate.records()
    assert len(rows) == 75
    retries = sum(max(len(row["attempts"]) - 1, 0) for row in rows)
    assert retries > 0
    told(gate, "gateline_retries_total", retries)
    for kind in ("input", "output"):
        told(gate, "gateline_tokens_total", sum(row[f"{kind}_tokens"] or 0 for row in rows), f'kind="{kind}"')
    told(gate, "gateline_errors_total", sum(bool(row["error"]) for row in rows))
    cost = sum(row["cost"] or 0 for row in rows)
    assert cost > 0
    assert gate.metric("gateline_cost_dollars_total") == pytest.approx(cost / 1e9)
    told(gate, "gateline_request_duration_seconds_count", 75)
    told(gate, "gateline_live_requests", 0)
    assert gate.metric("gateline_upstream_connects_total") >= 2


def test_gauges_show_what_is_open(gate: Gate) -> None:
    with Wire(gate.port) as one, Wire(gate.port) as two:
        for wire in (one, two):
            wire.send(chat(gate.token, stream=True, metadata={"fake": "stall,after=3"})).head()
        told(gate, "gateline_streams_open", 2)
        told(gate, "gateline_requests_in_flight", 2, 'model="plain"')
        told(gate, "gateline_upstream_connections", 2, 'state="busy"')
        until(lambda: gate.metric("gateline_connections") == 2, "two connections are open")
    told(gate, "gateline_streams_open", 0)
    told(gate, "gateline_requests_total", 2, 'status="499"')


def test_names_that_clients_invent_make_no_series(gate: Gate) -> None:
    """A thousand unknown models, keys and paths: the page has the series it had."""
    strange = 'x"}\n\\é'
    for name in ("first", strange):
        ask(gate.port, chat(gate.token, model=name))
    ask(gate.port, chat("sk-gl-none"))
    ask(gate.port, request("GET", "/nowhere"))
    ask(gate.port, chat(gate.token))
    told(gate, "gateline_requests_total", 3)
    before = gate.metrics().keys()
    with Wire(gate.port) as wire:
        for number in range(300):
            wire.send(chat(gate.token, model=f"invented-{number}")).answer()
            wire.send(request("GET", f"/invented-{number}")).answer()
            wire.send(request("GET", f"/v1/models/invented-{number}", gate.token)).answer()
    for number in range(30):
        ask(gate.port, chat(f"sk-gl-invented-{number}"))
    told(gate, "gateline_requests_total", 603)
    assert gate.metrics().keys() == before
    assert "invented" not in gate.metrics_text()


def test_counters_outlive_the_worker_that_counted(gate: Gate) -> None:
    """A killed worker takes along at most what it counted since its last tick; its gauges go to zero."""
    with Load(gate.port, gate.token, clients=4) as load:
        load.more(100)
    known = gate.metric("gateline_requests_total")
    told(gate, "gateline_requests_total", len(load.answers))
    with Wire(gate.port) as wire:
        answer = wire.send(chat(gate.token)).answer()
        told(gate, "gateline_requests_total", len(load.answers) + 1)
        (victim,) = [pid for pid in gate.worker_pids() if answer.id.startswith(f"req_{pid:x}")]
        os.kill(victim, signal.SIGKILL)
        until(lambda: victim not in gate.worker_pids(), "it is replaced")
    gate.settle()
    assert gate.metric("gateline_requests_total") == len(load.answers) + 1 >= known
    told(gate, "gateline_connections", 0)
    told(gate, "gateline_worker_restarts_total", 1)
