"""Replies of which a part is missing, though their framing says that they are whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateline.model.snapshot import Retry
from gateline.model.usage import Usage
from tests.gateway.rig import BODY, LAST, Gate, chat, chunk, error, reply, snapshot, status
from tests.net.transport import on_loop, until

ONCE = Retry(attempts=1)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CUT = BODY[: BODY.index(b',"usage"') - 1]  # behind a brace, inside a list
MIB = 1_048_576


def in_chunks(body: bytes) -> bytes:
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(body) + LAST


@pytest.mark.parametrize("framing", ["length", "chunks", "end"])
@on_loop
async def test_a_reply_that_stops_behind_an_inner_brace_is_not_whole(tmp_path: Path, framing: str) -> None:
    """A length that lies, a last chunk too soon, or a connection's end as the only framing: 502, and recorded so."""
    gate = Gate(tmp_path, snapshot(retry=ONCE))
    client, upstream = await gate.asked(chat())
    wires = {"length": reply(CUT), "chunks": in_chunks(CUT), "end": HEAD + b"\r\n" + CUT}
    upstream.reply(wires[framing])
    if framing == "end":
        upstream.lose()
    assert (status(client), error(client)["code"]) == (502, "upstream_broken")
    assert (gate.record.status, gate.record.usage) == (502, None)


@pytest.mark.parametrize(
    "body",
    [
        BODY,
        BODY + b"\r\n",
        b'{"choices":[{"logprobs":NaN}]}',  # vLLM
        b'{"choices":[{"message":{"content":"\\ud83d"}}]}',  # a character cut in two by a token limit
        b'{"choices":[{"message":{"content":"a\x01\xff"}}]}',
        b'{"choices":[%b{}%b]}' % (b"[" * 5_000, b"]" * 5_000),
    ],
)
@on_loop
async def test_a_reply_that_is_closed_passes_whatever_is_in_it(tmp_path: Path, body: bytes) -> None:
    """Clients read JSON that a strict reader would not: only what is missing makes a reply a broken one."""
    gate = Gate(tmp_path, snapshot(retry=ONCE))
    client, upstream = await gate.asked(chat())
    upstream.reply(reply(body))
    assert (status(client), gate.record.status) == (200, 200)
    assert client.out.endswith(body)


@pytest.mark.parametrize("blank", [b"", b" \r\n"])
@pytest.mark.parametrize("end", [b"", b'"', b'"}]'])
@on_loop
async def test_a_large_reply_that_does_not_end_as_an_object_is_broken_off(
    tmp_path: Path, end: bytes, blank: bytes
) -> None:
    """Part of it is out: the client sees a reset, and the record a failure."""
    gate = Gate(tmp_path, snapshot(retry=ONCE))
    client, upstream = await gate.asked(chat())
    upstream.reply(HEAD + b'\r\n{"choices":[{"a":"' + b"x" * 2 * MIB + end + blank)
    upstream.lose()
    await gate.settle()
    assert "abort" in client.events
    assert (gate.record.status, gate.record.error) == (200, "upstream_broken")


@on_loop
async def test_a_large_reply_that_ends_as_an_object_passes(tmp_path: Path) -> None:
    """With blanks behind it, and its usage noted."""
    gate = Gate(tmp_path, snapshot(retry=ONCE))
    client, upstream = await gate.asked(chat())
    body = BODY.replace(b"{}", b'{"a":"%b"}' % (b"x" * 2 * MIB)) + b"\r\n"
    upstream.reply(HEAD + b"\r\n" + body)
    upstream.lose()
    await until(lambda: gate.journal.records)
    assert (status(client), gate.record.status, gate.record.error, gate.record.usage) == (200, 200, "", Usage(2, 3))
    assert "abort" not in client.events
