"""A client that speaks its vendor's format, and is answered by two vendors in turn: through the whole worker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gateline.model.snapshot import Provider
from tests.formats.anthropic import stream
from tests.gateway.rig import LAST, STREAM_HEAD, Gate, chunk, model, reply, snapshot
from tests.gateway.test_bedrock_and_cohere import post, streamed, told
from tests.net.transport import on_loop

CLAUDE = Provider("an", "anthropic", "http", "127.0.0.1", 9001, "", "an-key")
OPENAI = Provider("oa", "openai-responses", "http", "127.0.0.1", 9002, "", "oa-key")
DEEPSEEK = Provider("ds", "deepseek", "http", "127.0.0.1", 9003, "", "ds-key")
AZURE = Provider("az", "azure", "http", "127.0.0.1", 9004, "", "az-key", options=(("api_version", "v1"),))
SIGNED = "c2lnbmVkIGJ5IGRlZXBzZWVr"
THOUGHT = {"type": "thinking", "thinking": "t", "signature": SIGNED}
SAID = {"type": "text", "text": "x"}
MESSAGE = {
    "id": "m1", "type": "message", "role": "assistant", "model": "d", "content": [THOUGHT, SAID],
    "stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 2},
}  # fmt: skip
ITEM = {"type": "reasoning", "id": "rs_9", "summary": [], "encrypted_content": SIGNED}
RESPONSE = {
    "id": "resp_1", "object": "response", "status": "completed", "model": "d", "created_at": 1,
    "output": [ITEM, {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "x"}]}],
    "usage": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
}  # fmt: skip


def _asked(content: list[dict[str, Any]] | None, name: str, **more: Any) -> bytes:
    turns: list[dict[str, Any]] = [{"role": "user", "content": "a"}]
    if content is not None:
        turns += [{"role": "assistant", "content": content}, {"role": "user", "content": "b"}]
    return post("/v1/messages", {"model": name, "max_tokens": 64, "messages": turns, **more})


def _sent(upstream: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(upstream.transport.out.rpartition(b"\r\n\r\n")[2])
    return body


@on_loop
async def test_what_one_vendor_signed_goes_back_to_it_alone(tmp_path: Path) -> None:
    """Byte for byte; the other never sees it, and the client is told what was left out."""
    gate = Gate(tmp_path, snapshot(model("d", DEEPSEEK), model("c", CLAUDE)))
    client, upstream = await gate.asked(_asked(None, "d"))
    upstream.reply(reply(json.dumps(MESSAGE).encode()))
    await gate.settle()
    content = json.loads(told(client))["content"]
    assert content[0]["signature"].startswith("gateline.deepseek-")
    _, upstream = await gate.asked(_asked(content, "d"))
    assert _sent(upstream)["messages"][1]["content"] == [THOUGHT, SAID]
    upstream.reply(reply(json.dumps(MESSAGE).encode()))
    await gate.settle()
    client, upstream = await gate.asked(_asked(content, "c"))
    assert _sent(upstream)["messages"][1]["content"] == [SAID]
    upstream.reply(reply(json.dumps(MESSAGE).encode()))
    await gate.settle()
    assert b"x-gateline-dropped: thinking\r\n" in client.out
    assert json.loads(told(client)) == MESSAGE, "Anthropic's own passes as it came"


@on_loop
async def test_a_stream_is_marked_too(tmp_path: Path) -> None:
    thinking = stream.block(
        0,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "t"},
        {"type": "signature_delta", "signature": SIGNED},
    )
    events = stream.start() + thinking + stream.text(1, "x") + stream.finish()
    gate = Gate(tmp_path, snapshot(model("d", DEEPSEEK)))
    client, upstream = await gate.asked(_asked(None, "d", stream=True))
    upstream.reply(STREAM_HEAD + b"".join(chunk(events[at : at + 11]) for at in range(0, len(events), 11)) + LAST)
    await gate.settle()
    shown = streamed(client)
    content = stream.assemble(shown)["content"]
    assert shown.replace(content[0]["signature"].encode(), SIGNED.encode()) == events
    _, upstream = await gate.asked(_asked(content, "d"))
    assert _sent(upstream)["messages"][1]["content"][0] == THOUGHT


@on_loop
async def test_reasoning_that_one_account_encrypted(tmp_path: Path) -> None:
    """Another of the same vendor, and OpenAI itself, could not open it."""
    other = Provider("az2", "azure", "http", "127.0.0.1", 9005, "", "az-key", options=(("api_version", "v1"),))
    gate = Gate(tmp_path, snapshot(model("a", AZURE), model("b", other), model("o", OPENAI)))
    asked = {"input": "a", "include": ["reasoning.encrypted_content"], "store": False}
    client, upstream = await gate.asked(post("/v1/responses", {"model": "a", **asked}))
    upstream.reply(reply(json.dumps(RESPONSE).encode()))
    await gate.settle()
    output = json.loads(told(client))["output"]
    goes_on = [{"role": "user", "content": "a"}, *output, {"role": "user", "content": "b"}]
    for name, kept in (("a", [ITEM]), ("b", []), ("o", [])):
        _, upstream = await gate.asked(post("/v1/responses", {**asked, "model": name, "input": goes_on}))
        items = _sent(upstream)["input"]
        assert [item for item in items if item.get("type") == "reasoning"] == kept, name
        upstream.reply(reply(json.dumps(RESPONSE).encode()))
        await gate.settle()
