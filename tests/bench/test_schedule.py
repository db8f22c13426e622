"""Decided times: known before the first request, kept whatever the server does."""

from __future__ import annotations

from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.bench.connection import Connection
from gateline.bench.load import Load
from gateline.bench.plan import Plan, Send, shares, split_url
from gateline.bench.record import Recorder
from gateline.bench.schedule import FixedRate, Replay, Schedule, fixed_rate

SECOND = 1_000_000_000


def times(schedule: Schedule) -> list[int]:
    found = []
    while (at := schedule.next_at()) is not None:
        found.append(at)
        schedule.take()
    return found


@given(st.floats(0.5, 100_000), st.integers(1, 500))
def test_a_fixed_rate_never_drifts(rate: float, count: int) -> None:
    """Request i is due at i / rate, to the nanosecond."""
    assert times(FixedRate(rate, count)) == [int(index * SECOND / rate) for index in range(count)]


def test_duration_and_requests_bound_the_schedule() -> None:
    """Whichever is reached first."""
    assert fixed_rate(100, duration=2, requests=None).left() == 200
    assert fixed_rate(100, duration=2, requests=50).left() == 50
    assert fixed_rate(100, duration=None, requests=7).left() == 7


def test_a_trace_keeps_its_times_and_sizes() -> None:
    """Sends come in the order of their times, each with its own sizes."""
    sends = [Send(20, 1, 2), Send(10, 3, 4)]
    replay = Replay(sends)
    assert replay.next_at() == 10
    assert replay.take() == sends[1]
    assert replay.take() == sends[0]
    assert replay.next_at() is None


@given(st.integers(1, 4), st.integers(4, 40))
def test_processes_share_one_schedule(count: int, requests: int) -> None:
    """Together they send at the very times that one would, and as many."""
    whole = plan(rate=100.0, requests=requests - requests % count)
    both: list[int] = []
    for part in shares(whole, count):
        assert part.rate is not None
        both += times(fixed_rate(part.rate, duration=None, requests=part.requests, phase=part.phase))
    assert sorted(both) == pytest.approx(times(FixedRate(100.0, whole.requests or 0)), abs=1)
    assert sum(part.connections for part in shares(whole, count)) == whole.connections


def plan(**changes: object) -> Plan:
    fields: dict[str, object] = {
        "url": "http://127.0.0.1:1/v1", "key": "k", "model": "m", "kind": "chat", "connections": 8,
        "prompt_tokens": 1, "max_tokens": 1,
    }  # fmt: skip
    return Plan(**{**fields, **changes})  # type: ignore[arg-type]


class Line:
    """A connection that only remembers when it was told to send, and for which decided time."""

    def __init__(self, clock: list[int]) -> None:
        self.clock = clock
        self.sent: list[tuple[int, int]] = []
        self.sent_ns = 0
        self.is_busy = False

    def send(self, request: bytes, due_ns: int) -> None:
        assert request.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
        self.sent_ns = self.clock[0]
        self.sent.append((self.clock[0], due_ns))


def test_requests_leave_at_the_decided_times_and_keep_them_when_they_cannot() -> None:
    """On a fake clock: in time while a connection is free; later, but for the same decided time, when none was."""
    clock = [5 * SECOND]
    load = Load(plan(rate=10.0, requests=6), Recorder(), lambda: clock[0])
    line = Line(clock)
    load.idle.append(cast("Connection", line))
    load.begin(clock[0])
    load.dispatch()
    assert line.sent == [(5 * SECOND, 5 * SECOND)]
    clock[0] += SECOND // 20
    load.dispatch()
    assert len(line.sent) == 1, "nothing is due yet, and the only connection is busy"
    clock[0] += SECOND // 4
    load.dispatch()
    assert len(line.sent) == 1, "two are due, but the connection is still busy"
    for _ in range(2):
        load.busy.clear()
        load.idle.append(cast("Connection", line))
        load.dispatch()
    due = [5 * SECOND, 5 * SECOND + SECOND // 10, 5 * SECOND + SECOND // 5]
    assert line.sent == [(due[0], due[0]), (clock[0], due[1]), (clock[0], due[2])]


@pytest.mark.parametrize(
    ("url", "base", "port"),
    [("http://h:1/v1", "/v1", 1), ("http://h:1", "/v1", 1), ("https://h/openai/v1/", "/openai/v1", 443)],
)
def test_base_urls_are_read_as_clients_do(url: str, base: str, port: int) -> None:
    """A bare origin means its /v1."""
    origin = split_url(url)
    assert (origin.base, origin.port) == (base, port)


@pytest.mark.parametrize("url", ["h:1", "ftp://h", "http://", "http://user:secret@h", "http://h/v1?x=1"])
def test_other_urls_are_refused(url: str) -> None:
    """And a secret in one is not repeated."""
    with pytest.raises(ValueError, match="URL") as refused:
        split_url(url)
    assert "secret" not in str(refused.value)
