from __future__ import annotations

import base64
from typing import Any

import pytest
from msgspec import Raw

from gateline.model.chat import (
    Chat,
    Media,
    Output,
    Part,
    Reasoning,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
    Turn,
)
from gateline.model.errors import BadRequest
from tests.formats.openai.chats import asked, plain


def message(content: object, role: str = "user", **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


def parts(*content: dict[str, Any]) -> list[Part]:
    """The parts of a user's message with this content."""
    return asked(messages=[message(list(content))]).turns[0].parts


def test_every_field_is_read() -> None:
    """Each field of the vendor's API that has a place in the neutral call is found there; the others are named."""
    chat = asked(
        messages=[message("be brief", "system"), message("think", "developer"), message("hi", name="ann")],
        temperature=0.5, top_p=0.9, top_k=40, frequency_penalty=0.1, presence_penalty=0.2, seed=7, stop=["a", "b"], n=2,
        logprobs=True, top_logprobs=3, logit_bias={"50256": -100}, modalities=["text", "audio"],
        audio={"voice": "ash", "format": "wav"}, verbosity="low", metadata={"k": "v"}, safety_identifier="u-1",
        user="u-2", service_tier="flex", prompt_cache_key="key", store=True, max_tokens=5,
        max_completion_tokens=9, reasoning_effort="high", parallel_tool_calls=False,
        stream=True, stream_options={"include_usage": True},
        tools=[{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"},
                                                 "strict": True}},
               {"type": "custom", "custom": {"name": "c"}}],
        tool_choice="required", prediction={"type": "content", "content": "x"}, web_search_options={}, made_up=1,
        response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
    )  # fmt: skip
    assert chat == Chat(
        model="m", stream=True, include_usage=True,
        turns=[Turn(role="system", parts=[Text(text="be brief")]), Turn(role="developer", parts=[Text(text="think")]),
               Turn(role="user", parts=[Text(text="hi")], name="ann")],
        temperature=0.5, top_p=0.9, top_k=40, frequency_penalty=0.1, presence_penalty=0.2, seed=7, stop=["a", "b"], n=2,
        logprobs=True, top_logprobs=3, logit_bias={"50256": -100.0}, modalities=["text", "audio"],
        voice=Raw(b'{"voice": "ash", "format": "wav"}'), verbosity="low", metadata={"k": "v"}, user="u-1",
        service_tier="flex", cache_key="key", store=True, max_tokens=9, thinking=Thinking(effort="high"),
        parallel_tools=False,
        tools=[Tool(name="f", description="d", schema=Raw(b'{"type": "object"}'), strict=True)],
        tool_choice=ToolChoice(mode="required"),
        output=Output(kind="schema", name="n", schema=Raw(b'{"type": "object"}')),
        unmapped=["prediction", "web_search_options", "made_up", "tools[1]"],
    )  # fmt: skip


def test_null_is_as_good_as_nothing() -> None:
    """Every optional field may be null, as the vendor allows."""
    fields = (
        "temperature", "top_p", "frequency_penalty", "presence_penalty", "seed", "stop", "n", "logprobs",
        "top_logprobs", "logit_bias", "modalities", "audio", "verbosity", "metadata", "safety_identifier", "user",
        "service_tier", "prompt_cache_key", "store", "max_tokens", "max_completion_tokens", "reasoning_effort",
        "parallel_tool_calls", "stream", "stream_options", "tools", "tool_choice", "response_format",
    )  # fmt: skip
    assert asked(**dict.fromkeys(fields)) == plain()


DATA = "data:image/png;base64,iVBORw0KGgo="


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ({"type": "text", "text": "x"}, Text(text="x")),
        ({"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}, Text(text="x", cache="5m")),
        (
            {"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            Text(text="x", cache="1h"),
        ),
        ({"type": "text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit"}}, Text(text="x", cache="5m")),
        (
            {"type": "image_url", "image_url": {"url": DATA, "detail": "low"}},
            Media(kind="image", mime="image/png", data="iVBORw0KGgo=", detail="low"),
        ),
        ({"type": "image_url", "image_url": "https://a.example/x"}, Media(kind="image", url="https://a.example/x")),
        (
            {"type": "image_url", "image_url": {"url": "data:image/svg+xml;charset=utf-8,%3Csvg%3E"}},
            Media(kind="image", mime="image/svg+xml", data=base64.b64encode(b"<svg>").decode()),
        ),
        ({"type": "video_url", "video_url": {"url": "https://a.example/v"}}, Media(kind="video", url="https://a.example/v")),
        (
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
            Media(kind="audio", mime="audio/mpeg", data="AAAA"),
        ),
        (
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"}},
            Media(kind="file", mime="application/pdf", data="AAAA", name="a.pdf"),
        ),
        ({"type": "file", "file": {"file_id": "file-1"}}, Media(kind="file", file_id="file-1")),
        ({"type": "document_url", "document_url": "https://a.example/d"}, Media(kind="file", url="https://a.example/d")),
        ({"type": "file_url", "file_url": {"url": "https://a.example/d"}}, Media(kind="file", url="https://a.example/d")),
        ({"type": "thinking", "thinking": [{"type": "text", "text": "so"}]}, Reasoning(text="so")),
    ],
)  # fmt: skip
def test_every_kind_of_content_is_read(content: dict[str, Any], part: Part) -> None:
    assert parts(content) == [part]


def test_what_tools_answered_is_one_turn() -> None:
    """Results in a row are one turn; they belong to the calls that they name."""
    calls = [{"id": each, "type": "function", "function": {"name": "f", "arguments": "{}"}} for each in ("a", "b")]
    chat = asked(
        messages=[
            message("hi"),
            message(None, "assistant", tool_calls=calls),
            message("1", "tool", tool_call_id="a"),
            message([{"type": "text", "text": "2"}], "tool", tool_call_id="b"),
            message("and?"),
        ]
    )
    assert [turn.role for turn in chat.turns] == ["user", "assistant", "user", "user"]
    assert chat.turns[1].parts == [ToolUse(id=each, name="f", arguments="{}") for each in ("a", "b")]
    assert chat.turns[2].parts == [
        ToolResult(id="a", parts=[Text(text="1")]),
        ToolResult(id="b", parts=[Text(text="2")]),
    ]


def test_functions_of_old_are_tools() -> None:
    """`functions`, `function_call` and the role `function` are read as tools; calls get ids that their results find."""
    chat = asked(
        functions=[{"name": "f", "parameters": {"type": "object"}}],
        function_call={"name": "f"},
        messages=[
            message("hi"),
            message(None, "assistant", function_call={"name": "f", "arguments": "{}"}),
            message("1", "function", name="f"),
        ],
    )
    assert chat.tools == [Tool(name="f", schema=Raw(b'{"type": "object"}'))]
    assert chat.tool_choice == ToolChoice(mode="required", names=["f"])
    use, result = chat.turns[1].parts[0], chat.turns[2].parts[0]
    assert isinstance(use, ToolUse)
    assert isinstance(result, ToolResult)
    assert use.id == result.id != ""


@pytest.mark.parametrize(
    ("given_choice", "choice"),
    [
        ("none", ToolChoice(mode="none")),
        ("any", ToolChoice(mode="required")),
        ({"type": "function", "function": {"name": "f"}}, ToolChoice(mode="required", names=["f"])),
        (
            {"type": "allowed_tools", "allowed_tools": {
                "mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]}},
            ToolChoice(mode="auto", names=["f"]),
        ),
        ({"type": "custom", "custom": {"name": "c"}}, None),
    ],
)  # fmt: skip
def test_every_way_to_choose_a_tool(given_choice: object, choice: ToolChoice | None) -> None:
    chat = asked(tools=[{"type": "function", "function": {"name": "f"}}], tool_choice=given_choice)
    assert chat.tool_choice == choice
    assert chat.unmapped == ([] if choice is not None else ["tool_choice"])


@pytest.mark.parametrize(
    ("fields", "thinking"),
    [
        ({"reasoning": {"effort": "low"}}, Thinking(effort="low")),
        ({"reasoning": {"max_tokens": 2000, "exclude": True}}, Thinking(budget=2000, is_shown=False)),
        ({"reasoning": {"enabled": False}}, Thinking(budget=0)),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, Thinking(budget=1024)),
        ({"thinking": {"type": "disabled"}}, Thinking(budget=0)),
        ({"enable_thinking": True, "thinking_budget": 50}, Thinking(budget=50)),
        ({"enable_thinking": False}, Thinking(budget=0)),
    ],
)
def test_thinking_in_the_words_of_other_vendors(fields: dict[str, Any], thinking: Thinking) -> None:
    """A client that used a vendor's own field for it, in `extra_body`, is understood."""
    assert asked(**fields).thinking == thinking


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [message(5)]}, "messages[0].content"),
        ({"messages": [message([])]}, "messages[0].content"),
        ({"messages": [message("a"), message(None)]}, "messages[1].content"),
        ({"messages": [message("a", "robot")]}, "messages[0].role"),
        ({"messages": [{"content": "a"}]}, "messages[0].role"),
        ({"messages": [message([{"type": "text"}])]}, "messages[0].content[0].text"),
        ({"messages": [message([{"type": "smell"}])]}, "messages[0].content[0].type"),
        ({"messages": [message([{"type": "image_url"}])]}, "messages[0].content[0].image_url"),
        ({"messages": [message([{"type": "image_url", "image_url": ""}])]}, "messages[0].content[0].image_url"),
        ({"messages": [message("a", "tool")]}, "messages[0].tool_call_id"),
        ({"messages": [message("a", "function", name="f")]}, "messages[0].name"),
        ({"messages": [message(None, "assistant", tool_calls=[{"id": "a"}])]}, "messages[0].tool_calls[0].function"),
        (
            {"messages": [message(None, "assistant", tool_calls=[{"function": {"name": "f"}}])]},
            "messages[0].tool_calls[0].id",
        ),
        ({"temperature": "hot"}, "temperature"),
        ({"reasoning_effort": "huge"}, "reasoning_effort"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"tool_choice": "maybe"}, "tool_choice"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"stop": [1]}, "stop[0]"),
    ],
)  # fmt: skip
def test_mistakes_are_named_by_their_place(fields: dict[str, Any], param: str) -> None:
    """A bad call is refused with the field in the client's own spelling, in the message too."""
    with pytest.raises(BadRequest) as caught:
        asked(**fields)
    assert caught.value.param == param
    assert param in str(caught.value)
