from __future__ import annotations

import json

import pytest
from anthropic.types import message_count_tokens_params
from msgspec import Raw

from gateline.formats.anthropic.sides import COUNT_CLIENT, MESSAGES_CLIENT
from gateline.formats.contract import Written
from gateline.formats.dialect import PLAIN, Dialect
from gateline.model.chat import (
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
from gateline.model.vectors import Count
from tests.formats.anthropic.asked import NEW, OLD, SCHEMA, TOOL, assistant, chat, user, write


def test_the_least_call_is_whole() -> None:
    """Model, messages and a bound: the vendor requires them."""
    assert write(chat()) == (
        {
            "model": OLD,
            "max_tokens": 32_000,
            "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        },
        [],
    )


@pytest.mark.parametrize(
    ("choice", "parallel", "written"),
    [
        (None, None, None),
        (None, True, None),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoice(mode="auto"), None, {"type": "auto"}),
        (ToolChoice(mode="none"), False, {"type": "none"}),
        (ToolChoice(mode="required"), False, {"type": "any", "disable_parallel_tool_use": True}),
        (ToolChoice(mode="required", names=["f"]), None, {"type": "tool", "name": "f"}),
        (ToolChoice(mode="required", names=["f", "g"]), None, {"type": "any"}),
    ],
)
def test_choices_are_written(choice: ToolChoice | None, parallel: bool | None, written: object) -> None:
    """Choice and parallel use are one field there; a choice among several narrows the tools."""
    tools = [TOOL, Tool(name="g", schema=SCHEMA), Tool(name="h", schema=SCHEMA)]
    body, dropped = write(chat(tools=tools, tool_choice=choice, parallel_tools=parallel))
    assert body.get("tool_choice") == written
    is_narrow = choice is not None and len(choice.names) > 1
    assert [tool["name"] for tool in body["tools"]] == (["f", "g"] if is_narrow else ["f", "g", "h"])
    assert dropped == []


def test_tools_are_written() -> None:
    """A schema passes byte for byte, but must say that it is an object; a strict one is narrowed."""
    tools = [
        Tool(name="a", schema=Raw(b'{"type":"object", "properties":{"n":{"type":"integer","minimum":1}}}'), cache="1h"),
        Tool(name="b", description="d"),
        Tool(name="c", schema=Raw(b'{"properties":{}}'), strict=False),
        Tool(name="d", schema=Raw(b'{"type":"object","properties":{"n":{"type":"integer","minimum":1}}}'), strict=True),
    ]
    written: Written = MESSAGES_CLIENT.write(chat(tools=tools), OLD, PLAIN)
    assert b'{"type":"object", "properties":{"n":{"type":"integer","minimum":1}}}' in written.body
    body, _ = write(chat(tools=tools))
    assert body["tools"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    assert body["tools"][1] == {"name": "b", "description": "d", "input_schema": {"type": "object", "properties": {}}}
    assert body["tools"][2] == {"name": "c", "input_schema": {"type": "object", "properties": {}}}
    assert body["tools"][3]["strict"] is True
    assert body["tools"][3]["input_schema"] == {
        "type": "object",
        "properties": {"n": {"type": "integer", "description": "{minimum: 1}"}},
        "additionalProperties": False,
    }


def test_what_takes_a_map_is_not_constrained() -> None:
    """A schema with a map in it is not asked for, and told, for answers and for strict tools; the tool keeps it."""
    schema = Raw(b'{"type":"object","properties":{"m":{"type":"object","additionalProperties":{"type":"integer"}}}}')
    tool = Tool(name="f", schema=schema, strict=True)
    body, dropped = write(chat(tools=[tool], output=Output(kind="schema", schema=schema)))
    assert body["tools"] == [{"name": "f", "input_schema": json.loads(bytes(schema))}]
    assert "output_config" not in body
    assert dropped == ["tool_strict", "output"]


def test_tools_that_were_used_are_declared() -> None:
    """A conversation with tool uses in it is refused without tools; they are declared, and not to be called."""
    body, dropped = write(chat(user("a"), assistant(ToolUse(id="1", name="f")), user(ToolResult(id="1", parts=[]))))
    assert body["tools"] == [{"name": "f", "input_schema": {"type": "object"}}]
    assert body["tool_choice"] == {"type": "none"}
    assert dropped == []


def test_json_is_asked_for_by_schema_only() -> None:
    """A schema is asked for natively, in a subset; JSON without one, and in older models, has no place."""
    schema = Raw(b'{"type":"object","properties":{"s":{"type":"string","maxLength":3}},"required":["s"]}')
    body, dropped = write(chat(output=Output(kind="schema", name="n", schema=schema)))
    assert body["output_config"]["format"] == {
        "type": "json_schema",
        "schema": {
            "type": "object",
            "properties": {"s": {"type": "string", "description": "{maxLength: 3}"}},
            "required": ["s"],
            "additionalProperties": False,
        },
    }
    assert dropped == []
    for asked, model, dialect in (
        (chat(output=Output(kind="json")), OLD, PLAIN),
        (chat(output=Output(kind="schema", schema=schema)), "claude-3-haiku-20240307", PLAIN),
        (chat(output=Output(kind="schema", schema=schema)), OLD, Dialect(schema=False)),
    ):
        body, dropped = write(asked, model, dialect)
        assert "output_config" not in body
        assert dropped == ["output"]


def test_sampling_follows_the_model() -> None:
    """Temperatures end at 1, 4.5 takes temperature or top_p, 4.7 takes neither; what is default anyway is no loss."""
    asked = chat(temperature=1.5, top_p=0.5, top_k=3)
    body, dropped = write(asked, "claude-3-haiku-20240307")
    assert (body["temperature"], body["top_p"], body["top_k"], dropped) == (1, 0.5, 3, ["temperature"])
    body, dropped = write(asked)
    assert (body["temperature"], body["top_k"], dropped) == (1, 3, ["temperature", "top_p"])
    body, dropped = write(asked, NEW)
    assert not {"temperature", "top_p", "top_k"} & set(body)
    assert dropped == ["temperature", "top_p", "top_k"]
    body, dropped = write(chat(temperature=1, top_p=1), NEW)
    assert dropped == []
    body, dropped = write(chat(top_p=0.5))
    assert (body["top_p"], dropped) == (0.5, [])


def test_thinking_forbids_other_sampling() -> None:
    """With thinking on, only the defaults and a top_p of 0.95 and up are taken."""
    asked = chat(thinking=Thinking(effort="low"), temperature=0.2, top_p=0.96, top_k=2)
    body, dropped = write(asked)
    assert body["thinking"]["type"] == "enabled"
    assert (body["top_p"], "temperature" in body, "top_k" in body) == (0.96, False, False)
    assert dropped == ["temperature", "top_k"]


def test_budgeted_thinking_gives_way() -> None:
    """To a tool that must be called, to the beginning of an answer, and to a tool use that was not thought of: the
    vendor takes none of them together."""
    thinking = Thinking(effort="low")
    forced = chat(thinking=thinking, tools=[TOOL], tool_choice=ToolChoice(mode="required"))
    begun = chat(user("a"), assistant("b  "), thinking=thinking)
    foreign = chat(
        user("a"), assistant("t", ToolUse(id="1", name="f")), user(ToolResult(id="1", parts=[])),
        thinking=thinking, tools=[TOOL],
    )  # fmt: skip
    for asked in (forced, begun, foreign):
        body, dropped = write(asked)
        assert "thinking" not in body
        assert dropped == ["thinking"]
    assert write(forced)[0]["tool_choice"] == {"type": "any"}
    assert write(begun)[0]["messages"][-1]["content"] == [{"type": "text", "text": "b"}]
    body, dropped = write(foreign, NEW)
    assert body["thinking"] == {"type": "adaptive"}
    assert dropped == []


def test_thinking_stays_with_what_was_thought() -> None:
    """It is kept where the first tool use since the user spoke was thought of, and in turns that are over."""
    thought = Reasoning(text="t", seal=Seal("anthropic", "S"))
    result = user(ToolResult(id="1", parts=[]))
    use = ToolUse(id="1", name="f")
    for turns in (
        (user("a"), assistant(thought, use), result),
        (user("a"), assistant(thought, use), result, assistant("then", use), result),
        (user("a"), assistant(use), result, assistant("done"), user("b")),
        (user("a"), assistant("plain"), user("b")),
    ):
        body, dropped = write(chat(*turns, thinking=Thinking(budget=2_000), tools=[TOOL]))
        assert body["thinking"] == {"type": "enabled", "budget_tokens": 2_000}
        assert dropped == []


def test_newer_models_take_no_beginning_and_no_force() -> None:
    """Where the vendor answers 400 to the beginning of an answer, or to a tool that must be called, it is told."""
    body, dropped = write(chat(user("a"), assistant("b")), NEW)
    assert [message["role"] for message in body["messages"]] == ["user"]
    assert dropped == ["prefill"]
    body, dropped = write(chat(tools=[TOOL], tool_choice=ToolChoice(mode="required")), "claude-opus-5-5")
    assert "tool_choice" not in body
    assert dropped == ["tool_choice"]


def test_stops_users_and_tiers() -> None:
    """A stop of white space, a user's name that is too long and a tier it does not know are refused, and so told."""
    body, dropped = write(chat(stop=["\n", "END"], user="u", service_tier="default"))
    assert (body["stop_sequences"], body["metadata"], body["service_tier"]) == (
        ["END"],
        {"user_id": "u"},
        "standard_only",
    )
    assert dropped == ["stop"]
    body, dropped = write(chat(user="u" * 257, service_tier="flex"))
    assert not {"metadata", "service_tier"} & set(body)
    assert dropped == ["user", "service_tier"]


def test_marks_over_four_give_way_from_the_front() -> None:
    """The vendor takes four marks: the last ones keep the longest prompts."""
    asked = chat(
        Turn(role="system", parts=[Text(text="s", cache="1h")]),
        *(user(Text(text=str(at), cache="5m")) for at in range(3)),
        tools=[Tool(name="f", schema=SCHEMA, cache="5m")],
    )
    body, dropped = write(asked)
    assert dropped == ["cache"]
    assert "cache_control" not in body["tools"][0]
    assert "cache_control" in body["system"][0]
    assert all("cache_control" in block for block in body["messages"][0]["content"])


def test_what_has_no_place_is_told() -> None:
    """Fields without an equivalent are named; those that ask for what happens anyway are not."""
    _, dropped = write(
        chat(
            Turn(role="user", parts=[Text(text="x")], name="bob"),
            n=2, seed=1, logprobs=True, top_logprobs=2, frequency_penalty=1, presence_penalty=1, logit_bias={"1": 1},
            modalities=["audio"], verbosity="low", metadata={"a": "b"}, cache_key="k", store=True,
        )
    )  # fmt: skip
    assert dropped == [
        "frequency_penalty", "presence_penalty", "seed", "n", "logprobs", "top_logprobs", "logit_bias", "modalities",
        "verbosity", "metadata", "cache_key", "store", "name",
    ]  # fmt: skip
    idle = chat(n=1, logprobs=False, frequency_penalty=0, presence_penalty=0, modalities=["text"], store=False)
    assert write(idle)[1] == []


def test_a_dialect_refuses_and_hosts() -> None:
    """What a vendor refuses is left out; where others host the models, a version stands in place of the model."""
    asked = chat(top_k=3, temperature=0.5, stream=True)
    body, dropped = write(asked, "other", Dialect(refuses=frozenset({"top_k", "seed"})))
    assert (body["stream"], "top_k" in body, dropped) == (True, False, ["top_k"])
    body, _ = write(asked, OLD, Dialect(anthropic_version="bedrock-2023-05-31"))
    assert (body["anthropic_version"], "model" in body, "stream" in body) == ("bedrock-2023-05-31", False, False)
    body, _ = write(asked, OLD, Dialect(anthropic_version="vertex-2023-10-16"))
    assert (body["anthropic_version"], "model" in body, body["stream"]) == ("vertex-2023-10-16", False, True)


def test_a_count_has_only_what_has_tokens() -> None:
    """No bound, no sampling, no stream, no labels: the vendor takes none of them when it counts."""
    asked = chat(
        Turn(role="system", parts=[Text(text="s")]), user("hi"),
        tools=[TOOL], thinking=Thinking(budget=2_000), max_tokens=5_000, temperature=0.5, stream=True, user="u",
        stop=["x"],
    )  # fmt: skip
    body = json.loads(COUNT_CLIENT.write(Count(chat=asked), OLD, PLAIN).body)
    assert set(body) == {"model", "messages", "system", "tools", "thinking"}
    assert set(body) <= set(message_count_tokens_params.MessageCountTokensParams.__annotations__)
