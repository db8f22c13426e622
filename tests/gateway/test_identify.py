"""Who is calling, through a whole worker: known, unknown, looked up, revoked, and nobody there to say."""

from __future__ import annotations

from pathlib import Path

from gateline.model.feed import Beat, Changed, Found
from gateline.model.key import Key
from gateline.store.columns import unknown_caller_field
from tests.gateway.rig import TOKEN, Gate, chat, error, get, reply, status
from tests.net.transport import on_loop


def version(key: Key, changed: int, *, revoked: bool = False) -> Key:
    return Key(key.id, key.hash, key.tenant, key.name, key.slot, changed, revoked=revoked)


def forget(gate: Gate) -> None:
    """As a worker that has just started: it knows no key."""
    gate.keys._keys.clear()


@on_loop
async def test_a_keys_first_call_is_looked_up(tmp_path: Path) -> None:
    """The call waits for the answer and goes on with it; every header that may carry a key does."""
    gate = Gate(tmp_path)
    forget(gate)
    client = await gate.ask(chat())
    assert (client.out, gate.connector.opened) == (b"", [])
    gate.keys._receive(Found(gate.key.hash, gate.key, 1))
    await gate.settle()
    gate.connector.opened[0].reply(reply())
    assert status(client) == 200
    for name in ("x-api-key", "api-key", "x-goog-api-key"):
        wire = get("/v1/models").replace(b"Authorization: Bearer", name.encode() + b":")
        assert status(await gate.ask(wire)) == 200


@on_loop
async def test_an_unknown_key_is_401_and_asked_for_once(tmp_path: Path) -> None:
    """The answer that there is none is remembered; both calls are counted, neither is recorded."""
    gate = Gate(tmp_path)
    forget(gate)
    first = await gate.ask(chat())
    gate.keys._receive(Found(gate.key.hash, None, 1))
    second = await gate.ask(chat())
    assert (status(first), status(second)) == (401, 401)
    assert error(second)["code"] == "invalid_api_key"
    assert TOKEN.encode() not in first.out
    assert gate.cells[unknown_caller_field(401)] == 2
    assert (gate.journal.records, gate.live) == ([], set())


@on_loop
async def test_a_revoked_key_is_refused_from_then_on(tmp_path: Path) -> None:
    """A call that runs finishes, one that waits for its look-up is refused, and so are all later ones."""
    gate = Gate(tmp_path)
    running, upstream = await gate.asked(chat())
    forget(gate)
    waiting = await gate.ask(chat())
    gate.keys._receive(Changed(version(gate.key, 7, revoked=True)))
    gate.keys._receive(Found(gate.key.hash, gate.key, 6))
    assert (status(waiting), error(waiting)["code"]) == (401, "revoked_api_key")
    upstream.reply(reply())
    assert status(running) == 200
    assert error(await gate.ask(chat()))["code"] == "revoked_api_key"


@on_loop
async def test_a_control_plane_that_is_silent_is_503_never_401(tmp_path: Path) -> None:
    """Known keys are served for 32 s, then 503; an unknown one waits five seconds for its look-up, then 503; a word
    from the control plane mends all."""
    gate = Gate(tmp_path)
    gate.keys._receive(Beat(1))
    await gate.tick(31)
    assert status(await gate.ask(get("/v1/models"))) == 200
    await gate.tick(2)
    refused = await gate.ask(get("/v1/models"))
    assert status(refused) == 503
    assert b"retry-after: 2\r\n" in refused.out
    unknown = await gate.ask(chat().replace(b"sk-gl-aaa", b"sk-gl-bbb"))
    assert unknown.out == b""
    await gate.tick(5.1)
    assert status(unknown) == 503
    gate.keys._receive(Beat(1))
    assert status(await gate.ask(get("/v1/models"))) == 200
    assert gate.is_at_rest()


@on_loop
async def test_who_leaves_during_a_look_up_leaves_nothing(tmp_path: Path) -> None:
    """Its flow ends at the next wake, and the answer is kept for the next call."""
    gate = Gate(tmp_path)
    forget(gate)
    client = await gate.ask(chat())
    client.end_by_peer()
    assert gate.live == set()
    gate.keys._receive(Found(gate.key.hash, gate.key, 1))
    assert status(await gate.ask(get("/v1/models"))) == 200
    assert gate.defects == []
