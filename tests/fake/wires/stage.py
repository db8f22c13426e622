"""What the tests of the fake's wire formats share: a loop with a fake in it, raw requests, one tool."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop

from gateline.fake.script import Script
from gateline.fake.server import FakeProvider
from gateline.model.usage import Usage

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
}


def play(story: Callable[[FakeProvider], Awaitable[None]], script: Script | None = None) -> None:
    async def run() -> None:
        async with FakeProvider(script) as fake:
            await story(fake)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def billed_twice(fake: FakeProvider) -> Usage:
    """What two requests were told that they used: both the same."""
    first, second = (line.reported for line in fake.invoice.lines())
    assert first is not None
    assert first == second
    return first


async def post(
    fake: FakeProvider, path: str, body: Any, *, method: str = "POST", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body as they came, chunks and all joined. Raises ConnectionError where there is no head."""
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    told = {"host": "f", "connection": "close", "content-length": str(len(sent)), **headers}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name.replace('_', '-')}: {value}" for name, value in told.items())]
    reader, writer = await asyncio.open_connection("127.0.0.1", fake.port)
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + sent)
    async with asyncio.timeout(20):
        answered, _, rest = (await reader.read(-1)).partition(b"\r\n\r\n")
    writer.close()
    if not answered.startswith(b"HTTP/"):
        raise ConnectionAbortedError("no head came")
    status, *pairs = answered.decode().split("\r\n")
    got = {name.lower(): value for name, _, value in (pair.partition(": ") for pair in pairs)}
    return int(status.split()[1]), got, _dechunk(rest) if "transfer-encoding" in got else rest


def _dechunk(data: bytes) -> bytes:
    """The chunks joined; what stands outside of the framing is left off."""
    body = b""
    while data:
        size, _, rest = data.partition(b"\r\n")
        try:
            length = int(size, 16)
        except ValueError:
            return body
        if not length:
            return body
        body += rest[:length]
        data = rest[length + 2 :]
    return body
