"""Work on threads: bounded in time and in number, whatever becomes of the call."""

from __future__ import annotations

import gzip
from pathlib import Path
from threading import Event

import pytest

from gateline.gateway import read, relay, thread
from gateline.model.snapshot import Retry, Server
from gateline.model.usage import Usage
from tests.gateway.rig import BODY, Gate, call, chat, error, reply, snapshot, status
from tests.net.transport import on_loop, until

CODED = call(gzip.compress(b'{"model":"m","messages":[],"pad":"%b"}' % bytes(20_000).hex().encode(), 0),
             "Content-Encoding: gzip")  # fmt: skip
MESSAGE = call(b'{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}').replace(
    b"/v1/chat/completions", b"/v1/messages"
)
LARGE = reply(BODY.replace(b"{}", b'{"message":{"content":"%b"}}' % (b"x" * 2_000_000)))
LIMITED = snapshot(retry=Retry(attempts=1), server=Server(request_timeout=30.0))


class Stuck:
    """Work that does not return before it is `released`."""

    def __init__(self) -> None:
        self.released = Event()

    def __call__(self, *_: object) -> bytes:
        self.released.wait(20)
        return b"{}"


@on_loop
async def test_a_body_that_is_not_read_in_time_ends_its_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """504, once; what the thread brings later is dropped and counted, and its place is free again then."""
    monkeypatch.setattr(read, "_inflated", stuck := Stuck())
    gate = Gate(tmp_path, LIMITED)
    client = await gate.ask(CODED)
    await gate.tick(29)
    assert not client.out
    await gate.tick(2)
    assert (status(client), error(client)["code"]) == (504, "call_timeout")
    assert (gate.record.status, gate.record.error, gate.record.attempts) == (504, "call_timeout", [])
    assert (gate.service.thread_results_dropped, gate.service.in_threads) == (1, 1)
    stuck.released.set()
    await until(lambda: gate.service.in_threads == 0)
    assert len(gate.journal.records) == 1
    assert not gate.defects


@on_loop
async def test_an_answer_that_is_not_translated_in_time_ends_its_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """504 in the client's own format; what it cost is noted, and no target is to blame."""
    monkeypatch.setattr(relay, "write_reply", stuck := Stuck())
    gate = Gate(tmp_path, LIMITED)
    client, upstream = await gate.asked(MESSAGE)
    for at in range(0, len(LARGE), 65_536):
        upstream.reply(LARGE[at : at + 65_536])
    await gate.tick(31)
    stuck.released.set()
    assert status(client) == 504
    assert b'{"type":"error","error":{"type":"' in client.out
    assert (gate.record.error, gate.record.usage) == ("call_timeout", Usage(2, 3))
    assert [target.failures for target in gate.front.router.targets.values()] == [0]
    assert gate.service.thread_results_dropped == 1


@on_loop
async def test_no_more_work_is_taken_than_may_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call beyond it is 503 and told when to come back; others go on."""
    monkeypatch.setattr(read, "_inflated", stuck := Stuck())
    monkeypatch.setattr(thread, "_MOST", 2)
    gate = Gate(tmp_path, LIMITED)
    waiting = [await gate.ask(CODED) for _ in range(2)]
    refused = await gate.ask(CODED)
    assert (status(refused), error(refused)["code"]) == (503, "unavailable")
    assert b"retry-after: 1\r\n" in refused.out
    client, upstream = await gate.asked(chat())
    upstream.reply(reply())
    assert status(client) == 200
    assert not any(each.out for each in waiting)
    stuck.released.set()
    await until(lambda: gate.service.in_threads == 0)


@on_loop
async def test_a_client_that_leaves_leaves_no_work_uncounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its call ends at once; the thread goes on, and still has its place."""
    monkeypatch.setattr(read, "_inflated", stuck := Stuck())
    gate = Gate(tmp_path, LIMITED)
    client = await gate.ask(CODED)
    client.end()
    assert gate.record.status == 499
    assert (gate.service.thread_results_dropped, gate.service.in_threads) == (1, 1)
    stuck.released.set()
    await until(lambda: gate.service.in_threads == 0)
