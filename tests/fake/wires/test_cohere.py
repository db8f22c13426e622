"""The fake as Cohere (and Jina, whose ranks share a path): what the official client gets, and what is refused."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import cohere
import httpx
import pytest
from cohere.core.api_error import ApiError

from gateline.fake.script import Script
from gateline.fake.server import FakeProvider
from tests.fake.wires.stage import SCHEMA, billed_twice, play, post

TOOL: Any = {"type": "function", "function": {"name": "weather", "description": "d", "parameters": SCHEMA}}
HI: Any = [{"role": "user", "content": "hi"}]


@asynccontextmanager
async def client(fake: FakeProvider, key: str = "any") -> AsyncIterator[cohere.AsyncClientV2]:
    async with httpx.AsyncClient(trust_env=False) as transport:
        yield cohere.AsyncClientV2(key, base_url=fake.origin, httpx_client=transport)


def joined(events: list[Any]) -> dict[str, Any]:
    """The message that the events of a stream make."""
    made: dict[str, Any] = {"content": {}, "calls": [], "plan": "", "citations": []}
    for event in events:
        message: Any = getattr(getattr(event, "delta", None), "message", None)
        if event.type == "content-start":
            made["content"][event.index] = [message.content.type, ""]
        elif event.type == "content-delta":
            made["content"][event.index][1] += message.content.text or message.content.thinking or ""
        elif event.type == "tool-plan-delta":
            made["plan"] += message.tool_plan
        elif event.type == "tool-call-start":
            call = message.tool_calls
            made["calls"].append([call.id, call.function.name, call.function.arguments])
        elif event.type == "tool-call-delta":
            made["calls"][event.index][2] += message.tool_calls.function.arguments
        elif event.type == "citation-start":
            made["citations"].append(message.citations)
        elif event.type == "message-end":
            made["finish"], made["usage"] = event.delta.finish_reason, event.delta.usage
    return {**made, "content": list(made["content"].values())}


def plain(whole: Any) -> dict[str, Any]:
    message = whole.message
    return {
        "content": [[part.type, getattr(part, part.type)] for part in message.content or []],
        "calls": [
            [call.id, call.function.name, "" if call.function.arguments == "null" else call.function.arguments]
            for call in message.tool_calls or []
        ],
        "plan": message.tool_plan or "",
        "citations": message.citations or [],
        "finish": whole.finish_reason,
        "usage": whole.usage,
    }


@pytest.mark.parametrize(
    "cue",
    [
        "tokens=8",
        "tools=1",
        "tools=2,arguments=none",
        "tools=2,arguments=one",
        "tools,tokens=3",
        "reasoning_text",
        "reasoning_text,tools=2",
        "citations",
        "json",
        "finish=length",
        "split",
        "cached=1,reasoning=4",
    ],
)
def test_a_stream_adds_up_to_the_whole_answer(cue: str) -> None:
    """Content, plan, calls, citations, finish reason and usage are the same either way."""

    async def story(fake: FakeProvider) -> None:
        async with client(fake) as api:
            asked: Any = {"model": f"command-x@{cue}", "messages": HI, "tools": [TOOL]}
            whole = await api.chat(**asked)
            events = [event async for event in api.chat_stream(**asked)]
        assert joined(events) == plain(whole)
        billed = billed_twice(fake)
        assert whole.usage is not None
        assert whole.usage.billed_units is not None
        assert billed.output == whole.usage.billed_units.output_tokens

    play(story)


def test_two_turns_with_tools_and_choices() -> None:
    """A call's result is answered with text; REQUIRED calls, NONE does not; a schema is met; thinking comes."""

    async def story(fake: FakeProvider) -> None:
        async with client(fake) as api:
            first = await api.chat(model="m@tools=2", messages=HI, tools=[TOOL])
            calls = first.message.tool_calls or []
            results = [{"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in calls]
            said = {"role": "assistant", "tool_calls": [call.dict() for call in calls]}
            turns: Any = [*HI, said, *results]
            second = await api.chat(model="m@tools=2", messages=turns, tools=[TOOL])
            assert second.finish_reason == "COMPLETE"
            forced = await api.chat(model="m", messages=HI, tools=[TOOL], tool_choice="REQUIRED")
            assert forced.finish_reason == "TOOL_CALL"
            never = await api.chat(model="m@tools", messages=HI, tools=[TOOL], tool_choice="NONE")
            assert never.finish_reason == "COMPLETE"
            wanted: Any = {"type": "json_object", "json_schema": SCHEMA}
            made: Any = await api.chat(model="m", messages=HI, response_format=wanted)
            assert set(json.loads(made.message.content[0].text)) == {"city", "days"}
            thought: Any = await api.chat(model="m", messages=HI, thinking={"type": "enabled"})  # type: ignore[arg-type]
            assert [part.type for part in thought.message.content] == ["thinking", "text"]

    play(story)


def test_embeddings_and_ranks() -> None:
    """Vectors in the forms asked for; ranks by shared words; Jina's shape under its names."""

    async def story(fake: FakeProvider) -> None:
        async with client(fake) as api:
            made: Any = await api.embed(
                model="e", texts=["a", "b"], input_type="search_query", embedding_types=["float"], output_dimension=8
            )
            assert [len(vector) for vector in made.embeddings.float_] == [8, 8]
            ranked = await api.rerank(model="rerank-x", query="red fox", documents=["a cow", "the red fox"], top_n=1)
            assert [result.index for result in ranked.results] == [1]
        asked = {"model": "jina-x", "query": "red fox", "documents": ["a cow", {"text": "the red fox"}]}
        _, _, body = await post(fake, "/v1/rerank", asked)
        jinas = json.loads(body)
        assert [result["document"]["text"] for result in jinas["results"]] == ["the red fox", "a cow"]
        assert jinas["usage"]["total_tokens"] > 0

    play(story)


def test_failures_are_the_clients_own_exceptions() -> None:
    """A status, streaming or not, a wrong key, and a stream that ends in an error."""

    async def story(fake: FakeProvider) -> None:
        async with client(fake, "right") as api:
            with pytest.raises(cohere.TooManyRequestsError):
                await api.chat(model="m@status=429", messages=HI, request_options={"max_retries": 0})
            with pytest.raises(ApiError) as broken:
                [event async for event in api.chat_stream(model="m@status=500", messages=HI)]
            assert broken.value.status_code == 500
            events: list[Any] = [event async for event in api.chat_stream(model="m@error_event,after=3", messages=HI)]
            assert events[-1].delta.finish_reason == "ERROR"
        async with client(fake, "wrong") as api:
            with pytest.raises(cohere.UnauthorizedError, match="invalid api token"):
                await api.chat(model="m", messages=HI)

    play(story, Script(api_key="right"))


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"top_p": 1}, 422, "parameter 'top_p' is not a valid field"),
        ({"messages": []}, 400, "messages must not be empty"),
        ({"messages": [{"role": "model", "content": "a"}]}, 400, "invalid role 'model'"),
        ({"messages": [{"role": "tool", "tool_call_id": "x", "content": "a"}]}, 400, "cannot find tool call id x"),
        ({"tool_choice": "auto"}, 400, "tool_choice must be one of REQUIRED, NONE"),
        ({"tools": [{"name": "a"}]}, 400, "a tool must have type 'function'"),
        ({"messages": [{"role": "user", "content": [{"type": "input_text"}]}]}, 400, "invalid content type"),
    ],
)
def test_what_cohere_refuses_is_refused(change: dict[str, Any], status: int, message: str) -> None:
    """With one sentence, and an id."""

    async def story(fake: FakeProvider) -> None:
        got, _, body = await post(fake, "/v2/chat", {"model": "m", "messages": HI, **change})
        assert got == status
        assert message in json.loads(body)["message"]

    play(story)
