"""A client that leaves, at each point of its request: one record, an upstream that is told, nothing left behind."""

from __future__ import annotations

from pathlib import Path

from gateline.model.snapshot import Retry
from gateline.model.usage import Usage
from tests.gateway.rig import (
    DONE,
    LAST,
    ROLE,
    STREAM_HEAD,
    USAGE,
    WORD,
    Gate,
    chat,
    chunk,
    model,
    provider,
    reply,
    snapshot,
)
from tests.net.transport import on_loop


@on_loop
async def test_a_client_that_leaves_before_the_first_byte(tmp_path: Path) -> None:
    """The upstream is told in the loop's next turn, and the record says that the client was gone."""
    for orderly in (True, False):
        gate = Gate(tmp_path / str(orderly))
        client, upstream = await gate.asked(chat())
        if orderly:
            client.end_by_peer()
        else:
            client.end(ConnectionResetError())
        await gate.settle_once()
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
async def test_a_client_that_leaves_in_the_turn_in_which_its_answer_comes(tmp_path: Path) -> None:
    """The answer is whole, and billed: the record has its usage, and that the client was gone. Nobody else is asked
    where it says no more than that it failed."""
    for wire, usage in ((reply(), Usage(2, 3)), (reply(status="500 No"), None)):
        models = model("m", provider("one"), fallbacks=("n",)), model("n", provider("two"))
        gate = Gate(tmp_path / str(usage), snapshot(*models, retry=Retry(attempts=1)))
        client, upstream = await gate.asked(chat())
        client.end()
        upstream.reply(wire)
        await gate.settle()
        record = gate.record
        assert (record.status, record.client_gone, record.usage) == (499, True, usage)
        assert (len(record.attempts), len(gate.connector.opened)) == (1, 1)
        assert not upstream.is_broken_off
