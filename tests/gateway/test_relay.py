"""Streams on their way through a whole worker: what a client gets, however the bytes came and whoever was slow."""

from __future__ import annotations

from pathlib import Path

import h11
import pytest

from tests.gateway.rig import DONE, LAST, ROLE, STREAM_HEAD, USAGE, Gate, chat, chunk
from tests.net.transport import FakeTransport, on_loop

WORDS = [b'data: {"choices":[{"delta":{"content":"%d"}}],"usage":null}\n\n' % number for number in range(8)]
WITHOUT_USAGE = [word.replace(b',"usage":null', b"") for word in WORDS]
STREAM = [STREAM_HEAD, *map(chunk, [ROLE, *WORDS, USAGE, DONE]), LAST]


def body(client: FakeTransport) -> bytes:
    """The body that another implementation of HTTP reads; the answer must be whole."""
    reader = h11.Connection(h11.CLIENT)
    reader.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    reader.receive_data(client.out)
    found = b""
    while not isinstance(event := reader.next_event(), h11.EndOfMessage):
        assert event is not h11.NEED_DATA, "the answer is not whole"
        if isinstance(event, h11.Data):
            found += event.data
    return found


def pause(client: FakeTransport) -> None:
    """The client takes nothing more for now."""
    assert client._protocol is not None
    client._protocol.pause_writing()


def resume(client: FakeTransport) -> None:
    client._protocol.resume_writing()


@on_loop
async def test_a_stream_is_the_same_however_it_is_cut(tmp_path: Path) -> None:
    """Read chunk by chunk, in one read, byte by byte or in two pieces cut anywhere: one answer and one record, and the
    upstream's connection is kept for the next call."""
    gate = Gate(tmp_path)
    wire = b"".join(STREAM)
    _, upstream = await gate.asked(chat(stream=True))
    for reads in ([wire], STREAM, [wire[at : at + 1] for at in range(len(wire))]):
        for read in reads:
            upstream.reply(read)
        gate.journal.records.clear()
        await gate.ask(chat(stream=True))
    for cut in range(1, len(wire)):
        upstream.reply(wire[:cut])
        upstream.reply(wire[cut:])
        record = gate.record
        assert (record.status, record.error, record.usage_source) == (200, "", "provider")
        gate.journal.records.clear()
        client = await gate.ask(chat(stream=True))
        assert not client.out
    for read in STREAM:
        upstream.reply(read)
    assert body(client) == b"".join([ROLE, *WITHOUT_USAGE, DONE])
    assert len(gate.connector.opened) == 1


@on_loop
async def test_every_event_reaches_the_client_in_the_read_that_ended_it(tmp_path: Path) -> None:
    """Nothing waits for a later event, and no event passes in part."""
    gate = Gate(tmp_path)
    client, upstream = await gate.asked(chat(stream=True))
    upstream.reply(STREAM_HEAD + chunk(ROLE))
    for word, passed in zip(WORDS, WITHOUT_USAGE, strict=True):
        client.take()
        wire = chunk(word)
        upstream.reply(wire[:-3])
        assert not client.out
        upstream.reply(wire[-3:-2])
        assert passed in client.out
        upstream.reply(wire[-2:])
    for word, passed in zip(WORDS, WITHOUT_USAGE, strict=True):
        client.take()
        upstream.reply(chunk(word))
        assert client.out == chunk(passed)


@on_loop
async def test_a_slow_client_gets_every_event_in_order(tmp_path: Path) -> None:
    """While a client takes nothing, events wait and nothing is written; when it goes on, they come in their order."""
    gate = Gate(tmp_path)
    client, upstream = await gate.asked(chat(stream=True))
    upstream.reply(STREAM_HEAD + chunk(ROLE))
    for number, word in enumerate(WORDS):
        if number in {2, 5}:
            pause(client)
            written = client.out
        upstream.reply(chunk(word))
        if number in {3, 7}:
            assert client.out == written
            resume(client)
    for event in (USAGE, DONE):
        upstream.reply(chunk(event))
    upstream.reply(LAST)
    assert body(client) == b"".join([ROLE, *WITHOUT_USAGE, DONE])
    assert gate.record.status == 200


@pytest.mark.parametrize("is_slow", [False, True])
@on_loop
async def test_an_end_behind_words_in_one_chunk_is_an_end(tmp_path: Path, is_slow: bool) -> None:
    """`[DONE]` ends the stream wherever in a read it stands, though the body's own end is still to come."""
    gate = Gate(tmp_path)
    client, upstream = await gate.asked(chat(stream=True))
    for event in WORDS[:4]:
        upstream.reply((STREAM_HEAD if event is WORDS[0] else b"") + chunk(event))
    if is_slow:
        pause(client)
    upstream.reply(chunk(WORDS[4] + USAGE + DONE))
    if is_slow:
        resume(client)
    assert body(client) == b"".join([*WITHOUT_USAGE[:5], DONE])
    assert (len(gate.journal.records), upstream.is_broken_off) == (1, False)
    upstream.reply(LAST)
    assert gate.record.usage is not None


@pytest.mark.parametrize("bad", [b'data: {"error":{"message":"busy","code":"b"}}\n\n', b"data: {no\n\n"])
@on_loop
async def test_an_error_behind_words_ends_the_stream(tmp_path: Path, bad: bytes) -> None:
    """What came before it has passed; then comes an error in the client's format, and no `[DONE]`."""
    gate = Gate(tmp_path)
    client, upstream = await gate.asked(chat(stream=True))
    for event in (*WORDS[:4], bad):
        upstream.reply((STREAM_HEAD if event is WORDS[0] else b"") + chunk(event))
    assert body(client).startswith(b"".join(WITHOUT_USAGE[:4]) + b'data: {"error":')
    assert DONE not in client.out
    assert upstream.is_broken_off
    assert gate.record.error


@on_loop
async def test_a_client_that_leaves_a_running_stream_ends_it_at_once(tmp_path: Path) -> None:
    """After any number of events: the upstream is broken off in the client's own callback."""
    gate = Gate(tmp_path)
    client, upstream = await gate.asked(chat(stream=True))
    for event in WORDS:
        upstream.reply((STREAM_HEAD if event is WORDS[0] else b"") + chunk(event))
    sent = len(client.out)
    client.end(ConnectionResetError())
    assert upstream.is_broken_off
    assert (gate.record.status, gate.record.bytes_out) == (499, sent)


@on_loop
async def test_a_stream_over_http_1_0_is_not_chunked(tmp_path: Path) -> None:
    """Its events pass as they are."""
    gate = Gate(tmp_path)
    client, upstream = await gate.asked(chat(version="1.0", stream=True))
    for read in STREAM:
        upstream.reply(read)
    assert client.out.endswith(b"\r\n\r\n" + b"".join([ROLE, *WITHOUT_USAGE, DONE]))
    assert gate.record.bytes_out == len(client.out)


@on_loop
async def test_the_gateways_time_in_a_stream_is_counted(tmp_path: Path) -> None:
    """The record's CPU time grows with every event, whichever way it passed."""
    gate = Gate(tmp_path)
    _, upstream = await gate.asked(chat(stream=True))
    for event in WORDS[:4]:
        upstream.reply((STREAM_HEAD if event is WORDS[0] else b"") + chunk(event))
    (exchange,) = gate.live
    for event in WORDS[4:]:
        before = exchange.flow.busy
        upstream.reply(chunk(event))
        assert exchange.flow.busy > before
