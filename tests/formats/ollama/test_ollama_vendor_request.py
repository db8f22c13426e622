from __future__ import annotations

import base64
from typing import Any

import pytest
from msgspec import Raw
from ollama._types import ChatRequest

from gateline.formats.dialect import Dialect
from gateline.model.chat import (
    Citation,
    Media,
    Output,
    Reasoning,
    Refusal,
    Seal,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
    Turn,
)
from tests.formats.ollama.rig import PNG, asked, assistant, image, user, write

SCHEMA = Raw(b'{"type": "object"}')
TOOLS = [Tool(name="f", description="d", schema=SCHEMA), Tool(name="g")]


def test_a_call_is_written_with_all_that_ollama_knows() -> None:
    """The SDK's own type of a request takes it; a call that is no stream says so."""
    body, dropped = write(
        asked(
            Turn(role="developer", parts=[Text(text="be brief")]),
            user("hi"),
            tools=TOOLS,
            tool_choice=ToolChoice(mode="auto"),
            parallel_tools=True,
            output=Output(kind="schema", name="n", schema=SCHEMA),
            max_tokens=9,
            temperature=0.0,
            top_p=0.5,
            top_k=4,
            frequency_penalty=0.1,
            presence_penalty=0.2,
            seed=0,
            stop=["x"],
            n=1,
            top_logprobs=30,
            modalities=["text"],
        )
    )
    ChatRequest.model_validate(body)
    assert dropped == []
    assert body == {
        "model": "llama",
        "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}],
        "stream": False,
        "tools": [
            {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}},
            {"type": "function", "function": {"name": "g", "parameters": {"type": "object", "properties": {}}}},
        ],
        "format": {"type": "object"},
        "logprobs": True,
        "top_logprobs": 20,
        "options": {
            "num_predict": 9, "temperature": 0.0, "top_p": 0.5, "top_k": 4, "frequency_penalty": 0.1,
            "presence_penalty": 0.2, "seed": 0, "stop": ["x"],
        },
    }  # fmt: skip


def test_a_plain_call_holds_no_more_than_it_must() -> None:
    body, dropped = write(asked(stream=True))
    assert body == {"model": "llama", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    assert dropped == []


@pytest.mark.parametrize(
    ("choice", "offered", "dropped"),
    [
        (ToolChoice(mode="none"), [], []),
        (ToolChoice(mode="required"), ["f", "g"], ["tool_choice"]),
        (ToolChoice(mode="required", names=["g"]), ["g"], ["tool_choice"]),
        (ToolChoice(mode="auto", names=["f"]), ["f"], []),
    ],
)
def test_a_choice_of_tools_narrows_what_is_offered(choice: ToolChoice, offered: list[str], dropped: list[str]) -> None:
    """That a tool must be called cannot be said, and the client hears of it."""
    body, left = write(asked(tools=TOOLS, tool_choice=choice))
    assert [tool["function"]["name"] for tool in body.get("tools", [])] == offered
    assert left == dropped


def test_what_ollama_has_no_place_for_is_named() -> None:
    chat = asked(
        Turn(role="user", parts=[Text(text="hi", cache="5m")], name="ann"),
        user(
            Media(kind="image", url="https://host/a.png"),
            Media(kind="image", mime="image/gif", data="R0lGOD"),
            Media(kind="audio", mime="audio/wav", data="x"),
            Media(kind="file", mime="application/pdf", data="x"),
        ),
        assistant(Text(text="so", citations=[Citation(url="https://host")])),
        user("go on"),
        n=2, parallel_tools=False, logit_bias={"1": 1.0}, verbosity="low", metadata={"a": "b"}, user="u",
        service_tier="flex", cache_key="k", store=True, modalities=["text", "audio"],
    )  # fmt: skip
    body, dropped = write(chat)
    assert set(dropped) == {
        "name", "cache", "image", "audio", "file", "citations", "n", "parallel_tools", "logit_bias", "verbosity",
        "metadata", "user", "service_tier", "cache_key", "store", "modalities",
    }  # fmt: skip
    left = "[image omitted]\n\n[image omitted]\n\n[audio omitted]\n\n[file omitted]"
    assert [message["content"] for message in body["messages"]] == ["hi", left, "so", "go on"]


def test_a_turn_is_not_emptied_by_what_is_dropped() -> None:
    """The model reads that something was there, in a result as well; where anything is left, that speaks for itself."""
    far = Media(kind="image", url="https://host/a.png")
    call = assistant(ToolUse(id="1", name="f"))
    body, dropped = write(asked(user(far), call, user(ToolResult(id="1", parts=[far]))))
    assert [message["content"] for message in body["messages"]] == ["[image omitted]", "", "[image omitted]"]
    assert dropped == ["image", "tool_media"]
    body, _ = write(asked(user("look", far), call, user(ToolResult(id="1", parts=[])), user(far, image())))
    assert [message["content"] for message in body["messages"]] == ["look", "", "", ""]


def test_pictures_and_text_files_go_along() -> None:
    note = Media(kind="file", mime="text/plain", data=base64.b64encode("grün".encode()).decode())
    body, dropped = write(asked(user("look", image(), note)))
    assert body["messages"] == [{"role": "user", "content": "look\n\ngrün", "images": [PNG]}]
    assert dropped == []


def test_tools_go_back_with_names_ids_and_objects() -> None:
    """Each result is a message that says whose it is; a failed one cannot say so; arguments are objects, always."""
    chat = asked(
        user("hi"),
        assistant("well", ToolUse(id="1", name="f", arguments='{"a":1}'), ToolUse(id="2", name="g", arguments="{cut")),
        user(
            ToolResult(id="1", parts=[Text(text="ok"), image()]),
            ToolResult(id="2", parts=[], is_error=True),
            "and now?",
        ),
    )
    body, dropped = write(chat)
    assert dropped == ["tool_error"]
    assert body["messages"][1:] == [
        {
            "role": "assistant",
            "content": "well",
            "tool_calls": [
                {"id": "1", "function": {"index": 0, "name": "f", "arguments": {"a": 1}}},
                {"id": "2", "function": {"index": 1, "name": "g", "arguments": {"INVALID_JSON": "{cut"}}},
            ],
        },
        {"role": "tool", "content": "ok", "images": [PNG], "tool_name": "f", "tool_call_id": "1"},
        {"role": "tool", "content": "", "tool_name": "g", "tool_call_id": "2"},
        {"role": "user", "content": "and now?"},
    ]


def test_reasoning_goes_back_as_text_and_seals_stay_here() -> None:
    """No vendor's seal reaches a model that cannot read it."""
    seal = Seal("anthropic", "SIG")
    chat = asked(
        user("hi"),
        assistant(
            Reasoning(text="hm", seal=seal),
            Reasoning(seal=Seal("openai", "HID"), is_hidden=True),
            Refusal(text="no"),
            ToolUse(id="1", name="f", seal=Seal("gemini", "T")),
        ),
        user(ToolResult(id="1", parts=[])),
    )
    body, dropped = write(chat)
    assert dropped == ["seal"]
    assert body["messages"][1]["thinking"] == "hm"
    assert body["messages"][1]["content"] == "no"
    assert not {"SIG", "HID", '"T"'} & set(str(body).replace("'", '"').split())
    _, dropped = write(chat, dialect=Dialect(refuses=frozenset({"reasoning"})))
    assert dropped == ["seal", "reasoning"]


@pytest.mark.parametrize(
    ("thinking", "model", "think", "dropped"),
    [
        (Thinking(effort="none"), "qwen3", False, []),
        (Thinking(budget=0), "qwen3", False, []),
        (Thinking(budget=-1), "qwen3", None, []),
        (Thinking(is_shown=True), "qwen3", None, []),
        (Thinking(effort="high"), "qwen3", None, ["thinking"]),
        (Thinking(budget=4096), "qwen3", None, ["thinking"]),
        (Thinking(effort="minimal"), "gpt-oss:20b", "low", []),
        (Thinking(effort="xhigh"), "hf.co/GPT-OSS", "high", []),
        (Thinking(budget=4096), "gpt-oss:20b", "medium", []),
        (Thinking(budget=-1), "gpt-oss:20b", None, []),
        (Thinking(effort="none"), "gpt-oss:20b", "low", ["thinking"]),
    ],
)
def test_thinking_is_never_asked_of_a_model_that_may_refuse(
    thinking: Thinking, model: str, think: Any, dropped: list[str]
) -> None:
    """Models that think do so unasked; only gpt-oss has levels."""
    body, left = write(asked(thinking=thinking), model)
    assert body.get("think") == think
    assert left == dropped


def test_what_a_dialect_refuses_is_left_out_and_named() -> None:
    chat = asked(user("hi", image()), seed=1, tools=TOOLS)
    body, dropped = write(chat, dialect=Dialect(refuses=frozenset({"seed", "tools", "image"})))
    assert body == {"model": "llama", "messages": [{"role": "user", "content": "hi"}], "stream": False}
    assert sorted(dropped) == ["image", "seed", "tools"]
