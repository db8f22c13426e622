"""What a vendor told of a call's usage is on record, however the call ended: it is billed all the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateline.model.errors import UpstreamUnreachable
from gateline.model.snapshot import Provider, Retry
from gateline.model.usage import Usage
from tests.gateway.rig import (
    BODY,
    PRICE,
    STREAM_HEAD,
    TOKEN,
    Gate,
    chat,
    chunk,
    model,
    provider,
    reply,
    snapshot,
    status,
)
from tests.net.transport import on_loop

CLAUDE = Provider("claude", "anthropic", "http", "127.0.0.1", 9001, "/v1", "sk-ant")
RESPONSES = Provider("r", "openai-responses", "http", "127.0.0.1", 9001, "/v1", "sk-r")
TOLD = Usage(input=1000, output=1)


def event(kind: str, **fields: Any) -> bytes:
    return chunk(f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode())


BEGUN = (
    event(
        "message_start",
        message={
            "id": "msg_1", "type": "message", "role": "assistant", "model": "c", "content": [],
            "stop_reason": None, "usage": {"input_tokens": 1000, "output_tokens": 1},
        },
    )
    + event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    + event("content_block_delta", index=0, delta={"type": "text_delta", "text": "Hello"})
)  # fmt: skip


def asked(path: str) -> bytes:
    fields = {"model": "m", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "a"}]}
    body = json.dumps(fields).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
@pytest.mark.parametrize("how", ["client leaves", "shutdown", "revoked", "timeout", "upstream breaks"])
@on_loop
async def test_usage_told_before_a_stream_ended_early_is_kept(tmp_path: Path, path: str, how: str) -> None:
    """Passing or translated: the record has the tokens, their source and their cost."""
    gate = Gate(tmp_path, snapshot(model("m", CLAUDE)))
    client, upstream = await gate.asked(asked(path))
    upstream.reply(STREAM_HEAD + BEGUN)
    await gate.settle()
    if how == "client leaves":
        client.end(ConnectionResetError())
    elif how == "shutdown":
        gate.front.cut_all()
    elif how == "revoked":
        gate.front.cut_calls_of("key_1")
    elif how == "timeout":
        await gate.tick(CLAUDE.idle_timeout + 1)
    else:
        upstream.lose(ConnectionResetError())
    await gate.settle()
    record = gate.record
    assert (record.usage, record.usage_source, record.cost) == (TOLD, "provider", 1002)
    assert record.attempts[0].usage == TOLD


@on_loop
async def test_a_call_costs_what_all_of_its_attempts_cost(tmp_path: Path) -> None:
    """An attempt that was billed and did no good is part of the sum; the record's tokens are the last attempt's."""
    gate = Gate(tmp_path, snapshot(model("m", provider("up")), retry=Retry(attempts=2, base=0.0, cap=0.0)))
    client, upstream = await gate.asked(chat(stream=True))
    upstream.reply(reply())  # whole, where a stream was asked for: billed, and of no use
    await gate.settle()
    await gate.tick(1)
    upstream.reply(
        STREAM_HEAD + chunk(b'data: {"choices":[{"delta":{"content":"hi"}}]}\n\n')
        + chunk(b'data: {"choices":[],"usage":{"prompt_tokens":20,"completion_tokens":30}}\n\n')
        + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"
    )  # fmt: skip
    await gate.settle()
    record = gate.record
    assert status(client) == 200
    assert [attempt.cost for attempt in record.attempts] == [8, 80]
    assert (record.usage, record.cost) == (Usage(input=20, output=30), 88)


@on_loop
async def test_tokens_of_an_attempt_that_failed_are_not_the_answers(tmp_path: Path) -> None:
    """Where the attempt that answered told none, the record has none: what is known stays with its attempt."""
    gate = Gate(tmp_path, snapshot(model("m", provider("up")), retry=Retry(attempts=2, base=0.0, cap=0.0)))
    _, upstream = await gate.asked(chat(stream=True))
    upstream.reply(reply())
    await gate.settle()
    await gate.tick(1)
    upstream.reply(
        STREAM_HEAD + chunk(b'data: {"choices":[{"delta":{"content":"hi"}}]}\n\n')
        + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"
    )  # fmt: skip
    await gate.settle()
    record = gate.record
    assert (record.status, record.usage, record.usage_source, record.cost) == (200, None, "none", 8)
    assert record.attempts[0].usage == Usage(input=2, output=3)


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/chat/completions"])
@on_loop
async def test_an_error_that_was_billed_is(tmp_path: Path, path: str) -> None:
    """A whole reply that calls itself a success, reports an error and tells what it cost."""
    gate = Gate(tmp_path, snapshot(model("m", RESPONSES), retry=Retry(attempts=1)))
    body = json.dumps({
        "id": "r", "object": "response", "status": "failed", "output": [],
        "error": {"code": "server_error", "message": "boom"},
        "usage": {"input_tokens": 1000, "output_tokens": 1, "total_tokens": 1001},
    })  # fmt: skip
    said = [{"role": "user", "content": "a"}]
    asking = chat(input="a", messages=said).replace(b"/v1/chat/completions", path.encode())
    client, upstream = await gate.asked(asking)
    upstream.reply(reply(body.encode()))
    await gate.settle()
    assert status(client) == 502
    assert (gate.record.usage, gate.record.cost) == (TOLD, 1002)


def test_the_rigs_reply_tells_its_usage() -> None:
    """What the sums above stand on."""
    assert json.loads(BODY)["usage"] == {"prompt_tokens": 2, "completion_tokens": 3}


@pytest.mark.parametrize(("tier", "cost"), [("default", PRICE.input * 2 // 10_000_000 + 6), ("flex", None)])
@on_loop
async def test_a_call_at_another_tier_has_no_cost_by_the_list(tmp_path: Path, tier: str, cost: int | None) -> None:
    """Nobody publishes the price of that tier in a list: the tokens are on record, the cost is unknown."""
    gate = Gate(tmp_path)
    client, upstream = await gate.asked(chat())
    upstream.reply(reply(BODY[:-1] + b',"service_tier":"%b"}' % tier.encode()))
    await gate.settle()
    assert status(client) == 200
    assert (gate.record.usage_source, gate.record.cost) == ("provider", cost)


@pytest.mark.parametrize("refused", ["400 Bad Request", "503 Unavailable"])
@on_loop
async def test_what_was_refused_cost_nothing(tmp_path: Path, refused: str) -> None:
    """That is known, and is no reason to call the whole call's cost unknown."""
    gate = Gate(tmp_path, snapshot(model("m", provider("up")), retry=Retry(attempts=1)))
    _, upstream = await gate.asked(chat())
    upstream.reply(reply(b'{"error":{"message":"no"}}', status=refused))
    await gate.settle()
    assert (gate.record.cost, gate.record.usage, gate.record.attempts[0].cost) == (0, None, 0)


@on_loop
async def test_what_nobody_reached_cost_nothing(tmp_path: Path) -> None:
    gate = Gate(tmp_path, snapshot(model("m", provider("up")), retry=Retry(attempts=1)))
    gate.connector.failures["up"] = UpstreamUnreachable("no route")
    await gate.ask(chat())
    await gate.settle()
    assert (gate.record.status, gate.record.cost) == (502, 0)


@on_loop
async def test_a_refusal_makes_no_answer_free(tmp_path: Path) -> None:
    """An attempt that was refused cost nothing, the one that answered without a usage nobody knows what."""
    gate = Gate(tmp_path, snapshot(model("m", provider("up")), retry=Retry(attempts=2, base=0.0, cap=0.0)))
    _, upstream = await gate.asked(chat())
    upstream.reply(reply(b'{"error":{"message":"no"}}', status="503 Unavailable"))
    await gate.settle()
    await gate.tick(1)
    upstream.reply(
        reply(b'{"choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}]}')
    )
    await gate.settle()
    assert (gate.record.status, gate.record.cost) == (200, None)
    assert [attempt.cost for attempt in gate.record.attempts] == [0, None]


@on_loop
async def test_counting_tokens_costs_nothing(tmp_path: Path) -> None:
    gate = Gate(tmp_path, snapshot(model("m", CLAUDE)))
    _, upstream = await gate.asked(asked("/v1/messages/count_tokens").replace(b'"stream": true, ', b" " * 16))
    upstream.reply(reply(b'{"input_tokens": 12}'))
    await gate.settle()
    assert (gate.record.status, gate.record.cost) == (200, 0)
