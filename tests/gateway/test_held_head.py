"""The head of a stream, and what nobody would see yet, is held back for another target: not more, nor longer, than is
good."""

from __future__ import annotations

from pathlib import Path

from gateline.model.snapshot import Retry
from tests.gateway.rig import (
    DONE,
    LAST,
    ROLE,
    STREAM_HEAD,
    WORD,
    Gate,
    chat,
    chunk,
    model,
    provider,
    snapshot,
    status,
)
from tests.net.transport import on_loop

COMMENT = b": " + b"." * 1_000 + b"\n\n"


def two_targets(folder: Path) -> Gate:
    """A model whose fallback takes over while nothing is visible."""
    models = model("m", provider("up"), fallbacks=("spare",)), model("spare", provider("other"))
    return Gate(folder, snapshot(*models, retry=Retry(attempts=1, base=0.01, cap=0.02)))


@on_loop
async def test_what_is_held_is_given_up_when_another_target_takes_over(tmp_path: Path) -> None:
    """Within both bounds: role and comments of the first target never reach the client."""
    gate = two_targets(tmp_path)
    client, upstream = await gate.asked(chat(stream=True))
    upstream.reply(STREAM_HEAD + chunk(ROLE) + chunk(COMMENT * 7))
    await gate.tick(4.0)
    assert client.out == b""
    upstream.lose(ConnectionResetError())
    await gate.tick(0.1)
    gate.connector.opened[1].reply(STREAM_HEAD + chunk(WORD) + chunk(DONE) + LAST)
    await gate.settle()
    assert status(client) == 200
    assert COMMENT not in client.out
    assert WORD in client.out
    assert [each.error for each in gate.record.attempts] == ["upstream_broken", ""]


@on_loop
async def test_after_five_seconds_it_is_let_go(tmp_path: Path) -> None:
    """A client must not wait for ever for the head of a stream whose first word takes long."""
    gate = two_targets(tmp_path)
    client, upstream = await gate.asked(chat(stream=True))
    upstream.reply(STREAM_HEAD + chunk(ROLE))
    await gate.tick(4.9)
    assert client.out == b""
    await gate.tick(0.2)
    assert status(client) == 200
    assert ROLE in client.out
    upstream.lose(ConnectionResetError())
    await gate.tick(0.1)
    assert len(gate.connector.opened) == 1, "what the client has begun to see is not replaced"
    assert gate.record.error == "upstream_broken"


@on_loop
async def test_over_eight_kibibytes_it_is_let_go(tmp_path: Path) -> None:
    """What is held is memory, and an upstream that sends comments for ever would fill it."""
    gate = two_targets(tmp_path)
    client, upstream = await gate.asked(chat(stream=True))
    upstream.reply(STREAM_HEAD + chunk(COMMENT * 8))
    await gate.settle()
    assert client.out == b""
    upstream.reply(chunk(COMMENT))
    await gate.settle()
    assert status(client) == 200
    assert client.out.count(COMMENT) == 9
    upstream.lose(ConnectionResetError())
    await gate.tick(0.1)
    assert len(gate.connector.opened) == 1
    assert gate.record.error == "upstream_broken"
