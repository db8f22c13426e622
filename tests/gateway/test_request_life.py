"""The usual paths of a request through a worker, and its ends from within: one record each, nothing left behind."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from tests.gateway.rig import (
    BODY,
    DONE,
    LAST,
    STREAM_HEAD,
    USAGE,
    WORD,
    Gate,
    call,
    chat,
    chunk,
    get,
    reply,
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
        gate.front.cut_all()
        assert status(client) == (200 if begun else 503)
        assert b"shutting down" in client.out
        assert DONE not in client.out
        assert gate.record.error == "unavailable"


@on_loop
async def test_the_calls_of_a_revoked_key_can_be_cut(tmp_path: Path) -> None:
    """Each ends in an error of its format and is recorded; those of other keys go on."""
    gate = Gate(tmp_path)
    client, upstream = await gate.asked(chat(stream=True))
    upstream.reply(STREAM_HEAD + chunk(WORD))
    gate.front.cut_calls_of("another")
    assert gate.live
    gate.front.cut_calls_of(gate.key.id)
    assert upstream.is_broken_off
    assert b"revoked_api_key" in client.out
    assert DONE not in client.out
    assert gate.record.error == "revoked_api_key"


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
async def test_a_coded_body_goes_on_decoded(tmp_path: Path) -> None:
    """In one gzip member or in several, cut anywhere: the upstream gets plain JSON, and the record what came in."""
    body = chat().partition(b"\r\n\r\n")[2]
    for coded in (gzip.compress(body), gzip.compress(body[:7]) + gzip.compress(b"") + gzip.compress(body[7:])):
        gate = Gate(tmp_path / str(len(coded)))
        wire = call(coded, "Content-Encoding: gzip")
        client = await gate.ask(wire[:-30])
        client.receive(wire[-30:])
        await gate.settle()
        upstream = gate.connector.opened[-1]
        assert upstream.transport.out.endswith(b'{"model":"m-there","messages":[]}')
        assert b"content-encoding" not in upstream.transport.out.lower()
        upstream.reply(reply())
        assert (gate.record.status, gate.record.bytes_in) == (200, len(coded))
