"""A provider's own API behind the gateway: identity and ledger as ever, bytes as they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.gateway.passthrough import leads_up
from gateline.model.snapshot import Snapshot
from tests.gateway.rig import TOKEN, Gate, error, get, provider, reply, snapshot, status
from tests.net.transport import on_loop


def opened(**fields: object) -> Snapshot:
    return snapshot(open_providers=(provider("up"),), **fields)


@on_loop
async def test_a_request_passes_as_it_is(tmp_path: Path) -> None:
    """Method, path, query and body go on, the caller's key does not; any status and body come back, on record."""
    gate = Gate(tmp_path, opened())
    body = b"\x00not json\xff"
    head = f"POST /passthrough/up/files/f-1?purpose=x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\n"
    client, upstream = await gate.asked(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    sent = upstream.transport.out
    assert sent.startswith(b"POST /v1/files/f-1?purpose=x HTTP/1.1\r\n")
    assert sent.endswith(b"\r\n\r\n" + body)
    assert TOKEN.encode() not in sent
    assert b"Authorization: Bearer sk-of-up\r\n" in sent
    upstream.reply(reply(b"plain", status="404 Not Found").replace(b"application/json", b"text/plain"))
    await gate.settle()
    assert status(client) == 404
    assert client.out.endswith(b"\r\n\r\nplain")
    record = gate.record
    assert (record.operation, record.target, record.status, record.usage) == ("passthrough", "up/*", 404, None)


@on_loop
async def test_it_is_shut_unless_opened(tmp_path: Path) -> None:
    """A provider must be opened by the configuration, and the key must not be limited to models."""
    gate = Gate(tmp_path / "shut")
    assert status(await gate.ask(get("/passthrough/up/files"))) == 404
    gate = Gate(tmp_path / "limited", opened(), models=("m",))
    refused = await gate.ask(get("/passthrough/up/files"))
    assert (status(refused), error(refused)["code"]) == (403, "key_is_limited")


@pytest.mark.parametrize("path", ["..", "a/..", "./a", "a/%2e%2e/b", "a/%252e%252E/b", "a\\\\..", "a/..;x", "%2e"])
@on_loop
async def test_no_path_leads_upwards(path: str, tmp_path: Path) -> None:
    """However it is written: the base URL is the whole of what was opened."""
    gate = Gate(tmp_path, opened())
    refused = await gate.ask(get(f"/passthrough/up/{path}"))
    assert (status(refused), gate.connector.opened) == (400, [])


@given(st.lists(st.text("ab.-_", min_size=1), min_size=1, max_size=4))
def test_dots_within_names_are_names(segments: list[str]) -> None:
    """Only a whole segment leads anywhere."""
    assert leads_up("/".join(segments)) is any(segment in {".", ".."} for segment in segments)


@on_loop
async def test_a_key_in_the_query_stays_here(tmp_path: Path) -> None:
    """Where it stands for the caller it must not go on."""
    gate = Gate(tmp_path, opened())
    request = f"GET /passthrough/up/x?a=1&key={TOKEN}&b=2 HTTP/1.1\r\nHost: a\r\n\r\n"
    _, upstream = await gate.asked(request.encode())
    assert upstream.transport.out.startswith(b"GET /v1/x?a=1&b=2 HTTP/1.1\r\n")
