"""What a browser page may read, from preflight to answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateline.gateway.cors import cors_lines
from gateline.model.snapshot import Cors, Server
from tests.gateway.rig import Gate, chat, get, reply, snapshot
from tests.net.transport import on_loop

PAGE = "https://page.example"
ALLOWED = b"access-control-allow-origin: https://page.example\r\nvary: origin\r\n"


@pytest.mark.parametrize(
    ("origins", "origin", "lines"),
    [
        ((), PAGE, b""),
        ((PAGE,), "", b""),
        ((PAGE,), PAGE, ALLOWED),
        ((PAGE,), "https://evil.example", b""),
        ((PAGE,), PAGE + ".evil.example", b""),
        ((PAGE,), PAGE.upper(), b""),
        (("*",), PAGE, b"access-control-allow-origin: *\r\n"),
        (("*",), "", b""),
        ((PAGE,), "null", b""),
    ],
)
def test_only_named_origins_are_answered(origins: tuple[str, ...], origin: str, lines: bytes) -> None:
    """An origin is named exactly, or all are; whoever sends none is no page and gets nothing."""
    assert cors_lines(Cors(origins), origin.encode()) == lines


@on_loop
async def test_pages_may_ask_and_read(tmp_path: Path) -> None:
    """The preflight names methods and headers; the answer to the call itself, and a refusal, can be read."""
    gate = Gate(tmp_path, snapshot(server=Server(cors=Cors((PAGE,)))))
    preflight = await gate.ask(get("/v1/chat/completions", f"Origin: {PAGE}", method="OPTIONS"))
    assert preflight.out.startswith(b"HTTP/1.1 204")
    assert ALLOWED in preflight.out
    assert b"access-control-allow-headers: authorization" in preflight.out
    client, upstream = await gate.asked(chat("m", f"Origin: {PAGE}"))
    upstream.reply(reply())
    assert ALLOWED in client.out
    assert ALLOWED in (await gate.ask(chat("nobody", f"Origin: {PAGE}"))).out
    assert b"access-control" not in (await gate.ask(chat("nobody", "Origin: https://evil.example"))).out
    other = await gate.ask(get("/v1/models", "Origin: https://evil.example", method="OPTIONS"))
    assert b"access-control" not in other.out
