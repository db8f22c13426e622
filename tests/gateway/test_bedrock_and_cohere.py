"""Calls to Bedrock and Cohere, and from their clients, through the whole worker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gateline.model.snapshot import Provider
from gateline.model.usage import Usage
from tests.formats.bedrock import wire as bedrock
from tests.formats.cohere import wire as cohere
from tests.gateway.rig import LAST, STREAM_HEAD, TOKEN, Gate, chunk, model, reply, snapshot, status
from tests.net.transport import FakeTransport, on_loop

AWS = Provider("aws", "bedrock", "http", "127.0.0.1", 9001, "", "aws-key", options=(("region", "us-east-1"),))
COHERE = Provider("co", "cohere", "http", "127.0.0.1", 9002, "", "co-key")
VOYAGE = Provider("voy", "voyage", "http", "127.0.0.1", 9003, "/v1", "voy-key")
HI = {"model": "m", "max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}]}
CONVERSE = {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}
EVENTS = bedrock.BEGIN + bedrock.block(0, {"text": "Hel"}, {"text": "lo"})
AWS_HEAD = STREAM_HEAD.replace(b"text/event-stream", b"application/vnd.amazon.eventstream")


def post(path: str, fields: dict[str, Any]) -> bytes:
    body = json.dumps(fields).encode()
    head = [f"POST {path} HTTP/1.1", "Host: a", f"Authorization: Bearer {TOKEN}", "Content-Type: application/json"]
    return "\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]).encode() + body


def told(client: FakeTransport) -> bytes:
    return client.out.partition(b"\r\n\r\n")[2]


def streamed(client: FakeTransport) -> bytes:
    """The body of an answer in chunks."""
    rest, body = told(client), b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body += rest[: int(size, 16)]
        rest = rest[int(size, 16) + 2 :]
    return body


@on_loop
async def test_a_stream_of_bedrock_is_told_in_the_clients_format(tmp_path: Path) -> None:
    """The model is in the path; usage behind the end is the ledger's."""
    gate = Gate(tmp_path, snapshot(model("m", AWS)))
    client, upstream = await gate.asked(post("/v1/chat/completions", {**HI, "stream": True}))
    assert upstream.transport.out.startswith(b"POST /model/m-there/converse-stream HTTP/1.1\r\n")
    assert json.loads(upstream.transport.out.partition(b"\r\n\r\n")[2])["inferenceConfig"] == {"maxTokens": 64}
    upstream.reply(AWS_HEAD + chunk(EVENTS) + chunk(bedrock.finish()) + LAST)
    await gate.settle()
    assert b'"content":"Hel"' in told(client)
    assert b"data: [DONE]" in told(client)
    assert (gate.record.status, gate.record.usage) == (200, Usage(18, 7, 3, cache_write=5, cache_write_1h=4))


@on_loop
async def test_a_stream_of_bedrock_passes_to_its_own_client(tmp_path: Path) -> None:
    """Byte for byte, with its usage noted."""
    gate = Gate(tmp_path, snapshot(model("m", AWS)))
    client, upstream = await gate.asked(post("/model/m/converse-stream", CONVERSE))
    upstream.reply(AWS_HEAD + chunk(EVENTS) + chunk(bedrock.finish()) + LAST)
    await gate.settle()
    assert b"application/vnd.amazon.eventstream" in client.out
    assert streamed(client) == EVENTS + bedrock.finish()
    assert gate.record.usage == Usage(18, 7, 3, cache_write=5, cache_write_1h=4)


@on_loop
async def test_an_exception_in_a_stream_fails_the_call(tmp_path: Path) -> None:
    """With the status it would have had, as nothing was seen yet."""
    gate = Gate(tmp_path, snapshot(model("m", AWS)))
    client, upstream = await gate.asked(post("/v1/chat/completions", {**HI, "stream": True}))
    upstream.reply(AWS_HEAD + chunk(bedrock.BEGIN + bedrock.exception("validationException", "no such thing")) + LAST)
    await gate.settle()
    assert status(client) == 400
    assert json.loads(told(client))["error"]["message"].startswith("no such thing")


@on_loop
async def test_what_bedrock_refuses_is_told_with_its_name(tmp_path: Path) -> None:
    """Its name is in a header there, and goes on as the code."""
    gate = Gate(tmp_path, snapshot(model("m", AWS)))
    client, upstream = await gate.asked(post("/v1/chat/completions", HI))
    name = "x-amzn-ErrorType: ValidationException:http://internal.amazon.com/coral/"
    upstream.reply(reply(b'{"message":"Input is too long."}', name, status="400 Bad Request"))
    await gate.settle()
    error = json.loads(told(client))["error"]
    assert (status(client), error["message"], error["code"]) == (400, "Input is too long.", "ValidationException")


@on_loop
async def test_a_converse_client_reaches_another_vendor(tmp_path: Path) -> None:
    """And hears of failures by the header its SDK reads."""
    gate = Gate(tmp_path, snapshot(model("m", COHERE)))
    client, upstream = await gate.asked(post("/model/m/converse", CONVERSE))
    assert upstream.transport.out.startswith(b"POST /v2/chat HTTP/1.1\r\n")
    upstream.reply(reply(b'{"message":"bad key"}', status="429 Too Many Requests"))
    await gate.settle()
    await gate.tick(1)
    gate.connector.opened[-1].reply(reply(b'{"message":"busy"}', status="429 Too Many Requests"))
    await gate.settle()
    assert status(client) == 429
    assert b"\r\nx-amzn-errortype: ThrottlingException\r\n" in client.out


@on_loop
async def test_a_stream_of_cohere_is_told_in_the_clients_format(tmp_path: Path) -> None:
    """And passes byte for byte to its own client."""
    events = cohere.BEGIN + cohere.content(0, "text", "Hel", "lo") + cohere.end() + cohere.DONE
    for path in ("/v1/chat/completions", "/v2/chat"):
        gate = Gate(tmp_path / path[1:3], snapshot(model("m", COHERE)))
        client, upstream = await gate.asked(post(path, {**HI, "stream": True}))
        upstream.reply(STREAM_HEAD + chunk(events) + LAST)
        await gate.settle()
        if path == "/v2/chat":
            assert streamed(client) == events
        else:
            assert b'"content":"Hel"' in streamed(client)
        assert (gate.record.status, gate.record.usage) == (200, Usage(12, 7, 5, 3))


@on_loop
async def test_a_ranking_passes(tmp_path: Path) -> None:
    """To the vendor's own path, with the vendor's name of the model; without tokens its usage is unknown."""
    gate = Gate(tmp_path, snapshot(model("m", COHERE)))
    client, upstream = await gate.asked(post("/v1/rerank", {"model": "m", "query": "q", "documents": ["a", "b"]}))
    assert upstream.transport.out.startswith(b"POST /v2/rerank HTTP/1.1\r\n")
    body = b'{"results":[{"index":1,"relevance_score":0.5}],"meta":{"billed_units":{"search_units":1}}}'
    upstream.reply(reply(body))
    await gate.settle()
    assert (told(client), gate.record.usage) == (body, None)


@on_loop
async def test_a_ranking_in_a_shape_of_its_own_is_translated(tmp_path: Path) -> None:
    """Voyage bounds it by another name, and answers under another."""
    gate = Gate(tmp_path, snapshot(model("m", VOYAGE)))
    ask = {"model": "m", "query": "q", "documents": ["a", "b"], "top_n": 1}
    client, upstream = await gate.asked(post("/v2/rerank", ask))
    assert upstream.transport.out.startswith(b"POST /v1/rerank HTTP/1.1\r\n")
    assert json.loads(upstream.transport.out.partition(b"\r\n\r\n")[2]) == {
        "model": "m-there", "query": "q", "documents": ["a", "b"], "top_k": 1,
    }  # fmt: skip
    body = b'{"object":"list","data":[{"index":1,"relevance_score":0.5}],"usage":{"total_tokens":12}}'
    upstream.reply(reply(body))
    await gate.settle()
    assert json.loads(told(client))["results"] == [{"index": 1, "relevance_score": 0.5}]
    assert gate.record.usage == Usage(12)
