"""The fake as OpenAI's chat completions: tools, choices, refusals, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletion

from gateline.fake.script import Script
from gateline.fake.server import FakeProvider
from tests.fake.wires.stage import SCHEMA, play, post

TOOL: Any = {"type": "function", "function": {"name": "weather", "description": "d", "parameters": SCHEMA}}
HI: Any = [{"role": "user", "content": "hi"}]
CHAT = "/v1/chat/completions"


def client(fake: FakeProvider, key: str = "sk-any") -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(api_key=key, base_url=fake.url, max_retries=0)


def joined(body: bytes) -> list[dict[str, Any]]:
    """The message and the finish reason of each choice that a stream's chunks add up to."""
    choices: dict[int, dict[str, Any]] = {}
    for line in body.splitlines():
        if not line.startswith(b"data: {"):
            continue
        for choice in json.loads(line[6:])["choices"]:
            made = choices.setdefault(choice["index"], {"content": "", "refusal": "", "reasoning": "", "calls": []})
            delta = choice["delta"]
            made["content"] += delta.get("content") or ""
            made["refusal"] += delta.get("refusal") or ""
            made["reasoning"] += delta.get("reasoning_content") or ""
            made["annotations"] = delta.get("annotations", [])
            for call in delta.get("tool_calls", []):
                if "id" in call:
                    made["calls"].append([call["id"], call["function"]["name"], ""])
                made["calls"][call["index"]][2] += call["function"]["arguments"]
            made["finish"] = choice["finish_reason"]
    return list(choices.values())


def plain(choice: dict[str, Any]) -> dict[str, Any]:
    message = choice["message"]
    calls = message.get("tool_calls") or []
    return {
        "content": message["content"] or "",
        "refusal": message["refusal"] or "",
        "reasoning": message.get("reasoning_content", ""),
        "annotations": message["annotations"],
        "calls": [[call["id"], call["function"]["name"], call["function"]["arguments"]] for call in calls],
        "finish": choice["finish_reason"],
    }


@pytest.mark.parametrize(
    "cue",
    [
        "tools=1",
        "tools=2,arguments=none",
        "tools=2,arguments=one",
        "tools=2,arguments=done",
        "tools,tokens=3",
        "reasoning_text,tools=2",
        "refusal",
        "citations",
        "json",
        "finish=length",
        "split",
    ],
)
def test_a_stream_adds_up_to_the_whole_completion(cue: str) -> None:
    """However the arguments are cut, and for each of several choices."""

    async def story(fake: FakeProvider) -> None:
        asked = {"model": f"m@{cue}", "messages": HI, "tools": [TOOL], "n": 2}
        _, _, body = await post(fake, CHAT, asked)
        whole = json.loads(body)
        ChatCompletion.model_validate(whole, strict=True)
        _, _, stream = await post(fake, CHAT, {**asked, "stream": True})
        assert joined(stream) == [plain(choice) for choice in whole["choices"]]

    play(story)


def test_arguments_are_cut_as_the_cue_says() -> None:
    """With the name, in pieces, in the last chunk, or not at all."""

    async def story(fake: FakeProvider) -> None:
        for cue, wanted in (("one", [1]), ("pieces", [0, 1, 1, 1, 1]), ("done", [0, 1]), ("none", [0])):
            asked = {"model": f"m@tools,arguments={cue}", "messages": HI, "tools": [TOOL], "stream": True}
            _, _, stream = await post(fake, CHAT, asked)
            deltas = [
                (call["function"]["arguments"], choice["finish_reason"])
                for line in stream.splitlines()
                if line.startswith(b"data: {")
                for choice in json.loads(line[6:])["choices"]
                for call in choice["delta"].get("tool_calls", [])
            ]
            assert [int(bool(piece)) for piece, _ in deltas][: len(wanted)] == wanted
            assert (deltas[-1][1] == "tool_calls") is (cue == "done")

    play(story)


def test_two_turns_with_tools_choices_and_logprobs() -> None:
    """The call is answered, the answer is text; a forced choice calls; logprobs come when asked for."""

    async def story(fake: FakeProvider) -> None:
        async with client(fake) as api:
            asked: Any = {"model": "m@tools=2", "tools": [TOOL]}
            first = await api.chat.completions.create(**asked, messages=HI)
            message: Any = first.choices[0].message
            results = [{"role": "tool", "tool_call_id": call.id, "content": "x"} for call in message.tool_calls]
            assert set(json.loads(message.tool_calls[0].function.arguments)) == {"city", "days"}
            turns: Any = [*HI, message, *results]
            assert (await api.chat.completions.create(**asked, messages=turns)).choices[0].message.content
            forced = await api.chat.completions.create(model="m", tools=[TOOL], messages=HI, tool_choice="required")
            assert forced.choices[0].finish_reason == "tool_calls"
            never = await api.chat.completions.create(**asked, messages=HI, tool_choice="none")
            assert never.choices[0].finish_reason == "stop"
            likely = await api.chat.completions.create(model="m", messages=HI, logprobs=True, max_tokens=3)
            assert likely.choices[0].logprobs is not None
            assert len(likely.choices[0].logprobs.content or []) == 3

    play(story)


def test_a_schemas_answer_fits_it() -> None:
    """Structured outputs parse with the client's own helper."""

    async def story(fake: FakeProvider) -> None:
        schema = {**SCHEMA, "additionalProperties": False}
        asked: Any = {"type": "json_schema", "json_schema": {"name": "w", "schema": schema, "strict": True}}
        async with client(fake) as api:
            made = await api.chat.completions.create(model="m", messages=HI, response_format=asked)
            assert set(json.loads(made.choices[0].message.content or "")) == {"city", "days"}

    play(story)


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"top_k": 3}, None),
        ({"messages": [{"role": "user", "content": "a", "thinking_blocks": []}]}, "messages[0].thinking_blocks"),
        ({"messages": "hi"}, "messages"),
        ({"messages": [{"role": "model", "content": "a"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": None}]}, "messages.[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "messages.[0].content[0].type"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "AAAA"}}]}]},
            "messages.[0].content[0].image_url.url",
        ),
        ({"messages": [{"role": "tool", "tool_call_id": "a", "content": "b"}]}, "messages.[0].role"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"id": "a"}]}, *HI]}, "messages.[1].role"),
        ({"temperature": 3}, "temperature"),
        ({"stop": ["a"] * 5}, "stop"),
        ({"tool_choice": "auto"}, "tool_choice"),
        ({"tools": [{"name": "a", "input_schema": {}}]}, "tools[0].function"),
        ({"tools": [{"type": "function", "function": {"name": "a.b"}}]}, "tools[0].function.name"),
        ({"response_format": {"type": "json_object"}}, "messages"),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, "response_format.json_schema.name"),
        ({"model": "gpt-5", "max_tokens": 5}, "max_tokens"),
        ({"model": "o3", "temperature": 0.5}, "temperature"),
    ],
)
def test_what_openai_refuses_is_refused(change: dict[str, Any], param: str | None) -> None:
    """400 with OpenAI's error object and the parameter's name."""

    async def story(fake: FakeProvider) -> None:
        status, _, body = await post(fake, CHAT, {"model": "gpt-4o", "messages": HI, **change})
        error = json.loads(body)["error"]
        assert (status, error["type"], error["param"]) == (400, "invalid_request_error", param)

    play(story, Script(strict=True))


def test_unknown_arguments_pass_unless_the_script_is_strict() -> None:
    """Other vendors add to this format; a strict script refuses them under OpenAI's names only."""

    async def story(fake: FakeProvider) -> None:
        asked = {"model": "gpt-4o", "messages": HI, "top_k": 3}
        assert (await post(fake, CHAT, asked))[0] == 200
        fake.follow(Script(strict=True))
        status, _, body = await post(fake, CHAT, asked)
        assert (status, b"Unrecognized request argument supplied: top_k" in body) == (400, True)
        assert (await post(fake, CHAT, {**asked, "model": "deepseek-chat"}))[0] == 200

    play(story)


def test_azure_has_the_model_in_the_path_and_a_header_of_its_own() -> None:
    """The deployment is the model, the version is required, the key is api-key or a bearer token."""

    async def story(fake: FakeProvider) -> None:
        async with openai.AsyncAzureOpenAI(
            api_key="right", azure_endpoint=fake.origin, api_version="2024-10-21", max_retries=0
        ) as api:
            made = await api.chat.completions.create(model="my-gpt@tools", messages=HI, tools=[TOOL])
            assert (made.model, made.choices[0].finish_reason) == ("my-gpt", "tool_calls")
            assert (await api.embeddings.create(model="e", input="a")).data
        path = "/openai/deployments/d/chat/completions"
        assert (await post(fake, path, {"messages": HI}, api_key="right"))[0] == 400
        assert (await post(fake, f"{path}?api-version=1", {"messages": HI}, api_key="wrong"))[0] == 401
        assert (await post(fake, f"{path}?api-version=1", {"messages": HI}, authorization="Bearer right"))[0] == 200

    play(story, Script(api_key="right"))
