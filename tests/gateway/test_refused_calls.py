"""Calls that are refused before any upstream hears of them: the right status, and one record if the caller is known."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from gateline.model.snapshot import Server
from gateline.store.columns import JOURNAL_REFUSED
from tests.gateway.rig import (
    Gate,
    call,
    chat,
    error,
    get,
    reply,
    snapshot,
    status,
)
from tests.net.transport import on_loop


@on_loop
async def test_nothing_is_served_unrecorded(tmp_path: Path) -> None:
    """A journal that is full refuses new calls; one that fills up during a call cuts its answer off, and the call's
    slot stays open for the supervisor."""
    gate = Gate(tmp_path)
    gate.journal.room = False
    client = await gate.ask(chat())
    assert status(client) == 503
    assert b"retry-after: 30\r\n" in client.out
    gate.journal.room = True
    client, upstream = await gate.asked(chat())
    gate.journal.is_full = True
    upstream.reply(reply())
    assert (client.out, client.events) == (b"", ["abort"])
    assert gate.slots.open_count == 1
    assert (gate.limits.calls(5), len(gate.live), gate.defects) == (0, 0, [])
    assert gate.cells[JOURNAL_REFUSED] == 2


@pytest.mark.parametrize(
    ("wire", "status_", "code"),
    [
        (call(b"{"), 400, None),
        (call(b"[]"), 400, None),
        (call(b'{"model":1}'), 400, None),
        (chat("nobody"), 404, "model_not_found"),
        (call(b"{}", "Content-Encoding: br"), 415, "unsupported_content_encoding"),
        (call(b"{}", "Content-Encoding: gzip"), 400, None),
        (call(gzip.compress(b"{}") + b"more", "Content-Encoding: gzip"), 400, None),
        (call(gzip.compress(bytes(3_000_000)), "Content-Encoding: gzip"), 413, "request_too_large"),
        (call(gzip.compress(bytes(700_000)) * 3, "Content-Encoding: gzip"), 413, "request_too_large"),
        (call(bytes(2_000_001))[:300], 413, "request_too_large"),
    ],
)
@on_loop
async def test_a_known_callers_mistake_is_recorded(tmp_path: Path, wire: bytes, status_: int, code: str | None) -> None:
    """The right status, a message, one record, and no upstream hears of it."""
    gate = Gate(tmp_path, snapshot(server=Server(body_bytes=2_000_000)))
    client = await gate.ask(wire)
    for _ in range(1_000):
        if client.out:
            break
        await gate.tick(0)  # a coded body is decoded in a thread
    assert status(client) == status_
    assert code is None or error(client)["code"] == code
    assert error(client)["message"]
    record = gate.record
    assert (record.status, record.attempts) == (status_, [])
    assert gate.connector.opened == []


@on_loop
async def test_an_unknown_caller_leaves_no_record(tmp_path: Path) -> None:
    """No key, a key of another kind and a path that is none are answered and counted, not recorded."""
    gate = Gate(tmp_path)
    for wire, expected in (
        (chat().replace(b"Authorization", b"X-Nothing"), 401),
        (call(b"{}", token="k" * 300), 401),
        (get("/nowhere"), 404),
        (get("/v1/chat/completions"), 405),
    ):
        assert status(await gate.ask(wire)) == expected
    assert gate.journal.records == []
    assert gate.live == set()


@on_loop
async def test_limits_refuse_before_the_body_is_read(tmp_path: Path) -> None:
    """A second call at once, or too many a minute: 429 with when to come back, before its body has come."""
    gate = Gate(tmp_path, concurrency=1, requests_per_minute=60)
    _, upstream = await gate.asked(chat())
    second = await gate.ask(call(bytes(1_000))[:-900])
    assert status(second) == 429
    assert b"retry-after: 1\r\n" in second.out
    assert second.events == ["eof"]
    upstream.reply(reply())
    assert [each.status for each in gate.journal.records] == [429, 200]
    for _ in range(70):
        client = await gate.ask(get("/v1/models"))
        if status(client) == 429:
            break
    assert b"x-ratelimit-remaining-requests: 0\r\n" in client.out
    assert gate.is_at_rest()
