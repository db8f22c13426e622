"""Large replies on their way through a whole worker: what is looked at before any of it passes."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest

from gateline.model.snapshot import Retry
from gateline.model.usage import Usage
from tests.gateway.rig import (
    BODY,
    LAST,
    STREAM_HEAD,
    USAGE,
    WORD,
    Gate,
    Upstream,
    call,
    chat,
    chunk,
    error,
    model,
    provider,
    snapshot,
    status,
)
from tests.net.transport import FakeTransport, on_loop, until

MIB = 1_048_576
ONCE = Retry(attempts=1)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def announced(body: bytes) -> bytes:
    return HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body


def in_chunks(body: bytes) -> bytes:
    pieces = [chunk(body[at : at + 50_000]) for at in range(0, len(body), 50_000)]
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(pieces) + LAST


def send(upstream: Upstream, wire: bytes) -> None:
    for at in range(0, len(wire), 65_536):
        if not upstream.is_broken_off:
            upstream.reply(wire[at : at + 65_536])


@pytest.mark.parametrize("framed", [announced, in_chunks])
@pytest.mark.parametrize("body", [b"a" * 2 * MIB, b" \r\n\t<" + b"{" * 2 * MIB, b"[" * 2 * MIB, b" " * 2 * MIB])
@on_loop
async def test_a_large_reply_that_begins_no_object_is_not_relayed(tmp_path: Path, framed: object, body: bytes) -> None:
    """Not a byte of it: the client gets 502, the record says why, and the upstream is broken off."""
    gate = Gate(tmp_path, snapshot(retry=ONCE))
    client, upstream = await gate.asked(chat())
    send(upstream, framed(body))  # type: ignore[operator]
    await gate.settle()
    assert (status(client), error(client)["code"]) == (502, "upstream_broken")
    assert upstream.is_broken_off
    assert (gate.record.error, gate.record.status) == ("upstream_broken", 502)


@on_loop
async def test_a_fallback_answers_for_a_large_reply_that_is_none(tmp_path: Path) -> None:
    """Nothing was visible: another target may answer."""
    models = model("m", provider("one"), fallbacks=("n",)), model("n", provider("two"))
    gate = Gate(tmp_path, snapshot(*models, retry=ONCE))
    client, upstream = await gate.asked(chat())
    send(upstream, announced(b"a" * 2 * MIB))
    await gate.settle()
    other = gate.connector.opened[-1]
    assert other.provider == "two"
    body = b'{"a":"%b"}' % (b"x" * 2 * MIB)
    send(other, announced(body))
    assert client.out.endswith(body)
    assert (gate.record.status, gate.record.target) == (200, "two/n-there")


@pytest.mark.parametrize("framed", [announced, in_chunks])
@pytest.mark.parametrize("blank", [b"", b" ", b"\r\n\t " * 2_000])
@on_loop
async def test_a_large_reply_passes_as_it_is(tmp_path: Path, framed: object, blank: bytes) -> None:
    """Blank bytes ahead of the object and all, though they come alone and long before it."""
    gate = Gate(tmp_path, snapshot(retry=ONCE))
    client, upstream = await gate.asked(chat())
    body = blank + b'{"a":"%b"}' % (b"x" * 2 * MIB)
    wire = framed(body)  # type: ignore[operator]
    start = wire.index(b"{")
    upstream.reply(wire[:start])
    await gate.settle()
    assert not client.out
    send(upstream, wire[start:])
    await gate.settle()
    assert status(client) == 200
    assert client.out.count(b"x") >= 2 * MIB
    assert gate.record.status == 200


@pytest.mark.parametrize("framed", [announced, in_chunks])
@on_loop
async def test_usage_ahead_of_what_is_large_is_noted(tmp_path: Path, framed: object) -> None:
    """Some vendors say it first: it is looked for at both ends."""
    gate = Gate(tmp_path, snapshot(retry=ONCE))
    client, upstream = await gate.asked(chat())
    body = b'{"usage":{"prompt_tokens":2,"completion_tokens":3},"choices":[{"message":{"content":"%b"}}]}'
    send(upstream, framed(body % (b"x, " * MIB)))  # type: ignore[operator]
    await until(lambda: gate.journal.records)
    assert (status(client), gate.record.usage) == (200, Usage(2, 3))


@on_loop
async def test_a_large_reply_that_never_begins_ends_in_time(tmp_path: Path) -> None:
    """Its head alone is not an answer: the idle deadline of the upstream counts."""
    gate = Gate(tmp_path, snapshot(model("m", provider("up", idle_timeout=5.0)), retry=ONCE))
    client, upstream = await gate.asked(chat())
    wire = announced(b"{" + b" " * 2 * MIB)
    upstream.reply(wire[: wire.index(b"{")])
    await gate.tick(4)
    assert not client.out
    await gate.tick(2)
    assert status(client) == 504
    assert gate.record.error == "upstream_timeout"


# --- coded ---


def coded(body: bytes, framed: object) -> bytes:
    wire: bytes = framed(gzip.compress(body, 1))  # type: ignore[operator]
    return wire.replace(b"\r\n", b"\r\nContent-Encoding: gzip\r\n", 1)


def mixed(size: int) -> bytes:
    """An object that codes to a fiftieth or so."""
    noise = random.Random(1).randbytes(size // 200).hex().encode()
    return b'{"choices":[{}],"a":"%b%b"}' % (noise, b"x" * (size - len(noise)))


@pytest.mark.parametrize("framed", [announced, in_chunks])
@pytest.mark.parametrize("size", [100_000, 900_000, 20 * MIB])
@on_loop
async def test_a_coded_reply_is_decoded_a_little_a_turn(tmp_path: Path, framed: object, size: int) -> None:
    """However much comes out of one read, the loop has others' turns in between; the client gets all of it."""
    gate = Gate(tmp_path, snapshot(retry=ONCE))
    client, upstream = await gate.asked(chat())
    body = mixed(size)
    upstream.reply(coded(body, framed))
    await until(lambda: gate.journal.records)
    assert (status(client), gate.record.status) == (200, 200)
    assert decoded(client) == body
    client.take()
    client.receive(chat())
    upstream.reply(announced(BODY))  # the connection is in order, and reading
    assert not upstream.transport.is_paused
    assert client.out.endswith(BODY)


@on_loop
async def test_others_are_served_while_a_coded_reply_is_decoded(tmp_path: Path) -> None:
    """At most 256 KiB a turn: 20 MiB take 80 turns, and in each another client is answered."""
    gate = Gate(tmp_path, snapshot(retry=ONCE))
    client, upstream = await gate.asked(chat())
    before = len(client.out)
    upstream.reply(coded(mixed(20 * MIB), announced))
    for _ in range(70):
        grown, before = len(client.out) - before, len(client.out)
        assert grown <= 2 * MIB
        assert not gate.journal.records
        assert upstream.transport.is_paused
        await gate.settle_once()
    await until(lambda: gate.journal.records)
    assert decoded(client) == mixed(20 * MIB)


@on_loop
async def test_a_slow_client_holds_the_decoding_back(tmp_path: Path) -> None:
    """While it takes nothing, no more is decoded than a turn's; then the rest follows."""
    gate = Gate(tmp_path, snapshot(retry=ONCE))
    client, upstream = await gate.asked(chat())
    body = mixed(5 * MIB)
    client._protocol.pause_writing()
    upstream.reply(coded(body, announced))
    await gate.settle()
    await gate.settle()
    assert not client.out.partition(b"\r\n\r\n")[2]
    assert 0 < upstream.connection.size <= 2 * MIB
    client._protocol.resume_writing()
    await until(lambda: gate.journal.records)
    assert decoded(client) == body


@pytest.mark.parametrize("how", ["client", "upstream", "cut"])
@on_loop
async def test_an_end_during_the_decoding(tmp_path: Path, how: str) -> None:
    """A client that leaves ends it; an upstream that has sent all of it may go; one that has not, has broken off."""
    gate = Gate(tmp_path, snapshot(retry=ONCE))
    client, upstream = await gate.asked(chat())
    wire = coded(mixed(5 * MIB), announced)
    upstream.reply(wire[:-10] if how == "cut" else wire)
    if how == "client":
        client.end(ConnectionResetError())
    else:
        upstream.lose()
    await until(lambda: gate.journal.records)
    await gate.settle()
    ends = {"client": (499, "client_gone"), "upstream": (200, ""), "cut": (502, "upstream_broken")}
    assert (gate.record.status, gate.record.error) == ends[how]
    assert not gate.defects


def decoded(client: FakeTransport) -> bytes:
    """The body of an answer of known length or in chunks, whole."""
    head, _, body = client.out.partition(b"\r\n\r\n")
    if b"content-length" in head:
        return body
    found = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        found, body = found + body[: int(size, 16)], body[int(size, 16) + 2 :]
    return found


# --- what it costs, whatever becomes of it ---

USED = b',"usage":{"prompt_tokens":2,"completion_tokens":3}}'
ASKED = b'{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}'


def message() -> bytes:
    """A call whose reply has to be translated."""
    return call(ASKED).replace(b"/v1/chat/completions", b"/v1/messages")


@on_loop
async def test_usage_of_a_large_reply_that_is_an_error_is_noted(tmp_path: Path) -> None:
    """A translated one: the client gets the error, the ledger what it cost."""
    gate = Gate(tmp_path, snapshot(retry=ONCE))
    client, upstream = await gate.asked(message())
    send(upstream, announced(b'{"error":{"message":"no room"},"pad":"%b"' % (b"x" * 2 * MIB) + USED))
    await until(lambda: gate.journal.records)
    assert status(client) == 502
    assert error(client)["message"].startswith("no room")
    assert (gate.record.usage, gate.record.attempts[0].usage) == (Usage(2, 3), Usage(2, 3))


@on_loop
async def test_usage_of_a_large_reply_whose_client_leaves_is_noted(tmp_path: Path) -> None:
    """While it is translated: all of it has come, and is billed."""
    gate = Gate(tmp_path, snapshot(retry=ONCE))
    client, upstream = await gate.asked(message())
    body = BODY[:-1].replace(b"{}", b'{"message":{"content":"%b"}}' % (b"x" * 2 * MIB))
    send(upstream, announced(body + b"}"))
    client.end()
    await until(lambda: gate.journal.records)
    assert (gate.record.status, gate.record.usage) == (499, Usage(2, 3))


@on_loop
async def test_usage_that_a_slow_client_has_not_taken_is_noted(tmp_path: Path) -> None:
    """It leaves with the end of its answer still here: that has come, and is billed."""
    told = STREAM_HEAD + chunk(WORD)
    for first, rest, asked in (
        (b"", announced(b'{"choices":[{"a":"%b"}]' % (b"x" * 2 * MIB) + USED), chat()),
        (told, chunk(USAGE), chat(stream=True)),
    ):
        gate = Gate(tmp_path / str(len(asked)), snapshot(retry=ONCE))
        client, upstream = await gate.asked(asked)
        send(upstream, first)
        client._protocol.pause_writing()
        send(upstream, rest)
        assert not gate.journal.records
        client.end()
        assert (gate.record.status, gate.record.usage) == (499, Usage(2, 3))
