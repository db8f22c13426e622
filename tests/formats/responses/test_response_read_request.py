"""Calls for responses, read from clients."""

from __future__ import annotations

from typing import Any

import pytest

from gateline.model.chat import (
    Media,
    Part,
    Reasoning,
    Refusal,
    Role,
    Seal,
    Text,
    Thinking,
    ToolChoice,
    ToolResult,
    ToolUse,
    Turn,
)
from gateline.model.errors import BadRequest
from tests.formats.responses.calls import asked, user


def test_input_may_be_a_string() -> None:
    """It is what the user says; instructions come ahead of it."""
    assert asked(input="hi", instructions="Be brief.").turns == [
        Turn(role="system", parts=[Text(text="Be brief.")]),
        user(),
    ]


def test_messages_may_leave_their_type_out() -> None:
    """And their content may be a string or parts, in every role."""
    turns = asked(
        input=[
            {"role": "developer", "content": "a"},
            {"role": "user", "content": [{"type": "input_text", "text": "b"}]},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "c"}]},
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "d"}]},
            {"role": "system", "content": "e"},
        ]
    ).turns
    expected: list[tuple[Role, list[Part]]] = [
        ("developer", [Text(text="a")]),
        ("user", [Text(text="b")]),
        ("assistant", [Text(text="c"), Refusal(text="d")]),
        ("system", [Text(text="e")]),
    ]
    assert turns == [Turn(role=role, parts=parts) for role, parts in expected]


def test_media_come_as_data_as_links_and_by_id() -> None:
    """A data URL is its bytes and their type."""
    [turn] = asked(
        input=[
            {
                "role": "user",
                "content": [
                    {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"},
                    {"type": "input_image", "image_url": "https://a.example/b.png"},
                    {"type": "input_image", "file_id": "file_1"},
                    {"type": "input_file", "file_data": "data:application/pdf;base64,BBBB", "filename": "a.pdf"},
                    {"type": "input_file", "file_url": "https://a.example/b.pdf"},
                    {"type": "input_audio", "input_audio": {"data": "CCCC", "format": "mp3"}},
                ],
            }
        ]
    ).turns
    assert turn.parts == [
        Media(kind="image", mime="image/png", data="AAAA", detail="low"),
        Media(kind="image", url="https://a.example/b.png"),
        Media(kind="image", file_id="file_1"),
        Media(kind="file", mime="application/pdf", data="BBBB", name="a.pdf"),
        Media(kind="file", url="https://a.example/b.pdf"),
        Media(kind="audio", mime="audio/mp3", data="CCCC"),
    ]


def test_one_answers_items_are_one_turn() -> None:
    """Reasoning, text and calls of one answer belong together, and so do the outputs of its tools."""
    turns = asked(
        input=[
            {"role": "user", "content": "hi"},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
            {"type": "message", "id": "msg_1", "role": "assistant", "content": [{"type": "output_text", "text": "c"}]},
            {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{}"},
            {"type": "function_call", "call_id": "call_2", "name": "g", "arguments": '{"a":1}'},
            {"type": "function_call_output", "call_id": "call_1", "output": "one"},
            {"type": "function_call_output", "call_id": "call_2", "output": [{"type": "input_text", "text": "two"}]},
            {"role": "user", "content": "and?"},
        ]
    ).turns
    assert turns[1:] == [
        Turn(
            role="assistant",
            parts=[
                Reasoning(seal=Seal("openai", "gAAA"), is_hidden=True, id="rs_1"),
                Text(text="c"),
                ToolUse(id="call_1", name="f", arguments="{}"),
                ToolUse(id="call_2", name="g", arguments='{"a":1}'),
            ],
        ),
        Turn(
            role="user",
            parts=[
                ToolResult(id="call_1", parts=[Text(text="one")]),
                ToolResult(id="call_2", parts=[Text(text="two")]),
            ],
        ),
        user("and?"),
    ]


def test_options_are_read() -> None:
    """Each has its place in a chat."""
    chat = asked(
        input="hi",
        tools=[{"type": "function", "name": "f", "description": "d", "parameters": {"a": [1]}, "strict": True}],
        tool_choice="required",
        parallel_tool_calls=False,
        text={"format": {"type": "json_schema", "name": "o", "schema": {"b": 2}, "strict": True}, "verbosity": "low"},
        reasoning={"effort": "high", "summary": "auto"},
        max_output_tokens=9,
        temperature=0.5,
        top_p=0.2,
        top_logprobs=2,
        include=["reasoning.encrypted_content", "message.output_text.logprobs"],
        metadata={"k": "v"},
        safety_identifier="u",
        prompt_cache_key="c",
        service_tier="flex",
        store=False,
    )
    [tool] = chat.tools
    assert (tool.name, tool.description, bytes(tool.schema), tool.strict) == ("f", "d", b'{"a": [1]}', True)
    assert chat.tool_choice == ToolChoice(mode="required")
    assert chat.parallel_tools is False
    assert chat.output is not None
    assert (chat.output.kind, chat.output.name, bytes(chat.output.schema)) == ("schema", "o", b'{"b": 2}')
    assert chat.verbosity == "low"
    assert chat.thinking == Thinking(effort="high", summary="auto", is_shown=True)
    assert (chat.max_tokens, chat.temperature, chat.top_p) == (9, 0.5, 0.2)
    assert (chat.logprobs, chat.top_logprobs) == (True, 2)
    assert (chat.metadata, chat.user, chat.cache_key, chat.service_tier) == ({"k": "v"}, "u", "c", "flex")
    assert (chat.echo, chat.store, chat.unmapped) == ({}, None, [])


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", ToolChoice(mode="auto")),
        ("none", ToolChoice(mode="none")),
        ({"type": "function", "name": "f"}, ToolChoice(mode="required", names=["f"])),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]},
            ToolChoice(mode="auto", names=["f"]),
        ),
    ],
)
def test_every_form_of_tool_choice_is_read(choice: object, expected: ToolChoice) -> None:
    """One tool is required by its name; some are allowed by theirs."""
    assert asked(input="hi", tool_choice=choice).tool_choice == expected


def test_what_the_response_repeats_is_kept_apart() -> None:
    """Of a chat it is no part: the gateway keeps responses itself, and has put earlier turns into the input."""
    chat = asked(input="hi", instructions="Be brief.", previous_response_id="resp_1")
    assert chat.echo == {"instructions": "Be brief.", "previous_response_id": "resp_1", "store": "true"}
    assert (chat.store, chat.unmapped) == (None, [])


def test_null_stands_for_absent() -> None:
    """SDKs send it for what was not set."""
    names = ["instructions", "tools", "tool_choice", "text", "reasoning", "temperature", "metadata", "include", "store"]
    names += ["conversation", "background", "previous_response_id", "prompt", "max_output_tokens", "top_logprobs"]
    chat = asked(input="hi", **dict.fromkeys(names))
    assert chat == asked(input="hi")


def test_what_has_no_place_elsewhere_is_named() -> None:
    """In the client's own spelling; the call goes on without it."""
    chat = asked(
        input=[
            {"role": "user", "content": [{"type": "input_text", "text": "hi"}, {"type": "hologram", "x": 1}]},
            {"id": "msg_1"},
            {"type": "computer_call_output", "call_id": "c", "output": {"type": "computer_screenshot"}},
            {"type": "file_search_call", "id": "fs_1", "queries": ["a"], "results": [{"text": "b"}]},
        ],
        tools=[{"type": "web_search"}, {"type": "function", "name": "f"}],
        tool_choice={"type": "web_search_preview"},
        include=["file_search_call.results"],
        truncation="auto",
        max_tool_calls=3,
        something_new={"a": 1},
    )
    assert chat.unmapped == [
        "truncation",
        "max_tool_calls",
        "something_new",
        "input[0].content[1].hologram",
        "input[1].item_reference",
        "input[2].computer_call_output",
        "input[3].file_search_call",
        "tools[0].web_search",
        "tool_choice.web_search_preview",
        "include.file_search_call.results",
    ]
    assert [tool.name for tool in chat.tools] == ["f"]
    assert chat.turns == [user()]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "input"),
        ({"input": 5}, "input"),
        ({"input": ["x"]}, "input[0]"),
        ({"input": [{"role": "robot", "content": "x"}]}, "input[0].role"),
        ({"input": [{"role": "user"}]}, "input[0].content"),
        ({"input": [{"role": "user", "content": 5}]}, "input[0].content"),
        ({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, "input[0].content[0].text"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input[0].content[0].image_url"),
        ({"input": [{"role": "user", "content": [{"type": "input_file"}]}]}, "input[0].content[0].file_data"),
        ({"input": [{"type": "function_call", "name": "f", "arguments": "{}"}]}, "input[0].call_id"),
        ({"input": [{"type": "function_call", "call_id": "c", "arguments": "{}"}]}, "input[0].name"),
        ({"input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": {}}]}, "input[0].arguments"),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, "input[0].call_id"),
        ({"input": [{"type": "function_call_output", "call_id": "c"}]}, "input[0].output"),
        ({"input": "x", "temperature": "hot"}, "temperature"),
        ({"input": "x", "tools": [{"type": "function"}]}, "tools[0].name"),
        ({"input": "x", "tools": [{"name": "f"}]}, "tools[0].type"),
        ({"input": "x", "tool_choice": "maybe"}, "tool_choice"),
        ({"input": "x", "tool_choice": {"type": "function"}}, "tool_choice.name"),
        ({"input": "x", "text": {"format": {"type": "json_schema", "name": "o"}}}, "text.format.schema"),
        ({"input": "x", "text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"input": "x", "reasoning": {"effort": "heroic"}}, "reasoning.effort"),
        ({"input": "x", "background": True}, "background"),
        ({"input": "x", "conversation": "conv_1"}, "conversation"),
    ],
)
def test_a_mistake_names_its_field(fields: dict[str, Any], param: str) -> None:
    """As the client spells it."""
    with pytest.raises(BadRequest) as caught:
        asked(**fields)
    assert caught.value.param == param
