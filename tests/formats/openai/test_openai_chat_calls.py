from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from gateline.formats.dialect import PLAIN, Dialect
from gateline.formats.features import FIELDS, PARTS
from gateline.formats.openai.chat_call import write_chat
from gateline.formats.openai.names import CLIENT_NAMES, SERVER_NAMES
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
from tests.formats.openai.chats import asked, plain

ANTHROPIC = Seal("anthropic", "c2lnbmF0dXJl+/==")
GEMINI = Seal("gemini", "dGhvdWdodA==")
ENCRYPTED = Seal("openrouter", "gAAAAABencrypted")
OF_OPENAI = Dialect(max_tokens="max_completion_tokens", has_developer=True, thinking="reasoning_effort")
OF_OPENROUTER = Dialect(thinking="reasoning", seals="reasoning_details", cache_control=True)
SCHEMA = b'{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false,"x":1.0}'


def written(chat: Chat, dialect: Dialect = OF_OPENAI, model: str = "vendor-model") -> tuple[dict[str, Any], list[str]]:
    found = write_chat(chat, model, dialect)
    return json.loads(found.body), list(found.dropped)


def message(content: object, role: str = "user", **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


def test_every_field_is_written() -> None:
    """What the format carries goes under the vendor's names; schemas go byte for byte."""
    chat = plain(
        stream=True, temperature=0.5, top_p=0.9, frequency_penalty=0.1, presence_penalty=0.2, seed=7, stop=["a"], n=2,
        logprobs=True, top_logprobs=3, logit_bias={"1": -100.0}, modalities=["text"], voice=Raw(b'{"voice":"ash"}'),
        verbosity="low", metadata={"k": "v"}, user="u", service_tier="flex", cache_key="key", store=True, max_tokens=9,
        thinking=Thinking(effort="high"), parallel_tools=False, tools=[Tool(name="f", schema=Raw(SCHEMA), strict=True)],
        tool_choice=ToolChoice(mode="required", names=["f"]),
        output=Output(kind="schema", name="n", schema=Raw(SCHEMA)),
    )  # fmt: skip
    raw = write_chat(chat, "vendor-model", OF_OPENAI)
    assert raw.dropped == []
    assert raw.body.count(SCHEMA) == 2
    assert json.loads(raw.body) == {
        "model": "vendor-model", "messages": [message("hi")], "stream": True, "stream_options": {"include_usage": True},
        "temperature": 0.5, "top_p": 0.9, "frequency_penalty": 0.1, "presence_penalty": 0.2, "seed": 7, "stop": ["a"],
        "n": 2, "logprobs": True, "top_logprobs": 3, "logit_bias": {"1": -100}, "modalities": ["text"],
        "audio": {"voice": "ash"}, "verbosity": "low", "metadata": {"k": "v"}, "user": "u", "service_tier": "flex",
        "prompt_cache_key": "key", "store": True, "max_completion_tokens": 9, "reasoning_effort": "high",
        "parallel_tool_calls": False, "tool_choice": {"type": "function", "function": {"name": "f"}},
        "tools": [{"type": "function", "function": {"name": "f", "parameters": json.loads(SCHEMA), "strict": True}}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": json.loads(SCHEMA)}},
    }  # fmt: skip


def test_a_dialects_names_are_used() -> None:
    chat = plain(stream=True, seed=7, max_tokens=9)
    body, dropped = written(chat, Dialect(seed="random_seed", stream_options=False))
    assert body == {
        "model": "vendor-model", "messages": [message("hi")], "stream": True, "random_seed": 7, "max_tokens": 9,
    }  # fmt: skip
    assert dropped == []


def test_what_a_vendor_refuses_is_left_out_and_told() -> None:
    """Fields and kinds of content of `refuses` are not sent; nor are those that the format has no place for."""
    picture = Media(kind="image", mime="image/png", data="AAAA")
    chat = plain(
        turns=[Turn(role="user", parts=[Text(text="hi"), picture], name="ann")], seed=7, top_k=4, frequency_penalty=1.0
    )
    body, dropped = written(chat, Dialect(refuses=frozenset({"seed", "frequency_penalty", "image", "name"})))
    assert body == {"model": "vendor-model", "messages": [message([{"type": "text", "text": "hi"}])]}
    assert set(dropped) == {"seed", "frequency_penalty", "image", "name", "top_k"}


@pytest.mark.parametrize(
    ("fields", "dropped"),
    [
        ({"metadata": {"k": "v"}}, ["metadata"]),  # OpenAI takes it of kept answers alone
        ({"service_tier": "standard_only"}, ["service_tier"]),
        ({"stop": list("abcde")}, ["stop"]),
        ({"service_tier": "auto"}, []),
        ({"tool_choice": ToolChoice(mode="auto")}, []),  # nothing to choose from: vendors answer 400
        ({"parallel_tools": True}, []),
    ],
)
def test_what_vendors_would_answer_with_400_is_not_sent(fields: dict[str, Any], dropped: list[str]) -> None:
    body, told = written(plain(**fields))
    body.pop("stop", None)
    assert body == {"model": "vendor-model", "messages": [message("hi")]}
    assert told == dropped
    assert len(written(plain(stop=list("abcde")))[0]["stop"]) == 4


@pytest.mark.parametrize(
    ("thinking", "way", "fields"),
    [
        (Thinking(effort="low"), "reasoning_effort", {"reasoning_effort": "low"}),
        (Thinking(effort="max"), "reasoning_effort", {"reasoning_effort": "high"}),
        (Thinking(effort="minimal"), "reasoning_effort", {"reasoning_effort": "low"}),
        (Thinking(budget=1024), "reasoning_effort", {"reasoning_effort": "low"}),
        (Thinking(budget=8000), "reasoning_effort", {"reasoning_effort": "medium"}),
        (Thinking(budget=32000), "reasoning_effort", {"reasoning_effort": "high"}),
        (Thinking(budget=-1), "reasoning_effort", {}),
        (Thinking(budget=0), "reasoning_effort", None),
        (Thinking(effort="low"), "", None),
        (Thinking(effort="low"), "reasoning", {"reasoning": {"effort": "low"}}),
        (Thinking(budget=2000, is_shown=False), "reasoning", {"reasoning": {"max_tokens": 2000, "exclude": True}}),
        (Thinking(budget=0), "reasoning", {"reasoning": {"enabled": False}}),
        (Thinking(budget=-1), "reasoning", {"reasoning": {"enabled": True}}),
        (Thinking(effort="low"), "thinking", {"thinking": {"type": "enabled"}}),
        (Thinking(effort="none"), "thinking", {"thinking": {"type": "disabled"}}),
        (Thinking(effort="medium"), "enable_thinking", {"enable_thinking": True, "thinking_budget": 8192}),
        (Thinking(budget=0), "enable_thinking", {"enable_thinking": False}),
    ],
)
def test_thinking_in_each_vendors_way(thinking: Thinking, way: Any, fields: dict[str, Any] | None) -> None:
    """Effort and budget become what the vendor asks for; None: it cannot be said, and the client is told."""
    body, dropped = written(plain(thinking=thinking), Dialect(thinking=way))
    assert dropped == (["thinking"] if fields is None else [])
    assert body == {"model": "vendor-model", "messages": [message("hi")], **(fields or {})}


def test_openai_gets_every_effort() -> None:
    """What others are asked for in words they know, OpenAI is asked for in its own."""
    for effort in ("none", "minimal", "low", "medium", "high", "xhigh", "max"):
        assert written(plain(thinking=Thinking(effort=effort)))[0]["reasoning_effort"] == effort


def test_a_schema_falls_back_to_json() -> None:
    """A vendor that knows no schemas is asked for JSON, and the client told; JSON alone needs no telling."""
    schema = plain(output=Output(kind="schema", schema=Raw(SCHEMA)))
    body, dropped = written(schema, Dialect(schema=False))
    assert (body["response_format"], dropped) == ({"type": "json_object"}, ["output"])
    assert written(schema)[0]["response_format"]["json_schema"]["name"] == "response"
    body, dropped = written(plain(output=Output(kind="json")), Dialect(schema=False))
    assert (body["response_format"], dropped) == ({"type": "json_object"}, [])


def test_a_choice_among_some_tools_leaves_the_others_out() -> None:
    tools = [Tool(name=name) for name in "fgh"]
    body, dropped = written(plain(tools=tools, tool_choice=ToolChoice(mode="required", names=["f", "g"])))
    assert [tool["function"]["name"] for tool in body["tools"]] == ["f", "g"]
    assert (body["tool_choice"], dropped) == ("required", [])


def test_roles_the_vendor_knows() -> None:
    chat = plain(turns=[Turn(role="developer", parts=[Text(text="a"), Text(text="b")])])
    assert written(chat) == ({"model": "vendor-model", "messages": [message("a\n\nb", "developer")]}, [])
    assert written(chat, PLAIN) == ({"model": "vendor-model", "messages": [message("a\n\nb", "system")]}, ["developer"])


def test_results_stand_behind_their_calls() -> None:
    """In a turn that holds both, results go first, and a picture in one into the user's message behind them."""
    picture = Media(kind="image", mime="image/png", data="AAAA")
    turn = Turn(
        role="user",
        parts=[
            Text(text="and?"),
            ToolResult(id="a", parts=[Text(text="1"), picture], is_error=True),
            ToolResult(id="b", parts=[]),
        ],
    )
    body, dropped = written(plain(turns=[turn]))
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    assert body["messages"] == [
        message("1", "tool", tool_call_id="a"),
        message("", "tool", tool_call_id="b"),
        message([image, {"type": "text", "text": "and?"}]),
    ]
    assert dropped == ["tool_error"]
    body, dropped = written(plain(turns=[turn]), Dialect(refuses=frozenset({"tool_media"})))
    assert body["messages"][2] == message("and?")
    assert "tool_media" in dropped


@pytest.mark.parametrize(
    ("media", "content"),
    [
        (Media(kind="image", url="https://a.example/x", detail="low"),
         {"type": "image_url", "image_url": {"url": "https://a.example/x", "detail": "low"}}),
        (Media(kind="audio", mime="audio/x-wav", data="AAAA"),
         {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}),
        (Media(kind="file", mime="application/pdf", data="AAAA"),
         {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA", "filename": "file.pdf"}}),
        (Media(kind="file", file_id="file-1"), {"type": "file", "file": {"file_id": "file-1"}}),
        (Media(kind="file", mime="text/plain", data="aGk="), {"type": "text", "text": "hi"}),
        (Media(kind="image", file_id="file-1"), None),
        (Media(kind="audio", mime="audio/ogg", data="AAAA"), None),
        (Media(kind="file", url="https://a.example/x"), None),
        (Media(kind="video", url="https://a.example/x"), None),
    ],
)  # fmt: skip
def test_media_as_the_vendor_takes_it(media: Media, content: dict[str, Any] | None) -> None:
    """What has no place in a message is left out and told by its kind."""
    body, dropped = written(plain(turns=[Turn(role="user", parts=[Text(text="see"), media])]))
    assert body["messages"][0]["content"][1:] == ([] if content is None else [content])
    assert dropped == ([media.kind] if content is None else [])


THOUGHT: list[Part] = [
    Reasoning(text="so", seal=ANTHROPIC),
    Reasoning(seal=ENCRYPTED, is_hidden=True, id="rs_1"),
    Text(text="ok"),
    ToolUse(id="a", name="f", arguments="{}", seal=GEMINI),
]
CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("dialect", "model", "more", "dropped"),
    [
        (OF_OPENAI, "gpt", {}, {"reasoning", "seal"}),
        (Dialect(replays_reasoning=True), "deepseek", {"reasoning_content": "so"}, {"seal"}),
        (
            OF_OPENROUTER,
            "anthropic/claude",
            {"reasoning_details": [{"type": "reasoning.text", "text": "so", "signature": ANTHROPIC.data,
                                    "format": "anthropic-claude-v1", "index": 0}]},
            {"seal"},
        ),
        (
            OF_OPENROUTER,
            "openai/gpt",
            {"reasoning_details": [{"type": "reasoning.encrypted", "data": ENCRYPTED.data, "id": "rs_1",
                                    "format": "openai-responses-v1", "index": 0}]},
            {"reasoning", "seal"},
        ),
        (
            OF_OPENROUTER,
            "google/gemini",
            {"reasoning_details": [{"type": "reasoning.encrypted", "data": GEMINI.data, "id": "a",
                                    "format": "google-gemini-v1", "index": 0}]},
            {"reasoning", "seal"},
        ),
        (OF_OPENROUTER, "x-ai/grok", {}, {"reasoning", "seal"}),
        (
            Dialect(seals="extra_content"),
            "gemini-3",
            {"tool_calls": [{**CALL, "extra_content": {"google": {"thought_signature": GEMINI.data}}}]},
            {"reasoning", "seal"},
        ),
    ],
)  # fmt: skip
def test_a_seal_goes_to_its_maker_alone(dialect: Dialect, model: str, more: dict[str, Any], dropped: set[str]) -> None:
    """Byte for byte to the vendor that takes it back, to no other; reasoning without it only where it is wanted."""
    body, told = written(plain(turns=[Turn(role="assistant", parts=THOUGHT)]), dialect, model)
    assert body["messages"] == [message("ok", "assistant", **{"tool_calls": [CALL], **more})]
    assert set(told) == dropped


def test_a_call_of_tools_has_reasoning_where_the_vendor_wants_it_back() -> None:
    """DeepSeek and Moonshot refuse such a turn without any, whichever model made it: a blank stands for none."""
    call = Turn(role="assistant", parts=[ToolUse(id="a", name="f", arguments="{}")])
    body, _ = written(plain(turns=[call]), Dialect(replays_reasoning=True), "deepseek")
    assert body["messages"] == [message(None, "assistant", tool_calls=[CALL], reasoning_content=" ")]
    said = Turn(role="assistant", parts=[Text(text="hi")])
    body, _ = written(plain(turns=[said]), Dialect(replays_reasoning=True), "deepseek")
    assert body["messages"] == [message("hi", "assistant")]


def test_an_answer_of_reasoning_alone_is_left_out() -> None:
    """A message that would be empty is none."""
    chat = plain(
        turns=[Turn(role="assistant", parts=[Reasoning(text="so")]), Turn(role="user", parts=[Text(text="hi")])]
    )
    assert written(chat) == ({"model": "vendor-model", "messages": [message("hi")]}, ["reasoning"])


def test_refusals_and_spoken_answers_of_earlier_turns() -> None:
    """OpenAI has a field for a refusal, others are told it as text; a spoken answer is told in its words."""
    turns = [
        Turn(role="assistant", parts=[Refusal(text="no")]),
        Turn(role="assistant", parts=[Media(kind="audio", file_id="audio_1", transcript="hi there")]),
        Turn(role="assistant", parts=[Text(text="a", citations=[Citation(url="https://a.example")]), Text(text="b")]),
    ]
    body, dropped = written(plain(turns=turns))
    assert body["messages"] == [
        message(None, "assistant", refusal="no"), message("hi there", "assistant"), message("ab", "assistant"),
    ]  # fmt: skip
    assert dropped == ["audio", "citations"]
    assert written(plain(turns=turns[:1]), PLAIN)[0]["messages"] == [message("no", "assistant")]


def test_cache_marks_where_the_vendor_takes_them() -> None:
    """OpenRouter's models get them on content and tools; to others they are dropped and told."""
    chat = plain(
        turns=[Turn(role="system", parts=[Text(text="a"), Text(text="b", cache="1h")])],
        tools=[Tool(name="f", cache="5m")],
    )
    body, dropped = written(chat, OF_OPENROUTER)
    assert body["messages"][0]["content"] == [
        {"type": "text", "text": "a"},
        {"type": "text", "text": "b", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
    ]
    assert body["tools"][0]["cache_control"] == {"type": "ephemeral"}
    assert dropped == []
    body, dropped = written(chat)
    assert body["messages"] == [message("a\n\nb", "system")]
    assert dropped == ["cache"]


def test_long_ids_of_calls_are_shortened_for_openai() -> None:
    """Over 40 characters OpenAI refuses them: a call and its result get the same short one; others get them as is."""
    turns = [
        Turn(role="assistant", parts=[ToolUse(id="x" * 41, name="f"), ToolUse(id="y" * 40, name="f")]),
        Turn(role="user", parts=[ToolResult(id="x" * 41, parts=[]), ToolResult(id="y" * 40, parts=[])]),
    ]
    for dialect in (OF_OPENAI, PLAIN):
        called, *results = written(plain(turns=turns), dialect)[0]["messages"]
        ids = [call["id"] for call in called["tool_calls"]]
        assert ids == [result["tool_call_id"] for result in results]
        assert ids[1] == "y" * 40
        assert (len(ids[0]) <= 40) == (dialect is OF_OPENAI)


def test_names_are_of_features_that_there_are() -> None:
    for names in (SERVER_NAMES, CLIENT_NAMES):
        assert set(names) <= set(FIELDS) | set(PARTS)


# --- there and back --------------------------------------------------------------------------------------------------

WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
CACHES = st.sampled_from(["", "5m", "1h"])
TEXT = st.builds(Text, text=WORDS, cache=CACHES)
PICTURES = st.builds(
    Media,
    kind=st.just("image"),
    mime=st.sampled_from(["image/png", "image/jpeg"]),
    data=st.binary(min_size=1, max_size=6).map(lambda data: base64.b64encode(data).decode()),
    detail=st.sampled_from(["", "low"]),
    cache=CACHES,
)
USERS = st.one_of(
    st.builds(lambda text, picture: [text, picture], TEXT, PICTURES), st.builds(lambda text: [Text(text=text)], WORDS)
)
CALLS = st.dictionaries(st.text("abc", min_size=1, max_size=3), WORDS, max_size=3)


@st.composite
def conversations(draw: st.DrawFn) -> list[Turn]:
    turns = [Turn(role=draw(st.sampled_from(["system", "developer"])), parts=[Text(text=draw(WORDS))])]
    for _ in range(draw(st.integers(1, 3))):
        turns.append(Turn(role="user", parts=draw(USERS), name=draw(st.sampled_from(["", "ann"]))))
        calls = draw(CALLS)
        said: list[Part] = [Reasoning(text=draw(WORDS), seal=ANTHROPIC)] if draw(st.booleans()) else []
        said.append(Text(text=draw(WORDS)))
        said += [ToolUse(id=each, name=name, arguments="{}") for each, name in calls.items()]
        turns.append(Turn(role="assistant", parts=said))
        if calls:
            results: list[Part] = [ToolResult(id=each, parts=[Text(text=draw(WORDS))]) for each in calls]
            turns.append(Turn(role="user", parts=results))
    return turns


@given(conversations(), st.booleans())
def test_any_conversation_comes_back(turns: list[Turn], stream: bool) -> None:
    """Written for a vendor that takes all there is, and read again as a client's: the same call."""
    dialect = Dialect(has_developer=True, seals="reasoning_details", cache_control=True, thinking="reasoning_effort")
    chat = Chat(
        model="anthropic/claude", turns=turns, stream=stream, include_usage=stream, max_tokens=5, temperature=0.5,
        tools=[Tool(name="f", schema=Raw(SCHEMA))], tool_choice=ToolChoice(mode="auto"), stop=["x"],
        thinking=Thinking(effort="low"), output=Output(kind="schema", name="n", schema=Raw(SCHEMA), strict=True),
    )  # fmt: skip
    found = write_chat(chat, chat.model, dialect)
    assert found.dropped == []
    assert asked(**json.loads(found.body)).turns == turns
