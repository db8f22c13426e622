"""What Bedrock is asked for: the service's own model has to find nothing wrong with it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from msgspec import Raw

from gateline.model.chat import (
    Media,
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
from tests.formats.bedrock.wire import CLAUDE, NOVA, assistant, chat, read, user, write

SCHEMA = Raw(b'{"type":"object","properties":{"a":{"type":"integer"}}}')
TOOL = Tool(name="f", description="d", schema=SCHEMA)
GPT = "openai.gpt-oss-120b-1:0"
LLAMA = "us.meta.llama4-maverick-17b-instruct-v1:0"
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()


def test_the_least_call_is_whole() -> None:
    """Turns alone; Claude gets a bound, since Bedrock's own may be little."""
    assert write(chat(), NOVA) == ({"messages": [{"role": "user", "content": [{"text": "hi"}]}]}, [])
    assert write(chat())[0]["inferenceConfig"] == {"maxTokens": 32_000}


def test_sampling_is_written() -> None:
    """Temperatures end at 1; top_k goes by each maker's own field."""
    asked = chat(max_tokens=5, temperature=1.5, top_p=0.5, top_k=7, stop=["x", " "])
    body, dropped = write(asked, NOVA)
    config = {"maxTokens": 5, "temperature": 1.0, "topP": 0.5, "stopSequences": ["x"]}
    assert body["inferenceConfig"] == config
    assert body["additionalModelRequestFields"] == {"inferenceConfig": {"topK": 7}}
    assert dropped == ["temperature", "stop"]
    body, dropped = write(chat(temperature=0.5, top_k=7))
    assert body["additionalModelRequestFields"] == {"top_k": 7}
    assert (body["inferenceConfig"], dropped) == ({"maxTokens": 32_000, "temperature": 0.5}, [])
    assert write(chat(top_k=7), LLAMA)[1] == ["top_k"]
    assert write(chat(temperature=0.5), "xai.grok-4-6")[1] == ["temperature"]


@pytest.mark.parametrize(
    ("choice", "model", "written", "names", "dropped"),
    [
        (None, CLAUDE, None, "fg", []),
        (ToolChoice(mode="auto"), CLAUDE, None, "fg", []),
        (ToolChoice(mode="required"), CLAUDE, {"any": {}}, "fg", []),
        (ToolChoice(mode="required", names=["g"]), CLAUDE, {"tool": {"name": "g"}}, "fg", []),
        (ToolChoice(mode="required", names=["g"]), "mistral.mistral-large-3", {"any": {}}, "g", []),
        (ToolChoice(mode="required"), LLAMA, None, "fg", ["tool_choice"]),
        (ToolChoice(mode="auto", names=["g"]), CLAUDE, None, "g", []),
    ],
)
def test_choices_are_written(
    choice: ToolChoice | None, model: str, written: object, names: str, dropped: list[str]
) -> None:
    """What a model cannot be made to do is left out and told; a choice among several narrows the tools."""
    body, left = write(chat(tools=[TOOL, Tool(name="g")], tool_choice=choice), model)
    assert body["toolConfig"].get("toolChoice") == written
    assert "".join(tool["toolSpec"]["name"] for tool in body["toolConfig"]["tools"]) == names
    assert left == dropped


def test_no_tools_are_none() -> None:
    """There is no word for it: without a tool used before the tools stay away, with one Claude's own field says so."""
    none = ToolChoice(mode="none")
    assert "toolConfig" not in write(chat(tools=[TOOL], tool_choice=none))[0]
    turns = [user("hi"), assistant(ToolUse(id="t", name="f")), user(ToolResult(id="t", parts=[]))]
    asked = chat(tools=[TOOL], tool_choice=none)
    asked.turns = turns
    body, dropped = write(asked)
    assert (body["additionalModelRequestFields"], dropped) == ({"tool_choice": {"type": "none"}}, [])
    assert write(asked, NOVA)[1] == ["tool_choice"]
    asked.tools, asked.tool_choice = [], None
    assert write(asked, NOVA)[0]["toolConfig"]["tools"][0]["toolSpec"]["name"] == "f"


def test_turns_are_in_the_vendors_order() -> None:
    """Instructions beside the turns, a user first, neighbours together, results ahead of words, no blank text."""
    asked = chat()
    asked.turns = [
        Turn(role="developer", parts=[Text(text="be"), Text(text=" ")]),
        assistant("hello"),
        user("a"),
        assistant(ToolUse(id="t|1", name="f", arguments='{"a": 1}'), ToolUse(id="x" * 80, name="f")),
        user("b"),
        user(ToolResult(id="t|1", parts=[Text(text="r")], is_error=True), ToolResult(id="x" * 80, parts=[])),
    ]
    body, dropped = write(asked)
    assert dropped == []
    assert body["system"] == [{"text": "be"}]
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user", "assistant", "user"]
    first, second = (found["toolUse"] for found in body["messages"][3]["content"])
    assert first == {"toolUseId": "t_7c_1", "name": "f", "input": {"a": 1}}
    results = body["messages"][4]["content"]
    assert results[0]["toolResult"] == {"toolUseId": "t_7c_1", "content": [{"text": "r"}], "status": "error"}
    assert results[1]["toolResult"] == {"toolUseId": second["toolUseId"], "content": [{"text": "(empty)"}]}
    assert len(second["toolUseId"]) <= 64
    assert results[2] == {"text": "b"}


def test_an_instruction_behind_an_answer_loses_its_place() -> None:
    """It joins those beside the turns, and that is told; ahead of the first answer there is nothing to lose."""
    asked = chat()
    instruction = Turn(role="system", parts=[Text(text="be")])
    asked.turns = [user("a"), instruction, assistant("b"), user("c")]
    assert write(asked)[1] == []
    asked.turns = [user("a"), assistant("b"), instruction, user("c")]
    body, dropped = write(asked)
    assert (body["system"], dropped) == ([{"text": "be"}], ["system_place"])


def test_media_are_inline_or_in_s3() -> None:
    """A URL cannot be fetched there; documents have names of few characters, no two alike, and a text beside them."""
    pdf = Media(kind="file", mime="application/pdf", data="JVBERi0=", name="a_b.pdf")
    body, dropped = write(
        chat(
            Media(kind="image", data=PNG),
            Media(kind="image", url="https://a/b.png"),
            Media(kind="image", mime="image/webp", url="s3://bucket/c"),
            pdf,
            pdf,
            Media(kind="video", mime="video/mp4", data="AAAA"),
            Media(kind="audio", mime="audio/mpeg", data="AAAA"),
        ),
        NOVA,
    )
    assert dropped == ["image"]
    content = body["messages"][0]["content"]
    assert content[0] == {"image": {"format": "png", "source": {"bytes": PNG}}}
    assert content[1] == {"image": {"format": "webp", "source": {"s3Location": {"uri": "s3://bucket/c"}}}}
    assert [found["document"]["name"] for found in content[2:4]] == ["a-b", "a-b 2"]
    assert (content[4]["video"]["format"], content[5]["audio"]["format"]) == ("mp4", "mp3")
    assert content[6] == {"text": "."}


def test_what_a_tools_result_may_hold_is_the_models() -> None:
    """Claude sees images there, gpt-oss none, and it is not told of failures."""
    image = Media(kind="image", mime="image/png", data=PNG)
    asked = chat()
    asked.turns += [assistant(ToolUse(id="t", name="f"))]
    asked.turns += [user(ToolResult(id="t", parts=[Text(text="r"), image], is_error=True))]
    assert write(asked)[0]["messages"][2]["content"][0]["toolResult"]["content"][1]["image"]["format"] == "png"
    assert write(asked, GPT)[1] == ["tool_media", "tool_error"]


def test_cache_points_stand_behind_what_is_cached() -> None:
    """At most four, the first give way; models that keep nothing are not asked to."""
    asked = chat(Text(text="a", cache="1h"), Text(text="b", cache="5m"), tools=[Tool(name="f", cache="5m")])
    asked.turns.insert(0, Turn(role="system", parts=[Text(text="s", cache="5m")]))
    body, dropped = write(asked)
    assert dropped == []
    assert body["toolConfig"]["tools"][1] == {"cachePoint": {"type": "default"}}
    assert body["system"][1] == {"cachePoint": {"type": "default"}}
    assert body["messages"][0]["content"][1] == {"cachePoint": {"type": "default", "ttl": "1h"}}
    asked.turns[1].parts.append(Text(text="c", cache="5m"))
    body, dropped = write(asked)
    assert (len(body["toolConfig"]["tools"]), dropped) == (1, ["cache"])
    assert "cachePoint" not in json.dumps(write(asked, LLAMA)[0])


def test_seals_go_to_their_maker_alone() -> None:
    """Claude gets what Claude signed, byte for byte; no other model does, and no other maker's seal goes out."""
    mine = Reasoning(text="hm", seal=Seal("anthropic", "c2ln"))
    hidden = Reasoning(seal=Seal("anthropic", "ZGF0YQ=="), is_hidden=True)
    asked = chat()
    asked.turns += [assistant(mine, hidden, Reasoning(text="x", seal=Seal("gemini", "g")), "a"), user("b")]
    body, dropped = write(asked)
    assert body["messages"][1]["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
        {"reasoningContent": {"redactedContent": base64.b64encode(b"ZGF0YQ==").decode()}},
        {"text": "a"},
    ]
    assert dropped == ["reasoning", "seal"]
    body, dropped = write(asked, NOVA)
    assert (body["messages"][1]["content"], dropped) == ([{"text": "a"}], ["reasoning", "seal"])


@pytest.mark.parametrize(
    ("thinking", "model", "extra", "dropped"),
    [
        (Thinking(budget=2048), CLAUDE, {"thinking": {"type": "enabled", "budget_tokens": 2048}}, []),
        (Thinking(effort="none"), CLAUDE, None, []),
        (Thinking(effort="high"), GPT, {"reasoning_effort": "high"}, []),
        (Thinking(effort="none"), GPT, {"reasoning_effort": "low"}, ["thinking"]),
        (Thinking(budget=10_000), "us.amazon.nova-2-lite-v1:0",
         {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "medium"}}, ["thinking"]),
        (Thinking(budget=0), "us.amazon.nova-2-lite-v1:0", {"reasoningConfig": {"type": "disabled"}}, []),
        (Thinking(effort="medium"), "qwen.qwen3-32b-v1:0", {"reasoning_config": "high"}, []),
        (Thinking(effort="max"), "xai.grok-4-6", {"reasoning": {"effort": "xhigh"}}, []),
        (Thinking(effort="low"), LLAMA, None, ["thinking"]),
        (Thinking(effort="none"), LLAMA, None, []),
        (Thinking(effort="low"), "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc", None, ["thinking"]),
    ],
)  # fmt: skip
def test_thinking_is_asked_by_each_makers_field(
    thinking: Thinking, model: str, extra: object, dropped: list[str]
) -> None:
    """Claude by Anthropic's plan, the others by an effort they know."""
    body, left = write(chat(thinking=thinking, max_tokens=8_192), model)
    assert (body.get("additionalModelRequestFields"), left) == (extra, dropped)


def test_thinking_gives_way_to_what_it_cannot_go_with() -> None:
    """By budget it goes neither with a tool that must be called nor with a call that was not thought of."""
    asked = chat(thinking=Thinking(budget=2048), tools=[TOOL], tool_choice=ToolChoice(mode="required"))
    body, dropped = write(asked)
    assert ("additionalModelRequestFields" in body, dropped) == (False, ["thinking"])
    asked.tool_choice = None
    asked.turns += [assistant(ToolUse(id="t", name="f")), user(ToolResult(id="t", parts=[Text(text="r")]))]
    assert write(asked)[1] == ["thinking"]


def test_newer_claudes_think_by_effort() -> None:
    """Effort has a field of its own; an answer that was begun is left out."""
    asked = chat(thinking=Thinking(effort="xhigh"), temperature=0.2)
    asked.turns.append(assistant("so "))
    body, dropped = write(asked, "global.anthropic.claude-opus-4-7")
    assert body["additionalModelRequestFields"]["thinking"] == {"type": "adaptive"}
    assert body["outputConfig"] == {"effort": "xhigh"}
    assert dropped == ["prefill", "temperature"]
    body, dropped = write(chat(temperature=0.2), NOVA)
    assert dropped == []


def test_schemas_are_strings() -> None:
    """A schema goes to models that take one, closed as Anthropic wants it; JSON alone has no equivalent."""
    output = Output(kind="schema", name="n", schema=SCHEMA)
    body, dropped = write(chat(output=output))
    asked: dict[str, Any] = body["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
    assert (asked["name"], json.loads(asked["schema"])["additionalProperties"], dropped) == ("n", False, [])
    assert write(chat(output=output), NOVA)[1] == ["output"]
    assert write(chat(output=Output(kind="json")))[1] == ["output"]


def test_the_rest_is_carried_or_told() -> None:
    """Labels in the characters that fit, tiers by name; nothing is lost without a word."""
    asked = chat(
        metadata={"a": "b", "c": "ü"}, service_tier="flex", seed=1, n=2, user="u", logprobs=False, parallel_tools=False
    )
    body, dropped = write(asked)
    assert (body["requestMetadata"], body["serviceTier"]) == ({"a": "b"}, {"type": "flex"})
    assert sorted(dropped) == ["metadata", "n", "parallel_tools", "seed", "user"]


def test_what_is_carried_comes_back() -> None:
    """A chat in what Converse has, written for Claude and read as a server, is the same chat."""
    asked = chat(
        "look",
        Media(kind="image", mime="image/png", data=PNG),
        Media(kind="file", mime="text/plain", data="aGk=", name="n"),
        max_tokens=900,
        temperature=0.5,
        top_k=3,
        stop=["x"],
        tools=[Tool(name="f", description="d", schema=SCHEMA, cache="5m"), Tool(name="g", schema=SCHEMA)],
        tool_choice=ToolChoice(mode="required", names=["f"]),
        metadata={"a": "b"},
        service_tier="priority",
        output=Output(kind="schema", name="n", schema=Raw(b'{"type":"string"}')),
        include_usage=True,
    )
    asked.turns.insert(0, Turn(role="system", parts=[Text(text="s", cache="1h")]))
    asked.turns += [
        assistant(Reasoning(text="t", seal=Seal("anthropic", "c2ln")), "a", ToolUse(id="t", name="f", arguments="{}")),
        user(ToolResult(id="t", parts=[Text(text="r")], is_error=True, cache="5m"), "b"),
    ]
    assert read(write(asked)[0]) == asked


def test_novas_highest_effort_goes_alone() -> None:
    """Without a bound and sampling it is asked for as it is."""
    body, dropped = write(chat(thinking=Thinking(effort="max")), "us.amazon.nova-2-lite-v1:0")
    assert body["additionalModelRequestFields"]["reasoningConfig"] == {"type": "enabled", "maxReasoningEffort": "high"}
    assert dropped == []
