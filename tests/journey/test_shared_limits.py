"""Limits of a key on two workers: exact, told in headers, and decided before a body is read."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

import openai
import pytest

from tests.journey.gate import Gate, settings
from tests.journey.patience import until
from tests.journey.upstream import Upstream
from tests.journey.wire import Answer, Wire, ask, chat, request

STALL = {"fake": "stall,after=2"}


@pytest.fixture(scope="module")
def gate(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    with Gate(tmp_path_factory.mktemp("gate"), settings(upstream.url), workers=2) as running:
        running.settle()
        yield running


def worker_of(gate: Gate, answer: Answer) -> int:
    """Request ids begin with the process that gave them."""
    (pid,) = [pid for pid in gate.worker_pids() if answer.id.startswith(f"req_{pid:x}")]
    return pid


def test_requests_a_minute_are_exact_over_both_workers(gate: Gate) -> None:
    """Of eighty requests on sixteen connections as many pass as the limit says, and one for each interval meanwhile."""
    limit, interval = 10, 6.0
    token, _ = gate.make_key("ten", requests_per_minute=limit)
    began = time.monotonic()
    with ThreadPoolExecutor(16) as pool:
        answers = [
            answer for some in pool.map(lambda _: many(gate, token, 5), range(16), timeout=60) for answer in some
        ]
    refilled = int((time.monotonic() - began) / interval)
    passed = [answer for answer in answers if answer.status == 200]
    refused = [answer for answer in answers if answer.status == 429]
    assert len(passed) + len(refused) == 80
    missed = int(gate.metric("gateline_limit_lock_missed_total"))
    assert limit <= len(passed) <= limit + refilled + missed
    assert len({worker_of(gate, answer) for answer in answers}) == 2
    for answer in answers:
        assert answer.header("x-ratelimit-limit-requests") == "10"
        assert 0 <= int(answer.header("x-ratelimit-remaining-requests")) < limit
        assert 0 <= float(answer.header("x-ratelimit-reset-requests").removesuffix("s")) <= 60
    for answer in refused:
        assert answer.error["code"] == "rate_limit_exceeded"
        assert answer.error["type"] == "rate_limit_error"
        assert 1 <= int(answer.header("retry-after")) <= interval
        assert answer.header("x-ratelimit-remaining-requests") == "0"
    rows = {row["id"]: row for row in gate.records()}
    assert all(rows[answer.id]["status"] == answer.status for answer in answers)
    assert all(rows[answer.id]["attempts"] == [] for answer in refused)


def many(gate: Gate, token: str, count: int) -> list[Answer]:
    with Wire(gate.port) as wire:
        return [wire.send(chat(token, max_tokens=1)).answer() for _ in range(count)]


def test_the_official_client_sees_a_rate_limit(gate: Gate) -> None:
    token, _ = gate.make_key("one", requests_per_minute=1)
    with openai.OpenAI(api_key=token, base_url=gate.url, max_retries=0) as client:
        assert [model.id for model in client.models.list()] == ["plain"]
        with pytest.raises(openai.RateLimitError) as limited:
            client.chat.completions.create(model="plain", messages=[])
    assert 50 <= int(limited.value.response.headers["retry-after"]) <= 60


def test_calls_at_once_are_exact_over_both_workers(gate: Gate) -> None:
    """Of twelve streams begun at the same time three run; each end makes room for one."""
    token, key = gate.make_key("three", concurrency=3)
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(gate.port)) for _ in range(12)]
        until(lambda: gate.metric("gateline_connections") >= 12, "all connections are taken on")
        for wire in wires:
            wire.send(chat(token, stream=True, metadata=STALL))
        heads = [wire.head() for wire in wires]
        running = [wire for wire, (status, _) in zip(wires, heads, strict=True) if status == 200]
        refused = [dict(headers) for status, headers in heads if status == 429]
        assert (len(running), len(refused)) == (3, 9)
        assert {headers["retry-after"] for headers in refused} == {"1"}
        ids = [dict(headers)["x-request-id"] for _, headers in heads]
        assert all(any(name.startswith(f"req_{pid:x}") for name in ids) for pid in gate.worker_pids())
        for wire in running:
            assert ask(gate.port, chat(token)).status == 429
            wire.close()
            following = stack.enter_context(Wire(gate.port))
            until(partial(started, following, token), "the next one is let in")
    until(lambda: ask(gate.port, chat(token)).status == 200, "all have left")
    rows = [row for row in gate.records() if row["key_id"] == key.id]
    assert {row["status"] for row in rows} <= {200, 429, 499}


def started(wire: Wire, token: str) -> bool:
    """Whether a stream that stalls was let in; a refusal is read to its end."""
    status, headers = wire.send(chat(token, stream=True, metadata=STALL)).head()
    if status != 200:
        wire.read(int(dict(headers)["content-length"]))
    return status == 200


def test_a_refused_call_costs_no_body(gate: Gate) -> None:
    """The 429 comes while not one byte of the announced body has been sent, and the connection ends after it."""
    token, _ = gate.make_key("another", requests_per_minute=1)
    assert ask(gate.port, chat(token)).status == 200
    head = request("POST", "/v1/chat/completions", token, None, "Content-Length: 30000000")
    with Wire(gate.port) as wire:
        answer = wire.send(head).answer()
        assert (answer.status, answer.header("connection")) == (429, "close")
    with Wire(gate.port) as wire:
        answer = wire.send(head.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")).answer()
        assert answer.status == 429
    assert gate.record(answer.id)["bytes_in"] == 0
