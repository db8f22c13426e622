"""The rows of vendors whose API is OpenAI's: sound in themselves, and obeyed by what is written for them."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from gateline.formats.features import FIELDS, PARTS
from gateline.formats.openai.names import CLIENT_NAMES
from gateline.formats.table import CLIENTS
from gateline.model.chat import Chat, Output, Text, Thinking, Tool, ToolChoice, ToolUse, Turn
from gateline.model.errors import EgressRefused
from gateline.net.egress import EgressPolicy
from gateline.providers.compatible import COMPATIBLE
from gateline.providers.selfhosted import SELF_HOSTED
from gateline.providers.table import TABLE

CHATTING = [kind for kind, row in COMPATIBLE.items() if "chat.completions" in row.speaks]


def everything() -> Chat:
    """A chat that asks for all there is."""
    return Chat(
        model="m",
        turns=[Turn(role="developer", parts=[Text(text="be")]), Turn(role="user", parts=[Text(text="x")], name="n")],
        stream=True, max_tokens=9, temperature=0.5, top_p=0.5, top_k=3, frequency_penalty=0.1, presence_penalty=0.1,
        seed=7, stop=["a"], n=2, logprobs=True, top_logprobs=2, logit_bias={"1": 1.0}, modalities=["text"],
        voice=Raw(b'{"voice":"v","format":"wav"}'), verbosity="low", metadata={"a": "b"}, store=True, user="u",
        service_tier="flex", cache_key="k", thinking=Thinking(effort="high"), parallel_tools=False,
        tools=[Tool(name="f", schema=Raw(b'{"type":"object"}'))], tool_choice=ToolChoice(mode="required"),
        output=Output(kind="schema", name="s", schema=Raw(b'{"type":"object"}')),
    )  # fmt: skip


def written(kind: str, chat: Chat) -> tuple[dict[str, Any], set[str]]:
    done = CLIENTS["chat.completions"].write(chat, "there", TABLE[kind].dialect)
    return json.loads(done.body), set(done.dropped)


@pytest.mark.parametrize("kind", COMPATIBLE)
def test_a_row_is_sound(kind: str) -> None:
    """Its address names its options and nothing else, its documentation is on the web, what it refuses is known."""
    row = COMPATIBLE[kind]
    assert re.fullmatch(r"[a-z0-9]+", kind)
    assert row.docs.startswith("https://")
    assert row.speaks
    assert len(set(row.speaks)) == len(row.speaks)
    assert row.base_url == "" or re.fullmatch(r"https?://[^/\s]+(/[^/\s]+)*", row.base_url)
    assert tuple(re.findall(r"{(\w+)}", row.base_url)) == row.options
    assert row.dialect.refuses <= FIELDS.keys() | PARTS.keys() | {"dimensions"}
    assert row.quirks == "" or row.quirks.endswith(".")


@pytest.mark.parametrize("kind", CHATTING)
def test_what_a_vendor_refuses_is_not_sent_but_told(kind: str) -> None:
    """Of every field of a chat, each is either in the body, under the vendor's name of it, or named as dropped."""
    row = TABLE[kind]
    body, dropped = written(kind, everything())
    for name in FIELDS:
        asked_as = {"max_tokens": row.dialect.max_tokens, "seed": row.dialect.seed, "thinking": row.dialect.thinking}
        field = asked_as.get(name, CLIENT_NAMES.get(name, ""))
        if name in row.dialect.refuses:
            assert field not in body, name
        assert (field in body) or name in dropped, name
        assert name in dropped or name not in row.dialect.refuses, name
    assert ("stream_options" in body) == row.dialect.stream_options
    assert "max_tokens" not in body or row.dialect.max_tokens == "max_tokens"
    schema = body["response_format"]["type"] == "json_schema"
    assert schema == row.dialect.schema
    assert schema or "output" in dropped
    assert [message["role"] for message in body["messages"]] == ["system", "user"]


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("mistral", {"random_seed": 7, "max_tokens": 9, "parallel_tool_calls": False, "n": 2}),
        ("groq", {"max_completion_tokens": 9, "reasoning_effort": "high", "seed": 7}),
        ("deepseek", {"thinking": {"type": "enabled"}, "response_format": {"type": "json_object"}, "logprobs": True}),
        ("openrouter", {"reasoning": {"effort": "high"}, "verbosity": "low", "prompt_cache_key": "k"}),
        ("dashscope", {"enable_thinking": True, "thinking_budget": 16384, "modalities": ["text"]}),
        ("zai", {"thinking": {"type": "enabled"}, "tool_choice": None, "stop": ["a"]}),
        ("siliconflow", {"enable_thinking": True, "thinking_budget": 16384}),
        ("snowflake", {"max_completion_tokens": 9}),
        ("fireworks", {"prompt_cache_key": "k", "service_tier": "flex", "top_logprobs": 2}),
        ("vllm", {"seed": 7, "logit_bias": {"1": 1}, "n": 2}),
    ],
)
def test_each_vendor_is_asked_in_its_own_words(kind: str, fields: dict[str, Any]) -> None:
    """As its documentation has them."""
    body, _ = written(kind, everything())
    assert {name: body.get(name) for name in fields} == fields


@pytest.mark.parametrize("kind", ["deepseek", "moonshot", "zhipu", "zai"])
def test_reasoning_goes_back_to_those_who_want_it(kind: str) -> None:
    """A turn that called tools has some, even one that another model made without any."""
    turns = [Turn(role="user", parts=[Text(text="x")]), Turn(role="assistant", parts=[ToolUse(id="a", name="f")])]
    body, _ = written(kind, Chat(model="m", turns=turns))
    assert body["messages"][1]["reasoning_content"] == " "
    assert "reasoning_content" not in written("groq", Chat(model="m", turns=turns))[0]["messages"][1]


def test_a_server_of_ones_own_is_on_this_machine_or_where_the_configuration_says() -> None:
    """Loopback is named by the kind; the same address under another name is refused, and so is a private one under
    this name."""
    places = {row.base_url for row in SELF_HOSTED.values() if row.base_url}
    assert len(places) == 4
    assert all(place.startswith("http://localhost:") for place in places)
    assert "http://localhost:8080" not in " ".join(places), "the gateway's own port: it would call itself"
    egress = EgressPolicy()
    egress.check("127.0.0.1", host="localhost")
    for address, host in (("127.0.0.1", "models.example"), ("10.0.0.7", "localhost"), ("10.0.0.7", "models.example")):
        with pytest.raises(EgressRefused):
            egress.check(address, host=host)


@pytest.mark.parametrize(
    ("kind", "choices"),
    [
        ("openai", {"none": "none", "required": "required", "named": {"type": "function", "function": {"name": "f"}}}),
        ("moonshot", {"none": "none", "required": None, "named": None}),
        ("zai", {"none": None, "required": None, "named": None}),
    ],
)
def test_a_choice_of_tools_that_a_vendor_refuses_is_dropped(kind: str, choices: dict[str, object]) -> None:
    """And told; what it does unless asked otherwise needs no saying."""
    asked = {
        "none": ToolChoice(mode="none"),
        "required": ToolChoice(mode="required"),
        "named": ToolChoice(mode="required", names=["f"]),
    }
    for name, choice in choices.items():
        body, dropped = written(kind, msgspec.structs.replace(everything(), tool_choice=asked[name]))
        assert body.get("tool_choice") == choice, name
        assert ("tool_choice" in dropped) is (choice is None)


@pytest.mark.parametrize(("kind", "given"), [("baichuan", 1.0), ("zhipu", 1.0), ("moonshot", 1.0), ("together", 1.7)])
def test_a_temperature_above_a_vendors_range_becomes_its_highest(kind: str, given: float) -> None:
    """Which is told; one within passes."""
    body, dropped = written(kind, msgspec.structs.replace(everything(), temperature=1.7))
    assert body["temperature"] == given
    assert ("temperature" in dropped) is (given < 1.7)
    body, dropped = written(kind, msgspec.structs.replace(everything(), temperature=0.7))
    assert body["temperature"] == 0.7
    assert "temperature" not in dropped


def test_more_stops_than_a_vendor_reads_are_told() -> None:
    """The first of them are sent."""
    chat = msgspec.structs.replace(everything(), stop=["a", "b"])
    body, dropped = written("zai", chat)
    assert body["stop"] == ["a"]
    assert "stop" in dropped
    assert written("together", chat)[0]["stop"] == ["a", "b"]
