"""What a connection keeps of a head while it idles: that of a caller we know, and of nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateline.net.server import ClientConnection
from tests.gateway.rig import BODY, Gate, call, chat, get, reply, status
from tests.net.transport import FakeTransport, on_loop


def connection(client: FakeTransport) -> ClientConnection:
    assert isinstance(client._protocol, ClientConnection)
    return client._protocol


@pytest.mark.parametrize(
    ("wire", "answer"),
    [
        (get("/livez"), 200),
        (get("/nowhere"), 404),
        (get("/v1/models", method="OPTIONS"), 204),
        (call(b"{}", token="sk-gl-" + "x" * 43), 503),
        (call(b"{}", token=""), 401),
    ],
)
@on_loop
async def test_nothing_is_kept_of_a_caller_we_do_not_know(tmp_path: Path, wire: bytes, answer: int) -> None:
    """Probes, unknown paths and refused keys leave an idle connection without a head, and it goes on."""
    gate = Gate(tmp_path)
    client = gate.client()
    for _ in range(2):
        client.receive(wire)
        await gate.tick(0.1)
        await gate.tick(10)
        assert status(client) == answer
        assert connection(client)._memo is None
        assert not connection(client).request.headers
        client.take()


@on_loop
async def test_the_head_of_a_known_caller_is_kept(tmp_path: Path) -> None:
    """Its next request is not parsed again; not even after a call that failed."""
    gate = Gate(tmp_path)
    client, upstream = await gate.asked(chat())
    upstream.reply(reply())
    assert client.take().endswith(BODY)
    memo = connection(client)._memo
    assert memo is not None
    client.receive(chat("no-such-model"))
    await gate.settle()
    assert status(client) == 404
    assert connection(client)._memo is memo
