from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from gateline.formats.anthropic.sides import COUNT, MESSAGES
from gateline.formats.call import read_call
from gateline.model.chat import (
    Chat,
    Media,
    Reasoning,
    Seal,
    Text,
    Thinking,
    ToolChoice,
    ToolResult,
    ToolUse,
)
from gateline.model.errors import BadRequest

PNG = "iVBORw0KGgo="


def read(messages: list[Any] | None = None, **fields: object) -> Chat:
    asked: dict[str, object] = {"model": "m", "max_tokens": 9, "messages": messages or [user("hi")], **fields}
    body = json.dumps(asked).encode()
    chat = MESSAGES.read(read_call(body, "messages"), body)
    assert isinstance(chat, Chat)
    return chat


def user(*content: object) -> dict[str, object]:
    return {"role": "user", "content": content[0] if len(content) == 1 and isinstance(content[0], str) else content}


def assistant(*content: object) -> dict[str, object]:
    return {**user(*content), "role": "assistant"}


def test_plain_fields_are_read() -> None:
    """Every field that has a place in a chat gets there, null where the vendor allows null."""
    chat = read(
        system="be kind",
        temperature=0.5,
        top_p=0.9,
        top_k=4,
        stop_sequences=["x"],
        stream=True,
        service_tier="standard_only",
        metadata={"user_id": "u", "team": "t"},
        thinking=None,
        tools=None,
        output_config=None,
    )
    assert [turn.role for turn in chat.turns] == ["system", "user"]
    assert chat.turns[0].parts == [Text(text="be kind")]
    assert (chat.max_tokens, chat.temperature, chat.top_p, chat.top_k, chat.stop) == (9, 0.5, 0.9, 4, ["x"])
    assert (chat.stream, chat.include_usage, chat.user, chat.service_tier) == (True, True, "u", "default")
    assert chat.unmapped == ["metadata.team"]


def test_marks_of_the_cache_are_read() -> None:
    """A mark lives five minutes or an hour; one at the top stands for one on the last block."""
    system = [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    tools = [{"name": "f", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}}]
    chat = read(system=system, tools=tools, cache_control={"type": "ephemeral"})
    assert chat.turns[0].parts == [Text(text="s", cache="1h")]
    assert chat.tools[0].cache == "5m"
    assert chat.turns[-1].parts == [Text(text="hi", cache="5m")]


def test_images_and_documents_are_read() -> None:
    """Inline, by URL or by file; a text document becomes a file with its text."""
    sources = [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
        {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
        {
            "type": "document",
            "title": "T",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"},
        },
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "é"}},
        {
            "type": "document",
            "source": {"type": "content", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        },
        {
            "type": "document",
            "source": {"type": "url", "url": "https://x/y.pdf"},
            "citations": {"enabled": True},
            "context": "c",
        },
    ]
    chat = read([user(*sources)])
    assert chat.turns[0].parts == [
        Media(kind="image", mime="image/png", data=PNG),
        Media(kind="image", url="https://x/y.png"),
        Media(kind="image", file_id="file_1"),
        Media(kind="file", mime="application/pdf", data="JVBE", name="T"),
        Media(kind="file", mime="text/plain", data=base64.b64encode("é".encode()).decode()),
        Media(kind="file", mime="text/plain", data=base64.b64encode(b"a\n\nb").decode()),
        Media(kind="file", url="https://x/y.pdf"),
    ]
    assert chat.unmapped == ["messages.content.citations", "messages.content.context"]


def test_tool_use_and_results_are_read() -> None:
    """Arguments stay as the model wrote them; none at all are empty."""
    chat = read(
        [
            user("hi"),
            assistant(
                {"type": "text", "text": "t"},
                {"type": "tool_use", "id": "1", "name": "f", "input": {"a": 1.50}},
                {"type": "tool_use", "id": "2", "name": "g", "input": {}},
            ),
            user(
                {"type": "tool_result", "tool_use_id": "1", "content": "out"},
                {
                    "type": "tool_result",
                    "tool_use_id": "2",
                    "is_error": True,
                    "content": [
                        {"type": "text", "text": "no"},
                        {"type": "image", "source": {"type": "url", "url": "https://x"}},
                        {"type": "tool_reference", "tool_name": "f"},
                    ],
                },
                {"type": "tool_result", "tool_use_id": "3"},
            ),
        ]
    )
    assert chat.turns[1].parts == [
        Text(text="t"),
        ToolUse(id="1", name="f", arguments='{"a": 1.5}'),
        ToolUse(id="2", name="g"),
    ]
    assert chat.turns[2].parts == [
        ToolResult(id="1", parts=[Text(text="out")]),
        ToolResult(id="2", parts=[Text(text="no"), Media(kind="image", url="https://x")], is_error=True),
        ToolResult(id="3", parts=[]),
    ]
    assert chat.unmapped == ["messages.content.tool_result.tool_reference"]


def test_seals_come_back_with_their_makers() -> None:
    """Unmarked ones are Anthropic's; carriers give their seals to the tool use behind and the text ahead of them."""
    chat = read(
        [
            user("hi"),
            assistant(
                {"type": "thinking", "thinking": "t", "signature": "gateline"},
                {"type": "thinking", "thinking": "u", "signature": "gateline.gemini.GG"},
                {"type": "thinking", "thinking": "v", "signature": ""},
                {"type": "thinking", "thinking": "", "signature": ""},
                {"type": "redacted_thinking", "data": "hidden"},
                {"type": "redacted_thinking", "data": "id:rs_1:gateline.openai.OO"},
                {"type": "text", "text": "x"},
                {"type": "redacted_thinking", "data": "behind:gateline.gemini.TT"},
                {"type": "redacted_thinking", "data": "before:gateline.gemini.CC"},
                {"type": "tool_use", "id": "1", "name": "f", "input": {}},
            ),
        ]
    )
    assert chat.turns[1].parts == [
        Reasoning(text="t", seal=Seal("anthropic", "gateline")),
        Reasoning(text="u", seal=Seal("gemini", "GG")),
        Reasoning(text="v"),
        Reasoning(seal=Seal("anthropic", "hidden"), is_hidden=True),
        Reasoning(seal=Seal("openai", "OO"), is_hidden=True, id="rs_1"),
        Text(text="x", seal=Seal("gemini", "TT")),
        ToolUse(id="1", name="f", seal=Seal("gemini", "CC")),
    ]


def test_what_is_not_known_is_named() -> None:
    """Unknown blocks, fields and server tools are no mistakes, and are named in the client's own words."""
    chat = read(
        [
            user("hi"),
            assistant(
                {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "q"}},
                {
                    "type": "web_search_tool_result",
                    "tool_use_id": "s",
                    "content": [{"type": "web_search_result", "url": "u"}],
                },
                {"type": "text", "text": "ok"},
            ),
            user(
                {"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "found"}]}
            ),
        ],
        tools=[
            {"type": "web_search_20250305", "name": "web_search"},
            {"type": "custom", "name": "f", "defer_loading": True},
        ],
        container="c",
        speed="fast",
        output_config={"effort": "low", "task_budget": {"type": "tokens"}},
    )
    assert [tool.name for tool in chat.tools] == ["f"]
    assert chat.turns[2].parts == [Text(text="found")]
    assert chat.unmapped == [
        "container",
        "speed",
        "tools.web_search_20250305",
        "tools.defer_loading",
        "output_config.task_budget",
        "messages.content.server_tool_use",
        "messages.content.web_search_tool_result",
        "messages.content.search_result",
    ]


@pytest.mark.parametrize(
    ("fields", "thinking"),
    [
        ({}, None),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, Thinking(budget=2000, is_shown=True)),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 2000, "display": "omitted"}},
            Thinking(budget=2000, is_shown=False),
        ),
        ({"thinking": {"type": "adaptive"}}, Thinking(budget=-1)),
        (
            {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "max"}},
            Thinking(effort="max", is_shown=True),
        ),
        ({"output_config": {"effort": "low"}}, Thinking(effort="low")),
        ({"thinking": {"type": "disabled"}}, Thinking(budget=0)),
        ({"thinking": {"type": "between_tools"}}, Thinking(budget=0)),
    ],
)
def test_thinking_is_read(fields: dict[str, Any], thinking: Thinking | None) -> None:
    """Budget and effort both arrive."""
    assert read(**fields).thinking == thinking


@pytest.mark.parametrize(
    ("choice", "read_as", "parallel"),
    [
        ({"type": "auto", "disable_parallel_tool_use": True}, ToolChoice(mode="auto"), False),
        ({"type": "any", "disable_parallel_tool_use": False}, ToolChoice(mode="required"), True),
        ({"type": "tool", "name": "f"}, ToolChoice(mode="required", names=["f"]), None),
        ({"type": "none"}, ToolChoice(mode="none"), None),
    ],
)
def test_choices_are_read(choice: object, read_as: ToolChoice, parallel: bool | None) -> None:
    """The four ways of choosing tools."""
    chat = read(tool_choice=choice, tools=[{"name": "f", "input_schema": {"type": "object"}}])
    assert (chat.tool_choice, chat.parallel_tools) == (read_as, parallel)


def test_a_schema_is_kept_byte_for_byte() -> None:
    """Schemas of tools and of the answer pass as the client wrote them."""
    body = (
        b'{"model":"m","messages":[{"role":"user","content":"x"}],'
        b'"tools":[{"name":"f","input_schema":{ "b":1,  "a":2}}],'
        b'"output_config":{"format":{"type":"json_schema","schema":{ "z": 0 }}}}'
    )
    chat = MESSAGES.read(read_call(body, "messages"), body)
    assert bytes(chat.tools[0].schema) == b'{ "b":1,  "a":2}'
    assert bytes(chat.output.schema) == b'{ "z": 0 }'


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [user("x"), {"role": "robot", "content": "x"}]}, "messages[1].role"),
        ({"messages": [user({"type": "text"})]}, "messages[0].content[0].text"),
        (
            {"messages": [user("x"), assistant({"type": "tool_use", "name": "f", "input": {}})]},
            "messages[1].content[0].id",
        ),
        (
            {"messages": [user({"type": "tool_use", "id": "1", "name": "f", "input": {}})]},
            "messages[0].content[0].type",
        ),
        ({"messages": [assistant({"type": "tool_result", "tool_use_id": "1"})]}, "messages[0].content[0].type"),
        (
            {"messages": [user({"type": "tool_result", "tool_use_id": "1", "content": 7})]},
            "messages[0].content[0].content",
        ),
        ({"temperature": "hot"}, "temperature"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"tool_choice": {"type": "some"}}, "tool_choice.type"),
        ({"tools": [{"input_schema": {}}]}, "tools[0].name"),
        ({"output_config": {"format": {"type": "grammar"}}}, "output_config.format.type"),
        ({"metadata": {"user_id": 7}}, "metadata.user_id"),
    ],
)
def test_mistakes_name_their_field(fields: dict[str, Any], param: str) -> None:
    """A call that the format does not allow is refused with the field as its users know it."""
    body = json.dumps({"model": "m", "max_tokens": 9, "messages": [user("hi")], **fields}).encode()
    with pytest.raises(BadRequest) as caught:
        MESSAGES.read(read_call(body, "messages"), body)
    assert caught.value.param == param


def test_a_count_holds_the_chat() -> None:
    """`count_tokens` is asked for the same conversation, without a bound."""
    body = json.dumps({"model": "m", "messages": [user("hi")], "system": "s"}).encode()
    count = COUNT.read(read_call(body, "messages.count_tokens"), body)
    assert [turn.role for turn in count.chat.turns] == ["system", "user"]
    assert count.chat.max_tokens is None
