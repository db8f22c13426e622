"""Calls for responses, written to vendors."""

from __future__ import annotations

import pytest
from msgspec import Raw

from gateline.formats.dialect import Dialect
from gateline.formats.features import FIELDS, PARTS
from gateline.formats.responses.names import CLIENT_NAMES, SERVER_NAMES
from gateline.model.chat import (
    Citation,
    Media,
    Output,
    Part,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
    Turn,
)
from tests.formats.responses.calls import sent, talk, user


def test_a_conversation_is_written_as_items() -> None:
    """Calls and their outputs are items beside the messages, in the order of the turns."""
    body, dropped = sent(
        talk(
            Turn(role="system", parts=[Text(text="Be brief.")]),
            Turn(role="developer", parts=[Text(text="Be kind.")]),
            user(),
            Turn(role="assistant", parts=[Text(text="Wait."), ToolUse(id="c1", name="f", arguments="")]),
            Turn(role="user", parts=[ToolResult(id="c1", parts=[Text(text="one")]), Text(text="go on")]),
            stream=True,
        )
    )
    assert body == {
        "model": "vendor-model",
        "instructions": "Be brief.",
        "stream": True,
        "store": False,
        "input": [
            {"type": "message", "role": "developer", "content": "Be kind."},
            {"type": "message", "role": "user", "content": "hi"},
            {"type": "message", "role": "assistant", "content": "Wait."},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "one"},
            {"type": "message", "role": "user", "content": "go on"},
        ],
    }
    assert dropped == []


def test_media_are_written() -> None:
    """Images and files, in messages and in what tools answer; sound and video have no place."""
    media: list[Part] = [
        Media(kind="image", mime="image/png", data="AAAA"),
        Media(kind="image", url="https://a.example/b.png", detail="high"),
        Media(kind="file", mime="application/pdf", data="BBBB"),
        Media(kind="audio", mime="audio/wav", data="CCCC"),
        Media(kind="video", url="https://a.example/b.mp4"),
    ]
    picture = Media(kind="image", data="DDDD")
    body, dropped = sent(
        talk(
            Turn(role="user", parts=media),
            Turn(role="assistant", parts=[ToolUse(id="c", name="f")]),
            Turn(role="user", parts=[ToolResult(id="c", parts=[Text(text="see"), picture], is_error=True)]),
        )
    )
    assert body["input"][0]["content"] == [
        {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,AAAA"},
        {"type": "input_image", "detail": "high", "image_url": "https://a.example/b.png"},
        {"type": "input_file", "filename": "file.pdf", "file_data": "data:application/pdf;base64,BBBB"},
    ]
    assert body["input"][2]["output"] == [
        {"type": "input_text", "text": "see"},
        {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,DDDD"},
    ]
    assert dropped == ["audio", "video", "tool_error"]


CLOSED = Raw(b'{"type":"object","additionalProperties":false}')


def test_options_are_written() -> None:
    """Each under the vendor's name; what the format has no place for is told."""
    body, dropped = sent(
        talk(
            user(),
            tools=[
                Tool(name="f", schema=Raw(b'{"type":"object"}')),
                Tool(name="g", schema=CLOSED, strict=True, description="d"),
            ],
            tool_choice=ToolChoice(mode="required", names=["f"]),
            parallel_tools=True,
            output=Output(kind="schema", name="o", schema=CLOSED, strict=True),
            thinking=Thinking(effort="low", is_shown=True),
            max_tokens=100,
            temperature=0.5,
            top_p=0.2,
            logprobs=True,
            top_logprobs=2,
            verbosity="high",
            metadata={"k": "v"},
            user="u",
            cache_key="c",
            service_tier="flex",
            store=True,
            seed=1,
            stop=["x"],
            n=2,
            top_k=3,
            frequency_penalty=0.1,
        )
    )
    assert body["tools"] == [
        {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False},
        {
            "type": "function",
            "name": "g",
            "parameters": {"type": "object", "additionalProperties": False},
            "strict": True,
            "description": "d",
        },
    ]
    assert body["tool_choice"] == {"type": "function", "name": "f"}
    assert body["text"] == {
        "format": {
            "type": "json_schema",
            "name": "o",
            "schema": {"type": "object", "additionalProperties": False},
            "strict": True,
        },
        "verbosity": "high",
    }
    assert body["reasoning"] == {"effort": "low", "summary": "auto"}
    assert body["include"] == ["reasoning.encrypted_content", "message.output_text.logprobs"]
    assert (body["max_output_tokens"], body["top_logprobs"], body["store"]) == (100, 2, True)
    assert (body["safety_identifier"], body["prompt_cache_key"], body["service_tier"]) == ("u", "c", "flex")
    assert dropped == ["top_k", "frequency_penalty", "seed", "stop", "n"]


@pytest.mark.parametrize(
    ("thinking", "effort", "is_sealed"),
    [
        (Thinking(effort="none"), "none", False),
        (Thinking(budget=0), "none", False),
        (Thinking(budget=1024), "low", True),
        (Thinking(budget=10_000), "medium", True),
        (Thinking(budget=50_000), "high", True),
        (Thinking(budget=-1), None, True),
        (Thinking(effort="max"), "max", True),
    ],
)
def test_budgets_become_efforts(thinking: Thinking, effort: str | None, is_sealed: bool) -> None:
    """Reasoning that is asked for comes back sealed; seals of reasoning that is turned off are not asked for."""
    body, _ = sent(talk(user(), thinking=thinking))
    assert body.get("reasoning", {}).get("effort") == effort
    assert ("include" in body) == is_sealed


def test_what_a_vendor_would_refuse_is_not_sent() -> None:
    """A bound that is too low is raised; long names, foreign tiers and options of tools without tools are left out."""
    body, dropped = sent(
        talk(
            user(),
            max_tokens=5,
            user="u" * 65,
            service_tier="standard_only",
            tool_choice=ToolChoice(mode="auto"),
            parallel_tools=True,
        )
    )
    assert body["max_output_tokens"] == 16
    assert {"safety_identifier", "service_tier", "tool_choice", "parallel_tool_calls"}.isdisjoint(body)
    assert dropped == ["max_tokens", "user", "service_tier"]


def test_a_dialect_refuses_what_it_refuses() -> None:
    """It is left out and told; a vendor that knows no developers gets a system message."""
    chat = talk(
        Turn(role="developer", parts=[Text(text="a")]), user(), temperature=0.5, thinking=Thinking(effort="low")
    )
    body, dropped = sent(chat, Dialect(refuses=frozenset({"temperature", "thinking"}), schema=False))
    assert {"temperature", "reasoning", "include"}.isdisjoint(body)
    assert body["input"][0]["role"] == "system"
    assert dropped == ["thinking", "temperature", "developer"]


def test_a_vendor_without_schemas_is_asked_for_an_object() -> None:
    """JSON at least."""
    chat = talk(user(), output=Output(kind="schema", schema=Raw(b"{}")))
    assert sent(chat, Dialect(schema=False))[0]["text"] == {"format": {"type": "json_object"}}


def test_long_ids_of_calls_are_shortened_alike() -> None:
    """A tool's output still refers to its call: OpenAI takes 64 characters."""
    long = "x" * 100
    turns = [
        Turn(role="assistant", parts=[ToolUse(id=long, name="f")]),
        Turn(role="user", parts=[ToolResult(id=long, parts=[Text(text="a")])]),
    ]
    call, output = sent(talk(*turns))[0]["input"]
    assert call["call_id"] == output["call_id"]
    assert len(call["call_id"]) <= 64


def test_marks_and_sources_of_others_are_told() -> None:
    """Cache marks, citations and names have no place in an input."""
    cited = Text(text="b", citations=[Citation(url="https://a.example")])
    chat = talk(
        Turn(role="user", parts=[Text(text="a", cache="5m")], name="ann"), Turn(role="assistant", parts=[cited])
    )
    assert sent(chat)[1] == ["name", "cache", "citations"]


def test_what_the_system_says_first_are_the_instructions() -> None:
    """In one text; a mark on it is told. What the system says later stays where it is."""
    first = Turn(role="system", parts=[Text(text="a", cache="5m"), Text(text="b")])
    body, dropped = sent(talk(first, user(), Turn(role="system", parts=[Text(text="c")])))
    assert body["instructions"] == "a\n\nb"
    assert [item["role"] for item in body["input"]] == ["user", "system"]
    assert dropped == ["cache"]
    assert "instructions" not in sent(talk(Turn(role="system", parts=[Text(text="")]), user()))[0]


def test_names_are_those_of_features() -> None:
    """The table of what maps to what is made from them."""
    known = FIELDS.keys() | PARTS.keys()
    assert set(SERVER_NAMES) <= known
    assert set(CLIENT_NAMES) <= known
