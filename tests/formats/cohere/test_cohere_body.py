"""What Cohere is asked for, and what its users ask for."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Raw

from gateline.model.chat import (
    Media,
    Output,
    Reasoning,
    Seal,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
    Turn,
)
from gateline.model.errors import BadRequest
from tests.formats.cohere.wire import MODEL, PLAIN_MODEL, assistant, chat, read, user, write

SCHEMA = Raw(b'{"type":"object"}')
TOOL = Tool(name="f", description="d", schema=SCHEMA)
HI = [{"role": "user", "content": "hi"}]


def test_the_least_call_is_whole() -> None:
    """A model and messages."""
    assert write(chat()) == ({"model": PLAIN_MODEL, "messages": HI}, [])


def test_sampling_stays_in_bounds() -> None:
    """What is out of the vendor's bounds is brought to them, or left out and told."""
    body, dropped = write(
        chat(max_tokens=5, temperature=0.5, top_p=1.0, top_k=900, seed=3, frequency_penalty=0.5, presence_penalty=-1,
             stop=list("abcdef"), logprobs=True, top_logprobs=2, n=1, user="u")
    )  # fmt: skip
    assert (body["p"], body["k"], body["seed"], body["max_tokens"]) == (0.99, 500, 3, 5)
    assert (body["frequency_penalty"], body["presence_penalty"]) == (0.5, 0)
    assert (body["stop_sequences"], body["logprobs"]) == (list("abcde"), True)
    assert dropped == ["top_logprobs", "user", "presence_penalty", "stop"]


def test_choices_are_words() -> None:
    """Names narrow the tools: there is no word for one."""
    tools = [TOOL, Tool(name="g")]
    body, dropped = write(chat(tools=tools, tool_choice=ToolChoice(mode="required", names=["g"])))
    assert body["tools"] == [
        {"type": "function", "function": {"name": "g", "parameters": {"type": "object", "properties": {}}}}
    ]
    assert (body["tool_choice"], dropped) == ("REQUIRED", [])
    assert write(chat(tools=tools, tool_choice=ToolChoice(mode="none")))[0]["tool_choice"] == "NONE"
    assert "tool_choice" not in write(chat(tools=tools, tool_choice=ToolChoice(mode="auto")))[0]


def test_schemas_do_not_go_with_tools() -> None:
    """The vendor refuses both."""
    output = Output(kind="schema", schema=SCHEMA)
    assert write(chat(output=output))[0]["response_format"] == {
        "type": "json_object", "json_schema": {"type": "object"},
    }  # fmt: skip
    assert write(chat(output=Output(kind="json")))[0]["response_format"] == {"type": "json_object"}
    body, dropped = write(chat(output=output, tools=[TOOL]))
    assert ("response_format" in body, dropped) == (False, ["output"])


@pytest.mark.parametrize(
    ("thinking", "model", "written", "dropped"),
    [
        (Thinking(effort="low"), MODEL, {"type": "enabled", "token_budget": 2_048}, []),
        (Thinking(effort="max"), MODEL, {"type": "enabled", "token_budget": 4_000}, []),
        (Thinking(budget=-1), MODEL, {"type": "enabled"}, []),
        (Thinking(budget=0), MODEL, {"type": "disabled"}, []),
        (Thinking(), MODEL, None, []),
        (Thinking(effort="low"), PLAIN_MODEL, None, ["thinking"]),
        (Thinking(effort="none"), PLAIN_MODEL, None, []),
        (Thinking(effort="low"), "command-a-plus-05-2026", {"type": "enabled", "token_budget": 2_048}, []),
    ],
)
def test_thinking_is_a_budget(thinking: Thinking, model: str, written: object, dropped: list[str]) -> None:
    """Of models that reason; it stays below the bound on all tokens."""
    body, left = write(chat(thinking=thinking, max_tokens=8_000), model)
    assert (body.get("thinking"), left) == (written, dropped)


def test_turns_are_messages() -> None:
    """A result is a message of its own, words ahead of a tool's use are its plan, an answer that was begun is left."""
    asked = chat()
    asked.turns = [
        Turn(role="system", parts=[Text(text="s", cache="5m")]),
        Turn(role="developer", parts=[Text(text="a"), Text(text="b")]),
        user("q", Media(kind="image", mime="image/png", data="AA=="), Media(kind="image", url="https://a/b.png")),
        assistant("plan", ToolUse(id="t", name="f"), ToolUse(id="u", name="g", arguments='{"a":1}')),
        user(ToolResult(id="t", parts=[Text(text="r")], is_error=True), ToolResult(id="u", parts=[]), "next"),
        assistant("so"),
    ]
    body, dropped = write(asked)
    assert body["messages"] == [
        {"role": "system", "content": "s"},
        {"role": "system", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "q"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
                {"type": "image_url", "image_url": {"url": "https://a/b.png"}},
            ],
        },
        {
            "role": "assistant",
            "tool_plan": "plan",
            "tool_calls": [
                {"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                {"id": "u", "type": "function", "function": {"name": "g", "arguments": '{"a":1}'}},
            ],
        },
        {"role": "tool", "content": "r", "tool_call_id": "t"},
        {"role": "tool", "content": "", "tool_call_id": "u"},
        {"role": "user", "content": "next"},
    ]
    assert dropped == ["cache", "tool_error", "prefill"]


def test_thoughts_go_back_unless_another_sealed_them() -> None:
    """To models that think; text files are text, other files have no place."""
    asked = chat(
        Media(kind="file", mime="text/plain", data="aGk="), Media(kind="file", mime="application/pdf", data="A")
    )
    asked.turns += [assistant(Reasoning(text="hm"), Reasoning(text="x", seal=Seal("gemini", "g")), "a"), user("b")]
    body, dropped = write(asked, MODEL)
    assert body["messages"][0]["content"] == "hi"
    assert body["messages"][1]["content"] == [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "a"}]
    assert dropped == ["file", "seal", "reasoning"]
    assert write(asked, PLAIN_MODEL)[0]["messages"][1]["content"] == "a"


def test_a_call_is_read() -> None:
    """With all that Cohere's users send; what has no place is named."""
    body = {
        "model": "m",
        "stream": True,
        "messages": [
            {"role": "system", "content": "s"},
            {"role": "user", "content": [{"type": "text", "text": "q"},
                                         {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==",
                                                                             "detail": "low"}}]},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}], "tool_plan": "plan",
             "tool_calls": [{"id": "t", "type": "function", "function": {"name": "f", "arguments": "null"}}]},
            {"role": "tool", "tool_call_id": "t",
             "content": [{"type": "document", "document": {"id": "d", "data": {"text": "r"}}}]},
            {"role": "assistant", "content": "so", "citations": [
                {"start": 0, "end": 2, "text": "so", "sources": [
                    {"type": "document", "id": "d", "document": {"text": "r", "title": "T"}}]}]},
            {"role": "user", "content": "next"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "strict_tools": True, "tool_choice": "REQUIRED", "k": 0, "p": 0.5, "safety_mode": "OFF",
        "documents": ["x"], "thinking": {"type": "enabled", "token_budget": 9},
    }  # fmt: skip
    found = read(body)
    assert (found.stream, found.top_k, found.top_p, found.unmapped) == (True, None, 0.5, ["safety_mode", "documents"])
    assert found.thinking == Thinking(budget=9, is_shown=True)
    assert found.tools[0].strict is True
    assert found.turns[1].parts[1] == Media(kind="image", mime="image/png", data="AA==", detail="low")
    assert found.turns[2].parts == [Reasoning(text="hm"), Text(text="plan"), ToolUse(id="t", name="f")]
    assert found.turns[3].parts == [ToolResult(id="t", parts=[Text(text='{"text":"r"}')])]
    (said,) = found.turns[4].parts
    assert isinstance(said, Text)
    assert (said.citations[0].title, said.citations[0].document, said.citations[0].end) == ("T", "d", 2)


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "developer", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages[0].content[0].type"),
        ({"max_tokens": "x"}, "max_tokens"),
        ({"tool_choice": "AUTO"}, "tool_choice"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
    ],
)
def test_a_mistake_is_named(change: dict[str, Any], param: str) -> None:
    """By the field's name in the client's own spelling."""
    with pytest.raises(BadRequest) as raised:
        read({"model": "m", "messages": HI, **change})
    assert raised.value.param == param


def test_what_is_carried_comes_back() -> None:
    """A chat in what Cohere has, written for it and read as a server, is the same chat."""
    asked = chat(
        "look",
        Media(kind="image", mime="image/png", data="AA==", detail="high"),
        max_tokens=9_000, temperature=0.5, top_p=0.5, top_k=3, seed=1, frequency_penalty=0.5, presence_penalty=0.25,
        stop=["x"], logprobs=True, thinking=Thinking(budget=100, is_shown=True), include_usage=True, stream=True,
        output=Output(kind="schema", schema=SCHEMA, strict=True),
    )  # fmt: skip
    asked.turns.insert(0, Turn(role="system", parts=[Text(text="s")]))
    asked.turns += [
        assistant(Reasoning(text="t"), "a", ToolUse(id="t", name="f", arguments='{"a":1}')),
        user(ToolResult(id="t", parts=[Text(text="r")])),
        user("b"),
    ]
    assert read(write(asked, MODEL)[0]) == asked
