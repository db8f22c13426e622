"""What a client is given in one turn and sends back in the next."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateline.formats.anthropic.sides import MESSAGES, MESSAGES_CLIENT
from gateline.formats.anthropic.writer import StreamWriter
from gateline.formats.call import read_call
from gateline.formats.dialect import PLAIN
from gateline.model.chat import Chat, Choice, Part, Reasoning, Seal, Text, ToolResult, ToolUse
from gateline.model.chatreply import (
    Began,
    ChatReply,
    Delta,
    Finished,
    ReasoningDelta,
    ReasoningSealed,
    TextDelta,
    ToolBegan,
    ToolDelta,
)
from tests.formats.anthropic.stream import assemble, block, finish, read, start, tool

ASKED = Chat(model="m", turns=[])
RESULT = {"type": "tool_result", "tool_use_id": "toolu_f", "content": "done"}


def sent_back(content: list[Any]) -> Chat:
    """The client's next call, with what it was given as it got it, and the tool's result."""
    messages = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": content},
        {"role": "user", "content": [RESULT]},
    ]
    tools = [{"name": "f", "input_schema": {"type": "object"}}]
    thinking = {"type": "enabled", "budget_tokens": 1_024}
    body = json.dumps(
        {"model": "m", "max_tokens": 4_000, "messages": messages, "tools": tools, "thinking": thinking}
    ).encode()
    chat = MESSAGES.read(read_call(body, "messages"), body)
    assert isinstance(chat, Chat)
    return chat


@pytest.mark.parametrize("is_streamed", [True, False])
def test_anthropic_gets_its_own_bytes_back(is_streamed: bool) -> None:
    """Signatures and hidden reasoning reach the vendor again byte for byte, and thinking stays on."""
    content: list[dict[str, object]] = [
        {"type": "thinking", "thinking": "hm", "signature": "EqQB+/=="},
        {"type": "redacted_thinking", "data": "EmwK+/=="},
        {"type": "tool_use", "id": "toolu_f", "name": "f", "input": {"a": 1}},
    ]
    if is_streamed:
        thought = block(
            0,
            {"type": "thinking", "thinking": "", "signature": ""},
            {"type": "thinking_delta", "thinking": "hm"},
            {"type": "signature_delta", "signature": "EqQB+/=="},
        )
        deltas, _ = read(start() + thought + block(1, content[1]) + tool(2, "f", '{"a": 1}') + finish("tool_use"))
        writer = StreamWriter(ASKED, "r")
        given = assemble(writer.write(deltas) + writer.end())["content"]
    else:
        body = json.dumps({"id": "msg_1", "model": "c", "content": content, "stop_reason": "tool_use"}).encode()
        given = json.loads(MESSAGES.write_reply(MESSAGES_CLIENT.read_reply(body, ""), ASKED))["content"]
    written = MESSAGES_CLIENT.write(sent_back(given), "claude-haiku-4-5", PLAIN)
    asked = json.loads(written.body)
    assert asked["messages"][1]["content"] == content
    assert asked["thinking"] == {"type": "enabled", "budget_tokens": 1_024}
    assert list(written.dropped) == []


FOREIGN: list[Part] = [
    Reasoning(text="plan", seal=Seal("openai", "gAAA"), id="rs_1"),
    Reasoning(seal=Seal("openai", "gBBB"), is_hidden=True, id="rs_2"),
    Text(text="calling", seal=Seal("gemini", "T+/=")),
    ToolUse(id="toolu_f", name="f", arguments='{"a": 1}', seal=Seal("gemini", "C+/=")),
]


@pytest.mark.parametrize("is_streamed", [True, False])
def test_other_vendors_seals_survive_and_go_to_no_one_else(is_streamed: bool) -> None:
    """Seals of OpenAI and Gemini come back with their parts, whole; Anthropic gets none of them and no thinking."""
    if is_streamed:
        deltas: list[Delta] = [
            Began(id="x", model="y"),
            ReasoningDelta(text="plan", id="rs_1"),
            ReasoningSealed(seal=Seal("openai", "gAAA"), id="rs_1"),
            ReasoningSealed(seal=Seal("openai", "gBBB"), is_hidden=True, id="rs_2"),
            TextDelta(text="calling"),
            TextDelta(text="", seal=Seal("gemini", "T+/=")),
            ToolBegan(index=0, id="toolu_f", name="f", seal=Seal("gemini", "C+/=")),
            ToolDelta(index=0, arguments='{"a": 1}'),
            Finished(finish="tool"),
        ]
        writer = StreamWriter(ASKED, "r")
        given = assemble(writer.write(deltas) + writer.end())["content"]
    else:
        reply = ChatReply(id="x", model="y", choices=[Choice(parts=FOREIGN, finish="tool")])
        given = json.loads(MESSAGES.write_reply(reply, ASKED))["content"]
    chat = sent_back(given)
    assert chat.turns[1].parts == FOREIGN
    assert chat.turns[2].parts == [ToolResult(id="toolu_f", parts=[Text(text="done")])]
    written = MESSAGES_CLIENT.write(chat, "claude-haiku-4-5", PLAIN)
    assert [part["type"] for part in json.loads(written.body)["messages"][1]["content"]] == ["text", "tool_use"]
    assert not any(seal in written.body for seal in (b"gAAA", b"gBBB", b"T+/=", b"C+/="))
    assert set(written.dropped) == {"reasoning", "seal", "thinking"}


def test_a_forced_tool_is_the_reason() -> None:
    """OpenAI ends a forced call with `stop`; Anthropic's clients look for `tool_use`, streamed or not."""
    reply = ChatReply(id="x", model="y", choices=[Choice(parts=[ToolUse(id="1", name="f")], finish="stop")])
    assert json.loads(MESSAGES.write_reply(reply, ASKED))["stop_reason"] == "tool_use"
    writer = StreamWriter(ASKED, "r")
    written = writer.write([Began(id="x", model="y"), ToolBegan(index=0, id="1", name="f"), Finished(finish="stop")])
    assert assemble(written + writer.end())["stop_reason"] == "tool_use"
