"""Calls whose client and vendor speak different formats, through the whole worker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gateline.model.snapshot import Provider, Retry
from gateline.model.usage import Usage
from tests.gateway.rig import (
    DONE,
    LAST,
    STREAM_HEAD,
    TOKEN,
    Gate,
    Upstream,
    chunk,
    get,
    model,
    provider,
    reply,
    snapshot,
    status,
)
from tests.net.transport import FakeTransport, on_loop

CLAUDE = Provider("claude", "anthropic", "http", "127.0.0.1", 9001, "/v1", "sk-ant")
GEMINI = Provider("gemini", "gemini", "http", "127.0.0.1", 9002, "/v1beta", "g-key")
REPLY = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"x","choices":[{"index":0,"message":{"role":'
    b'"assistant","content":"Hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":2,"completion_tokens":3}}'
)
_CHUNK = '{"id":"c","object":"chat.completion.chunk","created":1,"model":"x",'
WORDS = tuple(
    f"data: {_CHUNK}{rest}}}\n\n".encode()
    for rest in (
        '"choices":[{"index":0,"delta":{"role":"assistant","content":"He"},"finish_reason":null}]',
        '"choices":[{"index":0,"delta":{"content":"llo"},"finish_reason":null}]',
        '"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]',
        '"choices":[],"usage":{"prompt_tokens":2,"completion_tokens":3}',
    )
)


def post(path: str, fields: dict[str, Any], *lines: str) -> bytes:
    body = json.dumps(fields).encode()
    head = [f"POST {path} HTTP/1.1", "Host: a", f"x-api-key: {TOKEN}", "Content-Type: application/json", *lines]
    return "\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]).encode() + body


def message(name: str = "m", *lines: str, **fields: Any) -> bytes:
    body = {"model": name, "max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}], **fields}
    return post("/v1/messages", body, *lines)


def sent(upstream: Upstream) -> dict[str, Any]:
    return dict(json.loads(upstream.transport.out.partition(b"\r\n\r\n")[2]))


def answered(client: FakeTransport) -> dict[str, Any]:
    return dict(json.loads(client.out.partition(b"\r\n\r\n")[2]))


@on_loop
async def test_a_call_is_written_in_the_vendors_format_and_answered_in_the_clients(tmp_path: Path) -> None:
    """Path, credential, body and reply are each side's own; the ledger has the vendor's count."""
    gate = Gate(tmp_path)
    client, upstream = await gate.asked(message(system="Be brief.", stop_sequences=["x"]))
    head = upstream.transport.out.partition(b"\r\n\r\n")[0]
    assert head.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Bearer sk-of-up\r\n" in head
    assert TOKEN.encode() not in head
    body = sent(upstream)
    assert body["model"] == "m-there"
    assert [turn["role"] for turn in body["messages"]] == ["system", "user"]
    assert (body["max_tokens"], body["stop"]) == (64, ["x"])
    upstream.reply(reply(REPLY))
    await gate.settle()
    assert status(client) == 200
    answer = answered(client)
    assert (answer["type"], answer["model"], answer["stop_reason"]) == ("message", "m", "end_turn")
    assert answer["content"][0]["text"] == "Hello"
    assert (answer["usage"]["input_tokens"], answer["usage"]["output_tokens"]) == (2, 3)
    record = gate.record
    assert (record.operation, record.usage, record.usage_source) == ("messages", Usage(2, 3), "provider")
    assert record.cost == 8


@on_loop
async def test_what_could_not_be_carried_is_said(tmp_path: Path) -> None:
    """By the client's own names in a header; a strict client gets 400 instead, and nothing is sent."""
    gate = Gate(tmp_path)
    client, upstream = await gate.asked(message(container={"id": "c"}, no_such=1))
    upstream.reply(reply(REPLY))
    await gate.settle()
    lines = client.out.partition(b"\r\n\r\n")[0].split(b"\r\n")
    (dropped,) = [line for line in lines if line.startswith(b"x-gateline-dropped: ")]
    assert {b"container", b"no_such"} <= set(dropped.partition(b": ")[2].split(b", "))
    opened = len(gate.connector.opened)
    refused = await gate.ask(message("m", "x-gateline-strict: true", no_such=1))
    assert status(refused) == 400
    assert "no_such" in answered(refused)["error"]["message"]
    assert answered(refused)["type"] == "error"
    assert len(gate.connector.opened) == opened


@on_loop
async def test_a_clients_own_key_cannot_break_the_header(tmp_path: Path) -> None:
    """What it calls its fields is text from outside: a line end in it stays out of the head."""
    gate = Gate(tmp_path)
    fields: dict[str, Any] = {"a\r\nX-Evil: 1": 1, "ü" * 2_000: 2}
    client, upstream = await gate.asked(message("m", **fields))
    upstream.reply(reply(REPLY))
    await gate.settle()
    head = client.out.partition(b"\r\n\r\n")[0]
    assert b"\r\nX-Evil" not in head
    assert len(head) < 2_000


@on_loop
async def test_a_stream_is_translated_event_by_event(tmp_path: Path) -> None:
    """Each goes on when it has come; the last ones wait for the record."""
    gate = Gate(tmp_path)
    client, upstream = await gate.asked(message(stream=True))
    assert sent(upstream)["stream_options"] == {"include_usage": True}
    upstream.reply(STREAM_HEAD + chunk(WORDS[0]))
    await gate.settle()
    assert b'"text_delta","text":"He"' in client.out.replace(b" ", b"")
    upstream.reply(chunk(WORDS[1]))
    await gate.settle()
    assert b'"llo"' in client.out
    assert b"message_stop" not in client.out
    upstream.reply(chunk(WORDS[2]) + chunk(WORDS[3]) + chunk(DONE) + LAST)
    await gate.settle()
    assert b"content-type: text/event-stream\r\n" in client.out
    assert client.out.index(b"message_delta") < client.out.index(b"event: message_stop")
    record = gate.record
    assert (record.status, record.error, record.usage) == (200, "", Usage(2, 3))


@on_loop
async def test_a_client_reads_the_names_that_it_gave_its_tools(tmp_path: Path) -> None:
    """Its vendor takes shorter ones; whole and streamed, the answer has the client's."""
    name = "mcp__" + "x" * 90
    for stream in (False, True):
        gate = Gate(tmp_path / str(stream))
        client, upstream = await gate.asked(message(stream=stream, tools=[{"name": name, "input_schema": {}}]))
        short = sent(upstream)["tools"][0]["function"]["name"]
        assert len(short) <= 64
        called = {"index": 0, "id": "t", "type": "function", "function": {"name": short, "arguments": "{}"}}
        said = {"role": "assistant", "tool_calls": [called]}
        choice = {"index": 0, "delta" if stream else "message": said, "finish_reason": "tool_calls"}
        body = json.dumps({"id": "c", "created": 1, "model": "x", "choices": [choice]})
        usage = f'data: {_CHUNK}"choices":[],"usage":{{"prompt_tokens":2,"completion_tokens":3}}}}\n\n'
        events = STREAM_HEAD + chunk(f"data: {body}\n\n{usage}".encode()) + chunk(DONE) + LAST
        upstream.reply(events if stream else reply(body.encode()))
        await gate.settle()
        assert name.encode() in client.out
        assert short.encode() not in client.out


@on_loop
async def test_a_stream_that_breaks_ends_in_the_clients_own_error(tmp_path: Path) -> None:
    """Once something was seen: an error event, no stop, and a record of a failure."""
    gate = Gate(tmp_path)
    client, upstream = await gate.asked(message(stream=True))
    upstream.reply(STREAM_HEAD + chunk(WORDS[0]) + LAST)
    await gate.settle()
    assert b"event: error" in client.out
    assert b"message_stop" not in client.out
    assert gate.record.error == "upstream_broken"


@on_loop
async def test_an_unseen_failure_goes_to_a_vendor_of_another_format(tmp_path: Path) -> None:
    """A fallback is asked in its own format, with the same call."""
    gate = Gate(tmp_path, snapshot(model("m", CLAUDE, fallbacks=("n",)), model("n", provider("two"))))
    client, first = await gate.asked(message())
    assert first.provider == "claude"
    assert first.transport.out.startswith(b"POST /v1/messages HTTP/1.1\r\n")
    assert b"\r\nanthropic-version: 2023-06-01\r\n" in first.transport.out
    assert b"\r\nx-api-key: sk-ant\r\n" in first.transport.out
    first.reply(reply(b'{"type":"error","error":{"type":"authentication_error","message":"no"}}', status="401 No"))
    await gate.settle()
    second = gate.connector.opened[-1]
    assert second.provider == "two"
    assert sent(second)["messages"] == [{"role": "user", "content": "Hi"}]
    second.reply(reply(REPLY))
    await gate.settle()
    assert answered(client)["content"][0]["text"] == "Hello"
    assert [attempt.status for attempt in gate.record.attempts] == [401, 200]


@on_loop
async def test_geminis_stream_can_be_one_array(tmp_path: Path) -> None:
    """Without `alt=sse`, whatever the vendor speaks: the vendor is asked for events all the same."""
    contents = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
    gate = Gate(tmp_path / "translated")
    client, upstream = await gate.asked(post("/v1beta/models/m:streamGenerateContent", contents))
    upstream.reply(STREAM_HEAD + b"".join(chunk(event) for event in (*WORDS, DONE)) + LAST)
    await gate.settle()
    assert b"content-type: application/json\r\n" in client.out
    assert _said(client) == "Hello"
    gate = Gate(tmp_path / "same", snapshot(model("m", GEMINI)))
    client, upstream = await gate.asked(post("/v1beta/models/m:streamGenerateContent", contents))
    assert upstream.transport.out.startswith(b"POST /v1beta/models/m-there:streamGenerateContent?alt=sse HTTP/1.1\r\n")
    events = [{"candidates": [{"content": {"role": "model", "parts": [{"text": part}]}}]} for part in ("Hel", "lo")]
    events[1]["candidates"][0]["finishReason"] = "STOP"  # type: ignore[assignment]
    upstream.reply(STREAM_HEAD + b"".join(chunk(b"data: %b\n\n" % json.dumps(e).encode()) for e in events) + LAST)
    await gate.settle()
    assert _said(client) == "Hello"


@on_loop
async def test_an_error_ahead_of_an_array_is_its_element(tmp_path: Path) -> None:
    """As Google's own: who reads an array as it comes finds the error in it."""
    contents = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
    for query, is_array in (("", True), ("?alt=sse", False)):
        gate = Gate(tmp_path / f"array-{is_array}")
        client = await gate.ask(post(f"/v1beta/models/none:streamGenerateContent{query}", contents))
        answer = json.loads(client.out.partition(b"\r\n\r\n")[2])
        assert status(client) == 404
        assert (answer[0] if is_array else answer)["error"]["status"] == "NOT_FOUND"


def _said(client: FakeTransport) -> str:
    from gateline.wire.dechunk import Dechunker

    dechunker = Dechunker(1_000_000)
    dechunker.feed(client.out.partition(b"\r\n\r\n")[2])
    elements = json.loads(bytes(dechunker.body))
    parts = [part for each in elements for part in each["candidates"][0].get("content", {}).get("parts", [])]
    return "".join(part.get("text", "") for part in parts)


@on_loop
async def test_the_list_of_models_is_in_the_callers_format(tmp_path: Path) -> None:
    """By prefix or by the headers its SDK sends."""
    gate = Gate(tmp_path)
    assert answered(await gate.ask(get("/v1/models")))["object"] == "list"
    assert answered(await gate.ask(get("/v1/models/m")))["object"] == "model"
    claude = answered(await gate.ask(get("/v1/models", "anthropic-version: 2023-06-01")))
    assert (claude["data"][0]["type"], claude["data"][0]["id"], claude["has_more"]) == ("model", "m", False)
    assert answered(await gate.ask(get("/anthropic/v1/models/m")))["type"] == "model"
    assert answered(await gate.ask(get("/v1beta/models")))["models"][0]["name"] == "models/m"
    assert answered(await gate.ask(get("/gemini/v1beta/models/m")))["name"] == "models/m"
    assert answered(await gate.ask(get("/api/tags")))["models"][0]["name"] == "m"
    assert answered(await gate.ask(get("/api/version")))["version"]
    assert "completion" in answered(await gate.ask(post("/api/show", {"model": "m"})))["capabilities"]
    assert status(await gate.ask(post("/api/show", {"model": "nobody"}))) == 404
    missing = await gate.ask(get("/v1beta/models/nobody"))
    assert (status(missing), answered(missing)["error"]["status"]) == (404, "NOT_FOUND")


@on_loop
async def test_keys_of_one_provider_take_turns(tmp_path: Path) -> None:
    """A refused key is followed by the next at once, in the same call, and is not asked again."""
    two = Provider("up", "openai-compatible", "http", "127.0.0.1", 9000, "/v1", "one", api_keys=("two",))
    gate = Gate(tmp_path, snapshot(model("m", two)))
    client, first = await gate.asked(message())
    assert b"Bearer one\r\n" in first.transport.out
    first.reply(reply(b'{"error":{"message":"no"}}', status="401 No"))
    await gate.settle()
    second = gate.connector.opened[-1] if len(gate.connector.opened) > 1 else first
    assert b"Bearer two\r\n" in second.transport.out
    second.reply(reply(REPLY))
    await gate.settle()
    assert status(client) == 200
    assert [attempt.status for attempt in gate.record.attempts] == [401, 200]


@on_loop
async def test_a_reply_with_a_picture_is_translated_beside_the_loop(tmp_path: Path) -> None:
    """Over a megabyte of it: the answer is whole and says its length, and usage is noted."""
    gate = Gate(tmp_path)
    picture = "QUJD" * 400_000
    images = [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture}"}}]
    body = json.loads(REPLY)
    body["choices"][0]["message"]["images"] = images
    fields = {"contents": [{"role": "user", "parts": [{"text": "Draw."}]}]}
    client, upstream = await gate.asked(post("/v1beta/models/m:generateContent", fields))
    upstream.reply(reply(json.dumps(body).encode()))
    while gate.live:
        await gate.settle()
    assert status(client) == 200
    parts = answered(client)["candidates"][0]["content"]["parts"]
    assert parts[-1]["inlineData"] == {"mimeType": "image/png", "data": picture}
    assert gate.record.usage == Usage(2, 3)


@on_loop
async def test_a_large_reply_that_is_an_error_is_one(tmp_path: Path) -> None:
    """As a small one is, whatever stands beside it."""
    gate = Gate(tmp_path, snapshot(retry=Retry(attempts=1)))
    client, upstream = await gate.asked(message())
    upstream.reply(reply(json.dumps({"pad": "x" * 1_200_000, "error": {"message": "no room"}}).encode()))
    while gate.live:
        await gate.settle()
    assert answered(client)["error"]["message"].startswith("no room")


@on_loop
async def test_what_other_vendors_thought_does_not_pass(tmp_path: Path) -> None:
    """Where client and vendor speak one format it is taken out, and said; a strict client gets 400 instead."""
    gate = Gate(tmp_path, snapshot(model("m", CLAUDE)))
    thought = {"type": "redacted_thinking", "data": "before:gateline.gemini.abc"}
    use = {"type": "tool_use", "id": "c", "name": "f", "input": {"a": 1.0}}
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [thought, use]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "r"}]},
    ]
    client, upstream = await gate.asked(message(messages=turns, container="kept"))
    body = sent(upstream)
    assert body["messages"] == [turns[0], {"role": "assistant", "content": [use]}, turns[2]]
    assert (body["model"], body["container"]) == ("m-there", "kept")
    upstream.reply(reply(b'{"id":"x","type":"message","role":"assistant","content":[],"usage":{"input_tokens":1}}'))
    await gate.settle()
    assert status(client) == 200
    assert b"\r\nx-gateline-dropped: redacted_thinking\r\n" in client.out
    opened = len(gate.connector.opened)
    refused = await gate.ask(message("m", "x-gateline-strict: true", messages=turns))
    assert status(refused) == 400
    assert len(gate.connector.opened) == opened


@on_loop
async def test_an_answer_without_a_time_gets_one(tmp_path: Path) -> None:
    """Anthropic does not say when it answered; OpenAI's clients show it."""
    gate = Gate(tmp_path, snapshot(model("m", CLAUDE)))
    call = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    client, upstream = await gate.asked(post("/v1/chat/completions", call))
    answer = {"id": "msg_1", "type": "message", "role": "assistant", "model": "x", "stop_reason": "end_turn"}
    content = [{"type": "text", "text": "Hello"}]
    usage = {"input_tokens": 1, "output_tokens": 1}
    upstream.reply(reply(json.dumps({**answer, "content": content, "usage": usage}).encode()))
    await gate.settle()
    assert answered(client)["created"] > 1_700_000_000


@on_loop
async def test_a_strict_caller_gets_the_target_that_has_a_place_for_all(tmp_path: Path) -> None:
    """One that has none is passed over; only when no other is left the caller hears of it."""
    weights = (1_000_000, 1)
    strict = "x-gateline-strict: true"
    asking = {"model": "m", "seed": 3, "messages": [{"role": "user", "content": "Hi"}]}
    gate = Gate(tmp_path / "two", snapshot(model("m", CLAUDE, provider("up"), weights=weights)))
    client, upstream = await gate.asked(post("/v1/chat/completions", asking, strict))
    assert upstream.provider == "up"
    upstream.reply(reply(REPLY))
    await gate.settle()
    assert status(client) == 200
    assert [attempt.error for attempt in gate.record.attempts] == ["untranslatable", ""]
    gate = Gate(tmp_path / "one", snapshot(model("m", CLAUDE)))
    refused = await gate.ask(post("/v1/chat/completions", asking, strict))
    assert (status(refused), gate.record.error, gate.connector.opened) == (400, "untranslatable", [])
    both = model("m", provider("up"), CLAUDE, weights=weights)
    gate = Gate(tmp_path / "down", snapshot(both, retry=Retry(attempts=1)))
    client, upstream = await gate.asked(post("/v1/chat/completions", asking, strict))
    upstream.lose(ConnectionResetError())
    await gate.settle()
    assert status(client) == 502  # leaving something out is not what would help
