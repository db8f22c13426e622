"""The fake as Ollama: what the official client gets from it, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import ollama
import pytest

from gateline.fake.script import Script
from gateline.fake.server import FakeProvider
from tests.fake.wires.stage import SCHEMA, billed_twice, play, post

TOOL: Any = {"type": "function", "function": {"name": "weather", "description": "d", "parameters": SCHEMA}}
HI: Any = [{"role": "user", "content": "hi"}]


@asynccontextmanager
async def client(fake: FakeProvider, **headers: str) -> AsyncIterator[ollama.AsyncClient]:
    api = ollama.AsyncClient(host=fake.origin, headers=headers, trust_env=False)
    try:
        yield api
    finally:
        await api._client.aclose()


@pytest.mark.parametrize(
    "cue",
    [
        "tokens=8",
        "tools=1",
        "tools=2,arguments=none",
        "tools,tokens=3",
        "reasoning_text,tools=2",
        "refusal",
        "json",
        "logprobs",
        "finish=length",
        "split",
        "cached=1,reasoning=4",
    ],
)
def test_the_lines_of_a_stream_add_up_to_the_whole_answer(cue: str) -> None:
    """Text, thinking, calls, the reason and the counts are the same either way."""

    async def story(fake: FakeProvider) -> None:
        async with client(fake) as api:
            asked: Any = {"model": f"llama@{cue}", "messages": HI, "tools": [TOOL]}
            whole = await api.chat(**asked, stream=False)
            lines = [line async for line in await api.chat(**asked, stream=True)]
        assert "".join(line.message.content or "" for line in lines) == whole.message.content
        assert "".join(line.message.thinking or "" for line in lines) == (whole.message.thinking or "")
        calls = [call for line in lines for call in line.message.tool_calls or []]
        assert calls == list(whole.message.tool_calls or [])
        last = lines[-1]
        assert (last.done, last.done_reason) == (True, whole.done_reason)
        assert (last.eval_count, last.prompt_eval_count) == (whole.eval_count, whole.prompt_eval_count)
        assert not any(line.done for line in lines[:-1])
        billed = billed_twice(fake)
        assert (billed.input, billed.output) == (whole.prompt_eval_count, whole.eval_count)
        assert (billed.cached, billed.reasoning) == (0, 0)  # there is no field that could say so

    play(story)


def test_streams_are_the_default_and_come_as_lines() -> None:
    """Without `stream` there is one; each line is an object; chat and generate alike."""

    async def story(fake: FakeProvider) -> None:
        for path, rest in (("/api/chat", {"messages": HI}), ("/api/generate", {"prompt": "hi"})):
            _, headers, body = await post(fake, path, {"model": "m", **rest})
            assert headers["content-type"] == "application/x-ndjson"
            lines = [json.loads(line) for line in body.splitlines()]
            assert [line["done"] for line in lines] == [False] * 16 + [True]
            _, _, short = await post(fake, path, {"model": "m@no_done", **rest})
            assert len(short.splitlines()) == 16
            _, _, broken = await post(fake, path, {"model": "m@error_event,after=2", **rest})
            assert json.loads(broken.splitlines()[-1]) == {"error": "The fake provider was told to fail here."}

    play(story)


def test_two_turns_with_tools_thinking_limits_and_formats() -> None:
    """A tool's result is answered with text; think, num_predict and format are heeded."""

    async def story(fake: FakeProvider) -> None:
        async with client(fake) as api:
            first = await api.chat(model="m@tools", messages=HI, tools=[TOOL])
            (call,) = first.message.tool_calls or []
            assert set(call.function.arguments) == {"city", "days"}
            turns: Any = [*HI, first.message, {"role": "tool", "tool_name": "weather", "content": "sunny"}]
            assert (await api.chat(model="m@tools", messages=turns, tools=[TOOL])).message.content
            assert (await api.chat(model="m", messages=HI, think=True)).message.thinking
            short = await api.chat(model="m", messages=HI, options={"num_predict": 3})
            assert (short.done_reason, short.eval_count) == ("length", 3)
            made = await api.chat(model="m", messages=HI, format=SCHEMA)
            assert set(json.loads(made.message.content or "")) == {"city", "days"}
            text = await api.generate(model="m", prompt="hi")
            parts = [part.response async for part in await api.generate(model="m", prompt="hi", stream=True)]
            assert "".join(part or "" for part in parts) == text.response

    play(story)


def test_embeddings_and_the_list_of_models() -> None:
    """One vector for each input; the script's models by name."""

    async def story(fake: FakeProvider) -> None:
        async with client(fake) as api:
            made = await api.embed(model="one", input=["a", "b"], dimensions=8)
            assert [len(vector) for vector in made.embeddings] == [8, 8]
            assert [model.model for model in (await api.list()).models] == ["one", "two"]
            with pytest.raises(ollama.ResponseError, match="model 'three' not found") as missing:
                await api.chat(model="three", messages=HI)
            assert missing.value.status_code == 404

    play(story, Script(models=["one", "two"]))


def test_failures_are_the_clients_own_exceptions() -> None:
    """A status, streaming or not, an error among the lines, a wrong key."""

    async def story(fake: FakeProvider) -> None:
        async with client(fake, authorization="Bearer right") as api:
            with pytest.raises(ollama.ResponseError) as busy:
                await api.chat(model="m@status=503", messages=HI)
            assert busy.value.status_code == 503
            with pytest.raises(ollama.ResponseError, match="told to answer 429"):
                [line async for line in await api.chat(model="m@status=429", messages=HI, stream=True)]
            with pytest.raises(ollama.ResponseError, match="told to fail"):
                [line async for line in await api.chat(model="m@error_event,after=2", messages=HI, stream=True)]
        async with client(fake) as api:
            with pytest.raises(ollama.ResponseError, match="unauthorized"):
                await api.chat(model="m", messages=HI)

    play(story, Script(api_key="right"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": ""}, "model is required"),
        ({"messages": [{"role": "developer", "content": "a"}]}, "invalid role"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}]}, "cannot unmarshal array"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "a", "arguments": "{}"}}]}]},
            "cannot unmarshal string",
        ),
        ({"format": "yaml"}, "invalid format"),
    ],
)
def test_what_ollama_refuses_is_refused(change: dict[str, Any], message: str) -> None:
    """400 and one sentence."""

    async def story(fake: FakeProvider) -> None:
        status, _, body = await post(fake, "/api/chat", {"model": "m", "messages": HI, **change})
        assert status == 400
        assert message in json.loads(body)["error"]

    play(story)
