from __future__ import annotations

import json
from typing import Any

import pytest
from ollama import Message
from ollama._types import ChatRequest

from gateline.formats.call import read_call
from gateline.formats.ollama.sides import CHAT_SERVER
from gateline.model.chat import Media, Output, Reasoning, Text, Thinking, ToolResult, ToolUse
from gateline.model.errors import BadRequest
from tests.formats.ollama.rig import HI, PNG, SCHEMA, TOOL, called, image, read, read_prompt, user


def test_a_call_is_read_as_the_client_meant_it() -> None:
    """Every field that other formats know has its place; a stream is the default."""
    chat = read(
        messages=[{"role": "System", "content": "be brief"}, *HI],
        tools=[TOOL],
        format=SCHEMA,
        think="high",
        logprobs=True,
        top_logprobs=2,
        options={
            "num_predict": 9, "temperature": 0.5, "top_p": 0.9, "top_k": 40, "frequency_penalty": 0.1,
            "presence_penalty": 0.2, "seed": 3, "stop": ["a", "b"],
        },
    )  # fmt: skip
    assert [turn.role for turn in chat.turns] == ["system", "user"]
    assert chat.stream
    assert (chat.tools[0].name, chat.tools[0].description) == ("weather", "d")
    assert json.loads(bytes(chat.tools[0].schema)) == SCHEMA
    assert chat.output is not None
    assert (chat.output.kind, json.loads(bytes(chat.output.schema))) == ("schema", SCHEMA)
    assert chat.thinking == Thinking(effort="high", is_shown=True)
    assert (chat.logprobs, chat.top_logprobs) == (True, 2)
    assert (chat.max_tokens, chat.temperature, chat.top_p, chat.top_k) == (9, 0.5, 0.9, 40)
    assert (chat.frequency_penalty, chat.presence_penalty, chat.seed, chat.stop) == (0.1, 0.2, 3, ["a", "b"])
    assert chat.unmapped == []


def test_what_has_no_place_elsewhere_is_named() -> None:
    """Unknown fields by their names, options by theirs; fields that ask for nothing are not named."""
    chat = read(
        keep_alive="5m", truncate=False, template="", context=[], foo=None,
        options={"num_ctx": 4096, "repeat_penalty": 1.1, "seed": 1, "mirostat": None},
    )  # fmt: skip
    assert chat.unmapped == ["keep_alive", "options.num_ctx", "options.repeat_penalty", "truncate"]


@pytest.mark.parametrize(
    ("think", "thinking"),
    [(True, Thinking(budget=-1, is_shown=True)), (False, Thinking(budget=0)), (None, None), ("", None)],
)
def test_thinking_is_on_off_or_not_spoken_of(think: Any, thinking: Thinking | None) -> None:
    assert read(think=think).thinking == thinking


@pytest.mark.parametrize(("given", "output"), [("json", Output(kind="json")), ("", None), (None, None)])
def test_a_format_that_is_no_schema(given: Any, output: Output | None) -> None:
    assert read(format=given).output == output


def test_numbers_that_mean_no_bound_are_none() -> None:
    chat = read(options={"num_predict": -1, "top_k": 0, "seed": -1, "stop": "x", "temperature": None})
    assert (chat.max_tokens, chat.top_k, chat.seed, chat.stop, chat.temperature) == (None, None, None, ["x"], None)


def test_pictures_stand_behind_the_text() -> None:
    """Their kind is known by how they begin, or said by a data URL."""
    said = {"role": "user", "content": "look", "images": [PNG, f"data:image/gif;base64,{PNG}"]}
    parts = read(messages=[said]).turns[0].parts
    assert parts == [Text(text="look"), image(), Media(kind="image", mime="image/gif", data=PNG)]
    assert read(messages=[{"role": "user", "images": [PNG]}]).turns == [user(image())]


def test_results_of_parallel_calls_find_their_calls_without_ids() -> None:
    """As the official client sends them, which keeps no id: by the tool, and in order among calls of one tool."""
    calls = [called("weather", {"city": "a"}), called("weather", {"city": "b"}), called("time", {})]
    messages: list[Any] = [
        *HI,
        Message.model_validate({"role": "assistant", "thinking": "hm", "tool_calls": calls}),
        Message(role="tool", tool_name="time", content="noon"),
        Message(role="tool", tool_name="weather", content="sun"),
        Message(role="tool", tool_name="weather", content="rain"),
    ]
    body = ChatRequest(model="m", messages=messages).model_dump_json(exclude_none=True).encode()
    turns = CHAT_SERVER.read(read_call(body, "ollama.chat"), body).turns
    thought, *uses = turns[1].parts
    assert thought == Reasoning(text="hm")
    assert [(use.id, use.name, json.loads(use.arguments)) for use in uses] == [
        ("call00001", "weather", {"city": "a"}),
        ("call00002", "weather", {"city": "b"}),
        ("call00003", "time", {}),
    ]
    assert turns[2].role == "user"
    assert [(each.id, each.name, each.parts[0].text) for each in turns[2].parts] == [
        ("call00003", "time", "noon"),
        ("call00001", "weather", "sun"),
        ("call00002", "weather", "rain"),
    ]


def test_ids_of_calls_are_kept_where_the_client_keeps_them() -> None:
    calls = [called("f", {}, id="one"), called("f", {}, id="two")]
    results = [{"role": "tool", "tool_call_id": each, "content": each, "images": [PNG]} for each in ("two", "one")]
    turns = read(messages=[*HI, {"role": "assistant", "tool_calls": calls}, *results]).turns
    assert turns[1].parts == [ToolUse(id="one", name="f", arguments="{}"), ToolUse(id="two", name="f", arguments="{}")]
    assert turns[2].parts == [
        ToolResult(id=each, name="f", parts=[Text(text=each), image()]) for each in ("two", "one")
    ]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": [{"role": "user", "content": 1}]}, "messages[0].content"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "king", "content": "x"}]}, "messages[0].role"),
        ({"messages": []}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": [*HI, {"role": "tool", "tool_name": "f", "content": "x"}]}, "messages[1].tool_name"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}]},
            "messages[0].tool_calls[0].function.arguments",
        ),
        ({"options": {"temperature": "hot"}}, "options.temperature"),
        ({"format": "yaml"}, "format"),
        ({"think": "deeply"}, "think"),
        ({"tools": [{"function": {}}]}, "tools[0].function.name"),
        ({"stream": "yes"}, "stream"),
    ],
)
def test_a_bad_call_is_told_by_the_fields_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read(**fields)
    assert caught.value.param == param


def test_a_prompt_is_one_turn() -> None:
    """What is the server's own, such as a conversation in tokens, is named."""
    chat = read_prompt(
        prompt="go on", system="be brief", images=[PNG], suffix="end", raw=True, template="{{ .Prompt }}",
        context=[1, 2], options={"num_predict": 3},
    )  # fmt: skip
    assert [turn.role for turn in chat.turns] == ["system", "user"]
    assert chat.turns[1].parts == [Text(text="go on"), image()]
    assert chat.max_tokens == 3
    assert chat.unmapped == ["context", "raw", "suffix", "template"]
    assert read_prompt(prompt="x", raw=False, suffix="", system="", context=None).unmapped == []
    with pytest.raises(BadRequest) as caught:
        read_prompt(prompt="")
    assert caught.value.param == "prompt"
