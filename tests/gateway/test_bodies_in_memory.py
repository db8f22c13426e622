"""Request bodies count against the worker's room for as long as their call runs, and no longer."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pytest

from tests.gateway.rig import Gate, call, error, reply, status
from tests.net.transport import on_loop, until

TEXT = random.Random(1).randbytes(300_000).hex()
BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": TEXT}]}).encode()
CODED = gzip.compress(BODY)


@pytest.mark.parametrize(
    ("wire", "size"), [(call(BODY), len(BODY)), (call(CODED, "Content-Encoding: gzip"), len(CODED) + len(BODY))]
)
@on_loop
async def test_a_body_is_counted_while_its_call_runs(tmp_path: Path, wire: bytes, size: int) -> None:
    """Coded, as it came and as it is; all of it is given back with the answer, and when the client leaves."""
    for ending in ("answered", "left"):
        gate = Gate(tmp_path / ending)
        client = gate.client()
        for at in range(0, len(wire), 65_536):
            client.receive(wire[at : at + 65_536])
        await until(lambda gate=gate: gate.connector.opened)  # type: ignore[misc]
        assert gate.service.bodies == size
        if ending == "answered":
            gate.connector.opened[0].reply(reply())
            assert status(client) == 200
        else:
            client.end(ConnectionResetError())
            await gate.settle_once()
        assert gate.service.bodies == 0
        assert gate.record.bytes_in == len(wire) - wire.index(b"\r\n\r\n") - 4


@pytest.mark.parametrize("left", [0, len(CODED) + 1_000])
@on_loop
async def test_a_body_without_room_is_refused_with_a_record(tmp_path: Path, left: int) -> None:
    """Before it is read, or when it has been decoded: 503, when to come back, and the one record of the call."""
    gate = Gate(tmp_path)
    taken = gate.service.bodies = 512 * 1024 * 1024 - left
    wire = call(CODED, "Content-Encoding: gzip")
    client = gate.client()
    for at in range(0, len(wire), 65_536):
        if not client.is_closing() and "eof" not in client.events:
            client.receive(wire[at : at + 65_536])
    await until(lambda: gate.journal.records)
    assert (status(client), error(client)["code"]) == (503, "unavailable")
    assert b"retry-after: 1\r\n" in client.out
    assert (gate.record.status, gate.record.attempts) == (503, [])
    assert gate.service.bodies == taken
