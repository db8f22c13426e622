"""A client of the fake that sees everything: status, head, body, and how the connection ended."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import uvloop

from gateline.fake.script import read_script
from gateline.fake.server import FakeProvider

LIMIT = 4 * 1024 * 1024


class Seen:
    """What a client saw: the bytes, and whether the connection ended orderly, by reset, or not at all."""

    def __init__(self, data: bytes, end: str) -> None:
        self.data = data
        self.end = end
        self.head, _, self.rest = data.partition(b"\r\n\r\n")

    @property
    def body(self) -> bytes:
        return unchunk(self.rest) if b"chunked" in self.head else self.rest


def unchunk(data: bytes) -> bytes:
    """The body as far as its chunks are whole."""
    body = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        try:
            length = int(size, 16)
        except ValueError:
            break
        if length == 0 or len(data) < length:
            break
        body += data[:length]
        data = data[length + 2 :]
    return body


def request(model: str, *, stream: bool, headers: str = "") -> bytes:
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": stream}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: f\r\ncontent-length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


async def exchange(fake: FakeProvider, sent: bytes, *, until: bytes | None = None) -> Seen:
    """Sends, and reads to the end of the connection, or until those bytes have come."""
    reader, writer = await asyncio.open_connection("127.0.0.1", fake.port)
    data, end = b"", "open"
    try:
        async with asyncio.timeout(20):
            writer.write(sent)
            while until is None or until not in data:
                piece = await reader.read(65_536)
                if not piece:
                    end = "closed"
                    break
                data += piece
                if len(data) > LIMIT:
                    break
    except ConnectionResetError:
        end = "reset"
    finally:
        writer.transport.abort()
    return Seen(data, end)


def play(story: Callable[[FakeProvider], Awaitable[None]], script: str = "tokens: 4") -> None:
    async def run() -> None:
        async with FakeProvider(read_script(script)) as fake:
            await story(fake)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def see(
    model: str, check: Callable[[Seen], None], *, stream: bool, until: bytes | None = None, fault: str | None = None
) -> None:
    """Plays one request, checks what came, and that the invoice names the fault."""

    async def story(fake: FakeProvider) -> None:
        check(await exchange(fake, request(model, stream=stream), until=until))
        await fake.seen("fault")
        (line,) = fake.invoice.lines()
        assert line.fault == (fault or model.partition("@")[2].partition("=")[0].partition(",")[0])

    play(story)
