"""Neutral calls as what a Gemini model is asked."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from google.genai import types
from msgspec import Raw

from gateline.formats.dialect import PLAIN, Dialect
from gateline.formats.gemini.contents import UNSIGNED
from gateline.formats.gemini.vendor_request import write_chat, write_count
from gateline.model.chat import (
    Chat,
    Citation,
    Media,
    Output,
    Part,
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
from gateline.model.vectors import Count
from tests.formats.gemini.rig import asking

G25, G3 = "gemini-2.5-flash", "gemini-3-flash-preview"
SIGNED = Seal("gemini", "c2ln")
SCHEMA = Raw(b'{"type":"object","properties":{"city":{"type":"string"}},"additionalProperties":false}')


def body_of(chat: Chat, model: str = G25) -> Any:
    body = msgspec.json.decode(write_chat(chat, model, PLAIN).body)
    for content in body["contents"]:  # every content is one that the SDK knows
        types.Content.model_validate(content)
    return body


def dropped(chat: Chat, model: str = G25) -> list[str]:
    return list(write_chat(chat, model, PLAIN).dropped)


def turns(*given: tuple[str, list[Part]]) -> Chat:
    return Chat(model="m", turns=[Turn(role=role, parts=parts) for role, parts in given])  # type: ignore[arg-type]


def use(id_: str, name: str = "f", arguments: str = "{}", seal: Seal | None = None) -> ToolUse:
    return ToolUse(id=id_, name=name, arguments=arguments, seal=seal)


def result(id_: str, *parts: Text | Media, is_error: bool = False) -> ToolResult:
    return ToolResult(id=id_, parts=list(parts), is_error=is_error)


def test_system_and_developer_turns_are_the_system_instruction() -> None:
    """They stand apart, in their order; neighbours of one role are one content, and empty ones are not sent."""
    chat = turns(
        ("system", [Text(text="a")]), ("user", [Text(text="1")]), ("user", [Text(text="2")]), ("assistant", []),
        ("user", [Text(text="")]), ("developer", [Text(text="b")]), ("assistant", [Text(text="3")]),
    )  # fmt: skip
    body = body_of(chat)
    assert body["systemInstruction"] == {"parts": [{"text": "a"}, {"text": "b"}]}
    assert body["contents"] == [
        {"role": "user", "parts": [{"text": "1"}, {"text": "2"}]},
        {"role": "model", "parts": [{"text": "3"}]},
    ]
    assert dropped(chat) == []


def test_an_instruction_behind_an_answer_loses_its_place() -> None:
    """It joins those ahead of all contents, and that is told."""
    said: list[tuple[str, list[Part]]] = [("user", [Text(text="1")]), ("assistant", [Text(text="2")])]
    chat = turns(*said, ("system", [Text(text="a")]), ("user", [Text(text="3")]))
    assert body_of(chat)["systemInstruction"] == {"parts": [{"text": "a"}]}
    assert dropped(chat) == ["system_place"]


def test_a_system_turn_alone_is_said_by_the_user() -> None:
    """The API wants contents."""
    assert body_of(turns(("system", [Text(text="a")]))) == {"contents": [{"role": "user", "parts": [{"text": "a"}]}]}


def test_tool_results_stand_first_behind_their_calls_by_name() -> None:
    """A result is named as the call of its id was; JSON objects stay objects; what failed is an error."""
    chat = turns(
        ("user", [Text(text="go")]),
        ("assistant", [use("a", "f", '{"x":1}', SIGNED), use("b", "g", "")]),
        ("user", [Text(text="and?"), result("b", Text(text='{"n": 1}')), result("a", Text(text="no"), is_error=True)]),
    )
    assert body_of(chat)["contents"][1:] == [
        {
            "role": "model",
            "parts": [
                {"functionCall": {"id": "a", "name": "f", "args": {"x": 1}}, "thoughtSignature": "c2ln"},
                {"functionCall": {"id": "b", "name": "g", "args": {}}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"id": "b", "name": "g", "response": {"output": {"n": 1}}}},
                {"functionResponse": {"id": "a", "name": "f", "response": {"error": "no"}}},
                {"text": "and?"},
            ],
        },
    ]


@pytest.mark.parametrize(("model", "inside"), [(G3, True), (G25, False)])
def test_images_of_tools_go_where_the_model_looks(model: str, inside: bool) -> None:
    """Gemini 3 takes them inside the response, older models beside it."""
    image = Media(kind="image", mime="image/png", data="QUJD")
    chat = turns(("user", [Text(text="go")]), ("assistant", [use("a")]), ("user", [result("a", Text(text="x"), image)]))
    parts = body_of(chat, model)["contents"][-1]["parts"]
    blob = {"inlineData": {"mimeType": "image/png", "data": "QUJD"}}
    assert parts[0]["functionResponse"].get("parts") == ([blob] if inside else None)
    assert parts[1:] == ([] if inside else [blob])


def test_media_by_data_url_and_file() -> None:
    """Bytes go inline with the type that they show, URLs by URI, and another vendor's files not at all."""
    chat = asking(
        Media(kind="image", data="iVBORw0KGgoAAA"),
        Media(kind="image", url="https://x/y/photo.webp?size=1"),
        Media(kind="image", url="data:image/gif;base64,R0lG"),
        Media(kind="file", file_id="file-1"),
    )
    assert body_of(chat)["contents"][0]["parts"] == [
        {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgoAAA"}},
        {"fileData": {"mimeType": "image/webp", "fileUri": "https://x/y/photo.webp?size=1"}},
        {"inlineData": {"mimeType": "image/gif", "data": "R0lG"}},
    ]
    assert dropped(chat) == ["file"]
    # Gemini 2.0 fetches nothing but Google's own files.
    assert dropped(asking(Media(kind="image", url="https://x/y.png")), "gemini-2.0-flash") == ["image"]


def test_only_geminis_own_seals_go_to_gemini() -> None:
    """A signature of another maker is stripped and told of; thoughts go back only with Gemini's own."""
    foreign = Seal("anthropic", "abc")
    chat = turns(
        ("user", [Text(text="go")]),
        ("assistant", [Reasoning(text="t1", seal=foreign), Reasoning(text="t2"), Reasoning(text="t3", seal=SIGNED),
                       Reasoning(seal=SIGNED, is_hidden=True), Text(text="x", seal=foreign), use("a", seal=foreign)]),
    )  # fmt: skip
    written = write_chat(chat, G25, PLAIN)
    assert b"abc" not in written.body
    assert list(written.dropped) == ["seal", "reasoning"]
    assert body_of(chat)["contents"][1]["parts"] == [
        {"text": "t3", "thought": True, "thoughtSignature": "c2ln"},
        {"text": "", "thoughtSignature": "c2ln"},
        {"text": "x"},
        {"functionCall": {"id": "a", "name": "f", "args": {}}},
    ]


def signatures(chat: Chat, model: str) -> list[str | None]:
    parts = [part for content in body_of(chat, model)["contents"] for part in content["parts"]]
    return [part.get("thoughtSignature") for part in parts if "functionCall" in part]


def test_calls_that_no_gemini_made_are_excused_in_the_current_turn() -> None:
    """Gemini 3 wants a signature on the first call of each step since the user last spoke: one that it did not make
    gets the value that Google documents for it, one of an earlier turn and one beside it get none."""
    chat = turns(
        ("user", [Text(text="1")]), ("assistant", [use("a")]), ("user", [result("a", Text(text="x"))]),
        ("assistant", [Text(text="done")]), ("user", [Text(text="2")]),
        ("assistant", [use("b"), use("c")]), ("user", [result("b", Text(text="x")), result("c", Text(text="x"))]),
        ("assistant", [use("d", seal=SIGNED), use("e")]), ("user", [result("d"), result("e")]),
        ("assistant", [use("f", seal=Seal("openai", "x"))]), ("user", [result("f")]),
    )  # fmt: skip
    assert signatures(chat, G3) == [None, UNSIGNED, None, "c2ln", None, UNSIGNED]
    assert signatures(chat, "gemini-flash-latest") == signatures(chat, G3)
    assert signatures(chat, G25) == [None, None, None, "c2ln", None, None]


def test_tools_go_as_json_schema() -> None:
    """Schemas are sent byte for byte, and left out where there is none."""
    tools = [Tool(name="f", description="d", schema=SCHEMA), Tool(name="g")]
    written = write_chat(asking(tools=tools), G25, PLAIN)
    assert bytes(SCHEMA) in written.body
    assert msgspec.json.decode(written.body)["tools"] == [
        {
            "functionDeclarations": [
                {"name": "f", "description": "d", "parametersJsonSchema": msgspec.json.decode(SCHEMA)},
                {"name": "g"},
            ]
        }
    ]


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        (ToolChoice(mode="auto"), {"mode": "AUTO"}),
        (ToolChoice(mode="none"), {"mode": "NONE"}),
        (ToolChoice(mode="required"), {"mode": "ANY"}),
        (ToolChoice(mode="required", names=["g"]), {"mode": "ANY", "allowedFunctionNames": ["g"]}),
    ],
)
def test_tool_choice_is_a_mode(choice: ToolChoice, config: dict[str, Any]) -> None:
    """Every choice has its mode; names go with ANY alone."""
    chat = asking(tools=[Tool(name="f"), Tool(name="g")], tool_choice=choice)
    assert body_of(chat)["toolConfig"] == {"functionCallingConfig": config}
    assert dropped(asking(tool_choice=choice)) == ["tool_choice"]  # the API refuses it without tools


def test_a_choice_among_some_tools_leaves_the_others_out() -> None:
    """AUTO takes no names, so only those tools are declared."""
    chat = asking(tools=[Tool(name="f"), Tool(name="g")], tool_choice=ToolChoice(mode="auto", names=["g"]))
    assert body_of(chat)["tools"] == [{"functionDeclarations": [{"name": "g"}]}]


def test_sampling_is_written() -> None:
    """Every field that the vendor has a place for is in it, and the SDK knows them all."""
    chat = asking(
        temperature=0.5, top_p=0.9, top_k=40, max_tokens=100, n=2, seed=7, presence_penalty=0.1, frequency_penalty=0.2,
        stop=["a"], logprobs=True, top_logprobs=3, modalities=["text", "image"], service_tier="default",
        output=Output(kind="schema", name="x", schema=SCHEMA),
    )  # fmt: skip
    body = body_of(chat)
    assert body["serviceTier"] == "standard"
    config = types.GenerationConfig.model_validate(body["generationConfig"])
    assert config.model_dump(exclude_none=True, mode="json") == {
        "temperature": 0.5, "top_p": 0.9, "top_k": 40.0, "max_output_tokens": 100, "candidate_count": 2, "seed": 7,
        "presence_penalty": 0.1, "frequency_penalty": 0.2, "stop_sequences": ["a"], "response_logprobs": True,
        "logprobs": 3, "response_modalities": ["TEXT", "IMAGE"], "response_mime_type": "application/json",
        "response_json_schema": msgspec.json.decode(SCHEMA),
    }  # fmt: skip
    assert dropped(chat) == []


def test_what_gemini_has_no_place_for_is_told() -> None:
    """Nothing is lost without a word, and nothing is told that was not lost."""
    chat = asking(
        Text(text="a", cache="5m", citations=[Citation(url="u")]),
        logit_bias={"1": 1.0}, verbosity="low", metadata={"A": "b"}, user="u", cache_key="k", store=True,
        service_tier="scale", seed=2**40, stop=list("abcdef"), parallel_tools=False,
    )  # fmt: skip
    assert set(dropped(chat)) == {
        "logit_bias", "verbosity", "metadata", "user", "cache_key", "store", "service_tier", "seed", "stop",
        "parallel_tools", "cache", "citations",
    }  # fmt: skip
    assert body_of(chat)["generationConfig"] == {"stopSequences": list("abcde")}
    assert dropped(asking(parallel_tools=True)) == []
    assert dropped(turns(("assistant", [Refusal(text="no")]))) == []


def test_json_beside_tools_is_for_gemini_3() -> None:
    """Older models answer the two together with 400."""
    chat = asking(tools=[Tool(name="f")], output=Output(kind="json"))
    assert dropped(chat, G25) == ["output"]
    assert body_of(chat, G3)["generationConfig"] == {"responseMimeType": "application/json"}


@pytest.mark.parametrize(
    ("thinking", "model", "config"),
    [
        (Thinking(effort="medium"), G25, {"thinkingBudget": 8192}),
        (Thinking(effort="none", is_shown=True), G25, {"thinkingBudget": 0}),
        (Thinking(effort="none"), "gemini-2.5-pro", {"thinkingBudget": 128}),
        (Thinking(effort="max"), "gemini-2.5-pro", {"thinkingBudget": 32768}),
        (Thinking(effort="xhigh"), G25, {"thinkingBudget": 24576}),
        (Thinking(budget=100), "models/gemini-2.5-flash-lite", {"thinkingBudget": 512}),
        (Thinking(budget=-1, is_shown=True), G25, {"thinkingBudget": -1, "includeThoughts": True}),
        (Thinking(effort="medium"), G3, {"thinkingLevel": "medium"}),
        (Thinking(effort="medium"), "gemini-3-pro-preview", {"thinkingLevel": "high"}),
        (Thinking(effort="medium"), "gemini-3.1-pro-preview", {"thinkingLevel": "medium"}),
        (Thinking(effort="none"), G3, {"thinkingLevel": "minimal"}),
        (Thinking(effort="minimal"), "gemini-3.8-flash", {"thinkingLevel": "low"}),
        (Thinking(effort="minimal"), "gemini-3.1-pro-preview", {"thinkingLevel": "low"}),
        (Thinking(effort="max"), G3, {"thinkingLevel": "high"}),
        (Thinking(budget=1024, is_shown=True), G3, {"thinkingLevel": "low", "includeThoughts": True}),
        (Thinking(budget=5000), G3, {"thinkingLevel": "medium"}),
        (Thinking(budget=20000), G3, {"thinkingLevel": "high"}),
        (Thinking(budget=-1), G3, {}),
        (Thinking(effort="high"), "gemini-2.0-flash", None),
        (Thinking(effort="high"), "gemma-3-27b-it", None),
        (Thinking(effort="high"), "gemini-2.5-flash-image", None),
    ],
)
def test_thinking_is_asked_for_as_the_model_takes_it(
    thinking: Thinking, model: str, config: dict[str, Any] | None
) -> None:
    """Gemini 3 by level, 2.5 by a budget within its bounds, others not at all."""
    chat = asking(thinking=thinking)
    assert body_of(chat, model).get("generationConfig", {}).get("thinkingConfig") == config
    assert dropped(chat, model) == (["thinking"] if config is None else [])


def test_what_a_vendor_refuses_is_dropped() -> None:
    """A dialect's refusals are not sent, and told."""
    written = write_chat(asking(seed=1, temperature=1.0), G25, Dialect(refuses=frozenset({"seed", "top_k"})))
    assert msgspec.json.decode(written.body)["generationConfig"] == {"temperature": 1.0}
    assert list(written.dropped) == ["seed"]


def test_counting_sends_contents_or_the_whole_request() -> None:
    """Contents alone are counted as both of Google's APIs take them; with tools or instructions, the request is."""
    plain = write_count(Count(chat=asking(temperature=1.0)), G25, PLAIN)
    assert msgspec.json.decode(plain.body) == {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}
    whole = msgspec.json.decode(write_count(Count(chat=asking(tools=[Tool(name="f")])), G25, PLAIN).body)
    assert whole["generateContentRequest"]["model"] == f"models/{G25}"
    assert whole["generateContentRequest"]["tools"] == [{"functionDeclarations": [{"name": "f"}]}]
