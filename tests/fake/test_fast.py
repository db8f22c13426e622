"""Fast mode: the same protocol with canned answers, and counters that add up over processes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import openai
import uvloop
from openai.types.chat import ChatCompletionMessageParam

from gateline.fake.canned import make_canned
from gateline.fake.counters import Counters
from gateline.fake.fast import FastConnection, Stage
from gateline.fake.wheel import Wheel

HI: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hi"}]
CANNED = make_canned(tokens=4, reply_bytes=900)


def play(story: Callable[[int, Counters], Awaitable[None]], *, latency: float = 0.0, interval: float = 0.0) -> None:
    async def run() -> None:
        counters = Counters(1)
        stage = Stage(CANNED, counters, latency, Wheel(interval) if interval else None)
        server = await asyncio.get_running_loop().create_server(lambda: FastConnection(stage), "127.0.0.1", 0)
        async with server:
            await story(server.sockets[0].getsockname()[1], counters)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def post(body: bytes, path: str = "/v1/chat/completions", name: str = "Content-Length") -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: f\r\nContent-Type: application/json\r\n{name}: {len(body)}\r\n\r\n".encode()
        + body
    )


async def read_whole(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.partition(b"content-length: ")[2].partition(b"\r")[0])
    return await reader.readexactly(length)


def test_the_official_client_takes_its_answers() -> None:
    """Chat, streams with and without usage, completions, embeddings and models are the objects OpenAI writes."""

    async def story(port: int, counters: Counters) -> None:
        async with openai.AsyncOpenAI(api_key="k", base_url=f"http://127.0.0.1:{port}/v1") as api:
            chat = await api.chat.completions.create(model="m", messages=HI)
            assert chat.usage is not None
            assert chat.usage.completion_tokens == 4
            plain = [chunk async for chunk in await api.chat.completions.create(model="m", messages=HI, stream=True)]
            assert len(plain) == 6
            assert all(chunk.usage is None for chunk in plain)
            asked = await api.chat.completions.create(
                model="m", messages=HI, stream=True, stream_options={"include_usage": True}
            )
            assert [chunk async for chunk in asked][-1].usage == chat.usage
            assert (await api.completions.create(model="m", prompt="x")).choices[0].text
            assert len((await api.embeddings.create(model="e", input="x")).data[0].embedding) == 64
            assert (await api.models.list()).data[0].id == "gateline-fake"
        assert [counters.total(each) for each in (Counters.CHAT, Counters.EMBEDDING, Counters.STREAM)] == [2, 1, 2]

    for interval in (0.0, 0.001):
        play(story, interval=interval)


def test_requests_cut_anywhere_get_their_answers() -> None:
    """However TCP cuts a pair of requests, two whole answers come, in order."""

    async def story(port: int, counters: Counters) -> None:
        sent = post(b'{"model":"m"}') + post(b'{"input":"x"}', "/v1/embeddings", "CONTENT-LENGTH")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.transport.get_extra_info("socket").setsockopt(6, 1, 1)
        for cut in range(1, len(sent)):
            writer.write(sent[:cut])
            await asyncio.sleep(0)
            writer.write(sent[cut:])
            assert json.loads(await read_whole(reader))["object"] == "chat.completion"
            assert json.loads(await read_whole(reader))["object"] == "list"
        writer.close()
        assert counters.total(Counters.CHAT) == counters.total(Counters.EMBEDDING) == len(sent) - 1

    play(story)


def test_a_large_body_is_passed_over_unkept() -> None:
    """A body of megabytes is answered when all of it has come, and the request behind it too."""

    async def story(port: int, counters: Counters) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(post(b'{"model":"m","x":"' + b"y" * 3_000_000 + b'"}'))
        for _ in range(2):
            assert len(await read_whole(reader)) == 900
        writer.close()
        assert counters.total(Counters.CHAT) == 2

    play(story)


def test_pipelined_requests_wait_for_a_slow_answer() -> None:
    """With a latency, and behind a paced stream, the answers still come whole and in order."""

    async def story(port: int, counters: Counters) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(post(b'{"stream":true}') + post(b"{}") + post(b"{}"))
        stream = await reader.readuntil(b"\r\n0\r\n\r\n")
        assert stream.count(b"data: ") == 7
        assert len(await read_whole(reader)) == 900
        assert len(await read_whole(reader)) == 900
        writer.close()
        assert counters.total(Counters.STREAM_DONE) == 1

    play(story, latency=0.002, interval=0.001)


def test_events_carry_the_time_they_were_sent() -> None:
    """Paced events are stamped with the monotonic clock, rising from one to the next."""

    async def story(port: int, counters: Counters) -> None:
        del counters
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(post(b'{"stream":true}'))
        stream = await reader.readuntil(b"\r\n0\r\n\r\n")
        writer.close()
        stamps = [int(part[:20]) for part in stream.split(b'"content":"')[2:]]
        assert len(stamps) == 4
        assert stamps == sorted(set(stamps))

    play(story, interval=0.001)


def test_a_client_that_leaves_in_a_stream_is_counted() -> None:
    """The stream is cancelled, and the invoice says so."""

    async def story(port: int, counters: Counters) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(post(b'{"stream":true}'))
        await reader.readuntil(b"data: ")
        writer.transport.abort()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(20):
            while counters.total(Counters.CANCELLED) == 0:
                writer.write(b"GET /fake/invoice HTTP/1.1\r\nhost: f\r\n\r\n")
                totals = json.loads(await read_whole(reader))["totals"]
        assert counters.total(Counters.STREAM_DONE) == 0
        assert totals["streams"] == 1
        writer.close()

    play(story, interval=30)
