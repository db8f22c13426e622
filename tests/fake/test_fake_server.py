"""The fake as a provider: what OpenAI's own client gets, and what the invoice and the log say afterwards."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import openai
import pytest
import uvloop
from openai.types.chat import ChatCompletionMessageParam

from gateline.fake.script import Script
from gateline.fake.server import FakeProvider, server_tls

HI: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hi"}]


def play(story: Callable[[FakeProvider], Awaitable[None]], script: Script | None = None) -> None:
    async def run() -> None:
        async with FakeProvider(script) as fake:
            await story(fake)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def client(fake: FakeProvider, key: str = "sk-any") -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(api_key=key, base_url=fake.url, max_retries=0)


async def raw(fake: FakeProvider, sent: bytes) -> bytes:
    """Sends on a fresh connection and reads to its end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", fake.port)
    writer.write(sent)
    async with asyncio.timeout(20):
        data = await reader.read(-1)
    writer.close()
    return data


async def get(fake: FakeProvider, path: str, method: str = "GET", body: bytes = b"") -> tuple[bytes, bytes]:
    head = f"{method} {path} HTTP/1.1\r\nhost: f\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
    answered, _, rest = (await raw(fake, head.encode() + body)).partition(b"\r\n\r\n")
    return answered, rest


def test_a_stream_assembles_to_the_whole_answer() -> None:
    """Streamed or not, chat or completion: one text, one usage, one finish reason."""

    async def story(fake: FakeProvider) -> None:
        async with client(fake) as api:
            whole = await api.chat.completions.create(model="m", messages=HI, max_tokens=5)
            stream = await api.chat.completions.create(
                model="m", messages=HI, max_tokens=5, stream=True, stream_options={"include_usage": True}
            )
            chunks = [chunk async for chunk in stream]
            text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
            assert text == whole.choices[0].message.content
            assert chunks[0].choices[0].delta.role == "assistant"
            assert chunks[-2].choices[0].finish_reason == whole.choices[0].finish_reason == "length"
            assert chunks[-1].choices == []
            assert chunks[-1].usage == whole.usage
            assert [chunk.usage for chunk in chunks[:-1]] == [None] * 7
            done = await api.completions.create(model="m", prompt="hi", max_tokens=5)
            parts = await api.completions.create(model="m", prompt="hi", max_tokens=5, stream=True)
            assert "".join([part.choices[0].text async for part in parts]) == done.choices[0].text

    play(story)


def test_usage_comes_only_when_asked_for() -> None:
    """Without include_usage no event of a stream has the field."""

    async def story(fake: FakeProvider) -> None:
        body = json.dumps({"model": "m", "messages": HI, "stream": True}).encode()
        _, rest = await get(fake, "/v1/chat/completions", "POST", body)
        assert b'"usage"' not in rest
        assert b"data: [DONE]\n\n" in rest
        (line,) = fake.invoice.lines()
        assert (line.reported, line.tokens_sent) == (None, 16)

    play(story)


def test_embeddings_in_both_codings() -> None:
    """The client's default (base64) and floats are the same vectors, of the length asked for."""

    async def story(fake: FakeProvider) -> None:
        async with client(fake) as api:
            packed = await api.embeddings.create(model="e", input=["a", "b"], dimensions=8)
            floats = await api.embeddings.create(model="e", input=["a", "b"], dimensions=8, encoding_format="float")
            for one, two in zip(packed.data, floats.data, strict=True):
                assert one.embedding == pytest.approx(two.embedding, rel=1e-6, abs=1e-9)
            assert len(packed.data[0].embedding) == 8
            assert packed.usage.prompt_tokens == 2
            with pytest.raises(openai.BadRequestError, match="dimensions"):
                await api.embeddings.create(model="e", input="a", dimensions=0)

    play(story)


def test_models_and_keys_are_checked_when_the_script_says_so() -> None:
    """A script with models knows no others; with a key it refuses any other key."""

    async def story(fake: FakeProvider) -> None:
        async with client(fake, "sk-right") as api:
            assert [model.id async for model in api.models.list()] == ["only", "two"]
            assert (await api.models.retrieve("two")).id == "two"
            with pytest.raises(openai.NotFoundError, match="does not exist"):
                await api.models.retrieve("three")
            with pytest.raises(openai.NotFoundError, match="does not exist"):
                await api.chat.completions.create(model="three", messages=HI)
            await api.chat.completions.create(model="only", messages=HI)
        async with client(fake, "sk-wrong") as api:
            with pytest.raises(openai.AuthenticationError):
                await api.models.list()

    play(story, Script(models=["only", "two"], api_key="sk-right"))


def test_scripted_faults_reach_the_official_client_as_its_errors() -> None:
    """429 with Retry-After, a broken stream, an error event: the client's own exceptions."""

    async def story(fake: FakeProvider) -> None:
        async with client(fake) as api:
            with pytest.raises(openai.RateLimitError) as limited:
                await api.chat.completions.create(model="m@status=429,retry_after=3", messages=HI)
            assert limited.value.response.headers["retry-after"] == "3"
            with pytest.raises(openai.APIConnectionError):
                await api.chat.completions.create(model="m@reset", messages=HI)
            stream = await api.chat.completions.create(model="m@error_event,after=3", messages=HI, stream=True)
            with pytest.raises(openai.APIError, match="told to fail"):
                async for _ in stream:
                    pass

    play(story)


def test_the_client_that_retries_gets_through_a_fault_with_times() -> None:
    """Two failures, then the answer: three requests on the invoice."""

    async def story(fake: FakeProvider) -> None:
        async with openai.AsyncOpenAI(api_key="k", base_url=fake.url, max_retries=2) as api:
            answer = await api.chat.completions.create(model="m@status=503,times=2,retry_after=0", messages=HI)
            assert answer.model == "m"
        assert [line.outcome for line in fake.invoice.lines()] == ["faulted", "faulted", "finished"]
        assert fake.invoice.totals.requests == 3

    play(story)


def test_the_invoice_has_each_request_once_with_its_id_and_tokens() -> None:
    """Ids come from `x-request-id`, else from a sequence; scripted cached and reasoning tokens are counted."""

    async def story(fake: FakeProvider) -> None:
        async with client(fake) as api:
            answer = await api.chat.completions.create(
                model="m@cached=2,reasoning=9,tokens=3", messages=HI, extra_headers={"x-request-id": "mine"}
            )
            await api.embeddings.create(model="e", input="abc")
        assert answer.usage is not None
        assert answer.usage.completion_tokens == 12
        _, body = await get(fake, "/fake/invoice")
        invoice = json.loads(body)
        first, second = invoice["requests"]
        assert (first["id"], second["id"]) == ("mine", "fake-000002")
        assert {part: count for part, count in first["reported"].items() if count} == {
            "input": answer.usage.prompt_tokens,
            "output": 12,
            "cached": 2,
            "reasoning": 9,
        }
        assert (first["status"], first["outcome"], first["fault"], first["stream"]) == (200, "finished", None, False)
        assert first["accepted_ns"] <= first["first_ns"] <= first["last_ns"]
        assert invoice["totals"]["input"] == sum(row["reported"]["input"] for row in invoice["requests"])
        assert invoice["totals"]["finished"] == 2

    play(story)


def test_the_log_tells_the_order_and_a_reader_can_wait_for_it() -> None:
    """accepted, head, chunks, and the cancellation when the peer leaves; a long poll returns when it happens."""

    async def story(fake: FakeProvider) -> None:
        body = json.dumps({"model": "m@stall,after=2", "messages": HI, "stream": True}).encode()
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: f\r\nx-request-id: a\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        _, writer = await asyncio.open_connection("127.0.0.1", fake.port)
        writer.write(head.encode() + body)
        struck = await fake.seen("fault", "a")
        poll = asyncio.create_task(get(fake, f"/fake/log?after={struck.seq}&wait=30"))
        writer.close()
        page = json.loads((await poll)[1])
        assert [(event["event"], event["id"], event["detail"]) for event in page["events"]] == [
            ("cancelled", "a", "faulted")
        ]
        events = [(event.event, event.n) for event in fake.log.since(0)]
        assert events == [("accepted", 0), ("head", 0), ("chunk", 1), ("chunk", 2), ("fault", 2), ("cancelled", 0)]
        assert page["last"] == 6
        assert page["counts"]["chunk"] == 2

    play(story)


def test_a_client_that_leaves_is_seen_at_once() -> None:
    """Closing in the middle of a paced stream is a cancellation, with the tokens sent until then."""

    async def story(fake: FakeProvider) -> None:
        async with client(fake) as api:
            stream = await api.chat.completions.create(model="m@tps=50,tokens=100000", messages=HI, stream=True)
            seen = 0
            async for chunk in stream:
                seen += bool(chunk.choices[0].delta.content)
                if seen == 2:
                    break
            await stream.close()
            await fake.seen("cancelled")
        (line,) = fake.invoice.lines()
        assert line.outcome == "cancelled"
        assert 2 <= line.tokens_sent < 100000
        assert fake.invoice.totals.cancelled == 1

    play(story)


def test_reset_and_script_can_be_sent_while_it_runs() -> None:
    """A new script holds for the next request; a bad one is refused and changes nothing; reset forgets."""

    async def story(fake: FakeProvider) -> None:
        async with client(fake) as api:
            assert b"200 OK" in (await get(fake, "/fake/script", "POST", b"rules: [{cue: status=500}]"))[0]
            with pytest.raises(openai.InternalServerError):
                await api.chat.completions.create(model="m", messages=HI)
            assert b" 400 " in (await get(fake, "/fake/script", "POST", b"rules: [{cue: nonsense}]"))[0]
            with pytest.raises(openai.InternalServerError):
                await api.chat.completions.create(model="m", messages=HI)
            assert b"200 OK" in (await get(fake, "/fake/script", "POST", b""))[0]
            await api.chat.completions.create(model="m", messages=HI)
        await get(fake, "/fake/reset", "POST")
        assert json.loads((await get(fake, "/fake/invoice"))[1])["totals"]["requests"] == 0
        assert json.loads((await get(fake, "/fake/log"))[1])["events"] == []

    play(story)


def test_the_script_is_shown_without_its_key() -> None:
    """`GET /fake/script` never has the secret."""

    async def story(fake: FakeProvider) -> None:
        assert b"sk-canary" not in (await get(fake, "/fake/script"))[1]

    play(story, Script(api_key="sk-canary"))


def test_echo_returns_what_was_received() -> None:
    """Head and body of the last request, header names as they were written."""

    async def story(fake: FakeProvider) -> None:
        body = b'{"model": "m",  "messages":[1]}'
        head = b"POST /v1/chat/completions?a=1 HTTP/1.1\r\nHost: f\r\nX-Mixed-Case: V\r\ncontent-length: %d\r\n\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", fake.port)
        writer.write(head % len(body) + body)
        await fake.seen("done")
        writer.close()
        echo = json.loads((await get(fake, "/fake/echo"))[1])
        assert (echo["method"], echo["target"], echo["version"]) == ("POST", "/v1/chat/completions?a=1", "1.1")
        assert ["X-Mixed-Case", "V"] in echo["headers"]
        assert echo["body"].encode() == body
        assert not reader.at_eof()

    play(story)


def test_head_and_wrong_paths_and_methods() -> None:
    """HEAD has the head of GET and no body; unknown paths are 404, wrong methods 405 with Allow."""

    async def story(fake: FakeProvider) -> None:
        got, body = await get(fake, "/v1/models")
        head, nothing = await get(fake, "/v1/models", "HEAD")
        assert nothing == b""
        assert b"content-length: %d" % len(body) in head
        assert b" 404 " in (await get(fake, "/v1/nothing"))[0]
        assert b" 405 " in (await get(fake, "/v1/chat/completions"))[0]
        assert b"allow: POST" in (await get(fake, "/v1/embeddings", "DELETE"))[0]
        assert b" 405 " in (await get(fake, "/v1/models", "POST"))[0]
        assert b" 400 " in (await raw(fake, b"NOT HTTP\r\n\r\n"))
        assert got

    play(story)


def test_pipelined_requests_are_answered_in_order() -> None:
    """Several requests in one write, several answers in their order."""

    async def story(fake: FakeProvider) -> None:
        sent = b"".join(
            b"GET /v1/models/%d HTTP/1.1\r\nhost: f\r\n%b\r\n" % (number, b"connection: close\r\n" * (number == 4))
            for number in range(5)
        )
        data = await raw(fake, sent)
        assert [data.find(b'"id":"%d"' % number) for number in range(5)] == sorted(
            data.find(b'"id":"%d"' % number) for number in range(5)
        )
        assert data.count(b"HTTP/1.1 200") == 5

    play(story)


def test_expect_and_http_1_0() -> None:
    """100-continue is answered; an HTTP/1.0 client gets a stream that ends with the connection."""

    async def story(fake: FakeProvider) -> None:
        body = json.dumps({"model": "m", "messages": HI, "stream": True}).encode()
        head = f"POST /v1/chat/completions HTTP/1.0\r\nexpect: 100-continue\r\ncontent-length: {len(body)}\r\n\r\n"
        data = await raw(fake, head.encode() + body)
        assert data.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")
        assert data.endswith(b"data: [DONE]\n\n")

    play(story)


def test_https(tmp_path: Path) -> None:
    """With a certificate the same server speaks TLS."""
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip

    async def run() -> None:
        async with FakeProvider(tls=server_tls(str(certificate), str(key))) as fake:
            assert fake.url.startswith("https://")
            trust = ssl.create_default_context(cafile=str(certificate))
            reader, writer = await asyncio.open_connection("127.0.0.1", fake.port, ssl=trust)
            writer.write(b"GET /v1/models HTTP/1.1\r\nhost: f\r\nconnection: close\r\n\r\n")
            assert b"gpt-4o" in await reader.read(-1)
            writer.close()

    asyncio.run(run())
