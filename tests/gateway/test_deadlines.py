"""Upstreams that take too long."""

from __future__ import annotations

from pathlib import Path

from tests.gateway.rig import STREAM_HEAD, WORD, Gate, chat, chunk, model, provider, reply, snapshot, status
from tests.net.transport import on_loop


@on_loop
async def test_deadlines_of_an_upstream(tmp_path: Path) -> None:
    """No first byte, silence in a stream, a call without end: each is a timeout by the tick, and the upstream is
    broken off."""
    silent = provider("up", first_byte_timeout=10, idle_timeout=20, total_timeout=100)
    one = snapshot().retry.__class__(attempts=1)
    gate = Gate(tmp_path / "a", snapshot(model("m", silent), retry=one))
    client, upstream = await gate.asked(chat(stream=True))
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
    assert b"all it may take" in client.out
    assert upstream.is_broken_off


@on_loop
async def test_a_whole_answer_has_all_the_time_there_is(tmp_path: Path) -> None:
    """Its first byte comes with its last. What took all of it is paid for, and not asked for again there."""
    slow = provider("slow", first_byte_timeout=10, idle_timeout=20, total_timeout=100)
    gate = Gate(tmp_path, snapshot(model("m", slow, fallbacks=("other",)), model("other", provider("good"))))
    client, upstream = await gate.asked(chat())
    await gate.tick(99)
    assert (client.out, upstream.is_broken_off) == (b"", False)
    await gate.tick(2)
    assert upstream.is_broken_off
    assert [one.provider for one in gate.connector.opened] == ["slow", "good"]
    gate.connector.opened[-1].reply(reply())
    await gate.settle()
    assert status(client) == 200
