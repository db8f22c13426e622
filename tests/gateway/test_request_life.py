"""The paths a request can take through a worker, each with its one record and nothing left behind."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from gateline.model.errors import UpstreamUnreachable
from gateline.model.snapshot import Server
from gateline.store.columns import JOURNAL_REFUSED
from tests.gateway.rig import (
    BODY,
    DONE,
    LAST,
    ROLE,
    STREAM_HEAD,
    USAGE,
    WORD,
    Gate,
    call,
    chat,
    chunk,
    error,
    get,
    model,
    provider,
    reply,
    snapshot,
    status,
)
from tests.net.transport import on_loop


@on_loop
async def test_a_plain_call(tmp_path: Path) -> None:
    """Answered with the upstream's body, under the gateway's own head; recorded with tokens and cost; the upstream saw
    the provider's key, never the caller's."""
    gate = Gate(tmp_path)
    client, upstream = await gate.asked(chat())
    assert b"sk-gl-" not in upstream.transport.out
    assert b"Authorization: Bearer sk-of-up\r\n" in upstream.transport.out
    assert b'"model":"m-there"' in upstream.transport.out
    assert (gate.slots.open_count, gate.limits.calls(5), client.out) == (1, 1, b"")
    upstream.reply(reply(BODY, "Set-Cookie: a=b", "x-request-id: theirs"))
    record = gate.record
    assert status(client) == 200
    assert client.out.endswith(BODY)
    assert b"set-cookie" not in client.out.lower()
    assert f"x-request-id: {record.id}\r\n".encode() in client.out
    assert (record.status, record.error, record.target, record.usage_source) == (200, "", "up/m-there", "provider")
    assert record.usage is not None
    assert (record.usage.input, record.usage.output, record.cost) == (2, 3, 8)
    assert record.bytes_out == len(client.out)
    assert [(each.target, each.status, each.error) for each in record.attempts] == [("up/m-there", 200, "")]
    assert record.started <= record.first_byte <= record.finished


@on_loop
async def test_a_client_that_leaves_before_the_first_byte(tmp_path: Path) -> None:
    """The upstream is told at once, and the record says that the client was gone."""
    for orderly in (True, False):
        gate = Gate(tmp_path / str(orderly))
        client, upstream = await gate.asked(chat())
        if orderly:
            client.end_by_peer()
        else:
            client.end(ConnectionResetError())
        assert upstream.is_broken_off
        upstream.lose()
        record = gate.record
        assert (record.status, record.client_gone, record.first_byte, record.bytes_out) == (499, True, 0, 0)
        assert (record.usage_source, record.cost) == ("none", None)
        assert client.out == b""


@on_loop
async def test_a_client_that_leaves_in_the_middle_of_a_stream(tmp_path: Path) -> None:
    """The upstream is told at once; what was sent is counted; what it cost is not known."""
    gate = Gate(tmp_path)
    client, upstream = await gate.asked(chat(stream=True))
    upstream.reply(STREAM_HEAD + chunk(ROLE + WORD))
    sent = len(client.out)
    assert WORD in client.out
    client.end(ConnectionResetError())
    assert upstream.is_broken_off
    record = gate.record
    assert (record.status, record.client_gone, record.stream, record.bytes_out) == (499, True, True, sent)
    assert record.first_byte
    assert (record.usage, record.cost) == (None, None)


@on_loop
async def test_a_client_that_leaves_while_its_upstream_is_dialled(tmp_path: Path) -> None:
    """No connection is left over, and no request goes out for nobody."""
    gate = Gate(tmp_path)
    client = gate.client()
    client.receive(chat())
    client.end_by_peer()
    await gate.settle()
    assert gate.record.client_gone
    assert [each.transport.out for each in gate.connector.opened] in ([], [b""])


@on_loop
async def test_a_client_that_leaves_after_its_answer(tmp_path: Path) -> None:
    """An abort after `finish` stays a success."""
    for wire in (chat(), chat(stream=True)):
        gate = Gate(tmp_path / str(len(wire)))
        client, upstream = await gate.asked(wire)
        upstream.reply(reply() if wire == chat() else STREAM_HEAD + chunk(WORD + USAGE + DONE) + LAST)
        client.end(ConnectionResetError())
        assert (gate.record.status, gate.record.error, gate.record.client_gone) == (200, "", False)


@on_loop
async def test_the_record_comes_before_the_last_byte(tmp_path: Path) -> None:
    """When the last piece reaches the transport, the ledger has the record already."""
    gate = Gate(tmp_path)
    client, upstream = await gate.asked(chat(stream=True))
    seen: list[tuple[int, bool]] = []
    write = client.write

    def noting(data: bytes | bytearray | memoryview) -> None:
        seen.append((len(gate.journal.records), bytes(data).endswith(LAST)))
        write(data)

    client.write = noting  # type: ignore[method-assign]
    gate.service.connections.copy().pop().write = noting  # the connection keeps the method, not the transport
    upstream.reply(STREAM_HEAD + chunk(WORD))
    upstream.reply(chunk(USAGE + DONE) + LAST)
    assert seen[-1] == (1, True)
    assert {count for count, _ in seen[:-1]} == {0}
    assert gate.record.status == 200


@on_loop
async def test_an_upstream_that_ends_before_answering_is_tried_again(tmp_path: Path) -> None:
    """Nothing was visible: the next try answers, and both attempts are in the record."""
    gate = Gate(tmp_path)
    client, upstream = await gate.asked(chat())
    upstream.lose(ConnectionResetError())
    await gate.tick(0.1)
    assert client.out == b""
    gate.connector.opened[1].reply(reply())
    record = gate.record
    assert (status(client), record.status) == (200, 200)
    assert [(each.status, each.error) for each in record.attempts] == [(0, "upstream_unreachable"), (200, "")]


@on_loop
async def test_an_upstream_that_never_answers_well_is_502(tmp_path: Path) -> None:
    """Out of tries the client hears why, in its own format, and the record has each of them."""
    gate = Gate(tmp_path)
    client, _ = await gate.asked(chat())
    for number in range(2):
        gate.connector.opened[number].reply(b"SSH-2.0\r\n\r\n")
        await gate.tick(0.1)
    assert (status(client), error(client)["code"]) == (502, "upstream_broken")
    assert [each.error for each in gate.record.attempts] == ["upstream_broken"] * 2


@on_loop
async def test_a_connection_that_died_idle_costs_no_try(tmp_path: Path) -> None:
    """The request is sent once more on a fresh connection, at once; a fresh one that dies is a failure like any."""
    gate = Gate(tmp_path, snapshot(retry=snapshot().retry.__class__(attempts=1, base=0.01, cap=0.02)))
    client, upstream = await gate.asked(chat())
    upstream.reply(reply())
    client.take()
    client.receive(chat())
    upstream.lose()
    await gate.settle()
    fresh = gate.connector.opened[1]
    fresh.reply(reply())
    assert status(client) == 200
    assert len(gate.journal.records) == 2
    assert gate.journal.records[1].status == 200
    client.take()
    client.receive(chat())
    fresh.lose()
    await gate.settle()
    gate.connector.opened[2].lose()
    await gate.settle()
    assert status(client) == 502
    assert gate.is_at_rest()


@on_loop
async def test_an_upstream_that_breaks_a_visible_stream(tmp_path: Path) -> None:
    """The client gets an error event in its own format and no clean end; the record says what happened."""
    for end in ("reset", "truncated", "garbage"):
        gate = Gate(tmp_path / end)
        client, upstream = await gate.asked(chat(stream=True))
        upstream.reply(STREAM_HEAD + chunk(WORD))
        if end == "garbage":
            upstream.reply(b"zz\r\n")
        else:
            upstream.lose(ConnectionResetError() if end == "reset" else None)
        record = gate.record
        assert (record.status, record.error, len(record.attempts)) == (200, "upstream_broken", 1)
        assert DONE not in client.out
        assert b'data: {"error":' in client.out
        assert client.out.endswith(LAST)


@on_loop
async def test_a_stream_that_breaks_unseen_goes_elsewhere(tmp_path: Path) -> None:
    """Head, comments and the role are held: when nothing else has come, a fallback answers and the client sees only
    that."""
    models = model("m", provider("one"), fallbacks=("n",)), model("n", provider("two"))
    gate = Gate(tmp_path, snapshot(*models))
    client, upstream = await gate.asked(chat(stream=True))
    upstream.reply(STREAM_HEAD + chunk(b": ping\n\n" + ROLE))
    assert client.out == b""
    upstream.lose(ConnectionResetError())
    for _ in range(3):
        await gate.tick(0.1)
        if gate.connector.opened[-1].provider == "one" and gate.connector.opened[-1] is not upstream:
            upstream = gate.connector.opened[-1]
            upstream.lose(ConnectionResetError())
    other = gate.connector.opened[-1]
    assert other.provider == "two"
    other.reply(STREAM_HEAD + chunk(WORD + USAGE + DONE) + LAST)
    assert client.out.count(b"HTTP/1.1") == 1
    assert client.out.count(WORD) == 1
    assert (gate.record.error, gate.record.target) == ("", "two/n-there")


@on_loop
async def test_a_large_body_that_breaks_off_cuts_the_connection(tmp_path: Path) -> None:
    """Part of a plain body is out: only a reset says that it is not whole."""
    gate = Gate(tmp_path)
    client, upstream = await gate.asked(chat())
    upstream.reply(reply(BODY + b" " * 3_000_000)[:200_000])
    assert b"content-length: 3000" in client.out
    upstream.lose()
    assert "abort" in client.events
    assert (gate.record.status, gate.record.error) == (200, "upstream_broken")


@on_loop
async def test_a_large_body_goes_at_the_clients_pace(tmp_path: Path) -> None:
    """While the client takes nothing the upstream is paused; at the end the usage was read from the tail."""
    gate = Gate(tmp_path)
    client, upstream = await gate.asked(chat())
    body = b'{"x":"' + b"y" * 2_000_000 + b'",' + BODY[1:]
    wire = reply(body)
    (connection,) = gate.service.connections
    upstream.reply(wire[:100_000])
    connection.pause_writing()
    upstream.reply(wire[100_000:200_000])
    assert upstream.transport.is_paused
    before = len(client.out)
    connection.resume_writing()
    assert len(client.out) > before
    assert not upstream.transport.is_paused
    upstream.reply(wire[200_000:])
    record = gate.record
    assert client.out.endswith(body)
    assert record.usage is not None
    assert record.usage.input == 2


@on_loop
async def test_head_and_get_of_models(tmp_path: Path) -> None:
    """HEAD gets the head of what GET gets, and both are recorded."""
    gate = Gate(tmp_path)
    client = await gate.ask(get("/v1/models", method="HEAD") + get("/v1/models"))
    await gate.settle()
    head, second, _ = client.out.split(b"HTTP/1.1 200 OK\r\n")[0:3]
    assert head == b""
    assert second.endswith(b"\r\n\r\n")
    assert json.loads(client.out.rpartition(b"\r\n\r\n")[2])["data"][0]["id"] == "m"
    assert [(each.status, each.operation) for each in gate.journal.records] == [(200, "models")] * 2


@on_loop
async def test_informational_replies_and_codings_are_not_the_clients_business(tmp_path: Path) -> None:
    """1xx are skipped, a coded reply is decoded; a bomb is a broken upstream."""
    gate = Gate(tmp_path, snapshot(retry=snapshot().retry.__class__(attempts=1)))
    client, upstream = await gate.asked(chat())
    upstream.reply(b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + reply(gzip.compress(BODY), "Content-Encoding: gzip"))
    assert client.take().endswith(BODY)
    client.receive(chat())
    upstream.reply(reply(gzip.compress(bytes(20_000_000)), "Content-Encoding: gzip"))
    assert status(client) == 502
    assert [each.status for each in gate.journal.records] == [200, 502]


@on_loop
async def test_requests_behind_a_closed_one_leave_no_record(tmp_path: Path) -> None:
    """What is pipelined behind `Connection: close` is not served and not recorded."""
    gate = Gate(tmp_path)
    client, upstream = await gate.asked(chat("m", "Connection: close") + chat())
    upstream.reply(reply())
    await gate.settle()
    assert client.out.count(b"HTTP/1.1 200") == 1
    assert b"connection: close\r\n" in client.out
    assert gate.record.status == 200


@on_loop
async def test_a_cancelled_flow(tmp_path: Path) -> None:
    """A flow that is closed where it waits leaves its record, breaks its upstream off and frees what it held."""
    for begun in (False, True):
        gate = Gate(tmp_path / str(begun))
        _, upstream = await gate.asked(chat(stream=True))
        if begun:
            upstream.reply(STREAM_HEAD + chunk(WORD))
        (exchange,) = gate.live
        exchange.flow.close()
        assert upstream.is_broken_off
        assert len(gate.record.attempts) == 1


@on_loop
async def test_a_process_that_ends_cuts_what_runs(tmp_path: Path) -> None:
    """Before the first byte the client gets a 503, a stream ends in an error event; each is recorded."""
    for begun in (False, True):
        gate = Gate(tmp_path / str(begun))
        client, upstream = await gate.asked(chat(stream=True))
        if begun:
            upstream.reply(STREAM_HEAD + chunk(WORD))
        (exchange,) = gate.live
        exchange.cut()
        assert status(client) == (200 if begun else 503)
        assert b"shutting down" in client.out
        assert DONE not in client.out
        assert gate.record.error == "unavailable"


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
        (call(gzip.compress(bytes(3_000_000)), "Content-Encoding: gzip"), 413, "request_too_large"),
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


@on_loop
async def test_http_1_0_gets_a_stream_that_ends_with_its_connection(tmp_path: Path) -> None:
    """No chunks for who does not know them."""
    gate = Gate(tmp_path)
    client, upstream = await gate.asked(chat(version="1.0", stream=True))
    upstream.reply(STREAM_HEAD + chunk(WORD + USAGE + DONE) + LAST)
    head, _, body = client.out.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head
    assert body == WORD + DONE
    assert client.events == ["close"]
    assert gate.record.status == 200


@on_loop
async def test_an_upstreams_refusal_goes_on_to_the_client(tmp_path: Path) -> None:
    """Status and reason pass; a 429's Retry-After passes; the provider's key does not, whoever quotes it."""
    gate = Gate(tmp_path)
    client, upstream = await gate.asked(chat())
    body = b'{"error":{"message":"bad key sk-of-up","type":"invalid_request_error","code":"nope"}}'
    upstream.reply(reply(body, status="400 Bad"))
    assert (status(client), error(client)["code"]) == (400, "nope")
    assert b"sk-of-up" not in client.out
    assert gate.record.attempts[0].status == 400
    client, upstream = await gate.asked(chat())
    upstream.reply(reply(b"{}", "Retry-After: 60", status="429 Slow"))
    assert status(client) == 429
    assert b"retry-after: 60\r\n" in client.out


@on_loop
async def test_a_large_refusal_is_not_waited_for(tmp_path: Path) -> None:
    """Of an error whose body is large, or a stream, only its beginning is read: the client hears at once."""
    for head in (f"Content-Length: {5_000_000}", "Transfer-Encoding: chunked"):
        kind = "text/event-stream" if "chunked" in head else "application/json"
        gate = Gate(tmp_path / kind.replace("/", "-"))
        client, upstream = await gate.asked(chat())
        upstream.reply(f"HTTP/1.1 400 Bad\r\nContent-Type: {kind}\r\n{head}\r\n\r\n".encode())
        upstream.reply(b"30000\r\n" + b"x" * 150_000)
        assert status(client) == 400
        assert upstream.is_broken_off
        assert gate.record.status == 400


@on_loop
async def test_deadlines_of_an_upstream(tmp_path: Path) -> None:
    """No first byte, silence in a stream, a call without end: each is a timeout by the tick, and the upstream is
    broken off."""
    silent = provider("up", first_byte_timeout=10, idle_timeout=20, total_timeout=100)
    one = snapshot().retry.__class__(attempts=1)
    gate = Gate(tmp_path / "a", snapshot(model("m", silent), retry=one))
    client, upstream = await gate.asked(chat())
    await gate.tick(9)
    assert client.out == b""
    await gate.tick(2)
    assert (status(client), upstream.is_broken_off) == (504, True)
    assert gate.record.error == "upstream_timeout"
    gate = Gate(tmp_path / "b", snapshot(model("m", silent), retry=one))
    client, upstream = await gate.asked(chat(stream=True))
    upstream.reply(STREAM_HEAD + chunk(WORD))
    await gate.tick(19)
    upstream.reply(chunk(WORD))
    await gate.tick(19)
    assert gate.live
    await gate.tick(2)
    assert b"sent nothing for 20 s" in client.out
    assert gate.record.error == "upstream_timeout"
    gate = Gate(tmp_path / "c", snapshot(model("m", silent), retry=one))
    client, upstream = await gate.asked(chat(stream=True))
    upstream.reply(STREAM_HEAD)
    for _ in range(9):
        upstream.reply(chunk(WORD))
        await gate.tick(12)
        if not gate.live:
            break
    assert b"longer than a call may" in client.out
    assert upstream.is_broken_off


@on_loop
async def test_an_unreachable_upstream_is_left_alone_for_a_while(tmp_path: Path) -> None:
    """After three failures in a row another target is asked first, until the cool-down is over."""
    gate = Gate(tmp_path, snapshot(model("m", provider("bad"), provider("good"), weights=(1_000_000, 1))))
    gate.connector.failures["bad"] = UpstreamUnreachable("no")
    for _ in range(4):
        client = await gate.ask(chat())
        for _ in range(3):
            await gate.tick(0.1)
        gate.connector.opened[-1].reply(reply())
        assert status(client) == 200
        client.end_by_peer()
    attempts = [[each.target for each in record.attempts] for record in gate.journal.records]
    assert attempts[0] == ["bad/m-there", "bad/m-there", "good/m-there"]
    assert attempts[-1] == ["good/m-there"]
