"""Streams of servers that say no `[DONE]`, as the configuration tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gateway.rig import LAST, STREAM_HEAD, USAGE, Gate, chat, chunk, model, provider, snapshot
from tests.net.transport import on_loop

WORD = b'data: {"choices":[{"delta":{"content":"hi"},"finish_reason":null}]}\n\n'
STOP = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'


@pytest.mark.parametrize("requires_done", [True, False])
@on_loop
async def test_a_server_may_be_said_to_send_no_done(tmp_path: Path, requires_done: bool) -> None:
    """Then its stream is whole behind finish reason and usage; a server of which nothing is said has broken off."""
    gate = Gate(tmp_path, snapshot(model("m", provider("up", requires_done=requires_done))))
    client, upstream = await gate.asked(chat(stream=True))
    upstream.reply(STREAM_HEAD + chunk(WORD + STOP + USAGE) + LAST)
    await gate.settle()
    assert (b"data: [DONE]" in client.out) is not requires_done
    assert bool(gate.record.error) is requires_done
    assert gate.record.usage is not None
