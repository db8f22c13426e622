"""The fake as OpenAI's Responses: what the official client gets from it, and what it refuses."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from gateline.fake.script import Script
from gateline.fake.server import FakeProvider
from tests.fake.wires.stage import SCHEMA, billed_twice, play, post

TOOL: Any = {"type": "function", "name": "weather", "description": "d", "parameters": SCHEMA, "strict": False}
SEALED: Any = ["reasoning.encrypted_content"]
EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


def client(fake: FakeProvider, key: str = "sk-any") -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(api_key=key, base_url=fake.url, max_retries=0)


@pytest.mark.parametrize(
    "cue",
    [
        "tokens=8",
        "tools=1",
        "tools=2,arguments=none",
        "tools=2,arguments=done",
        "tools,tokens=3",
        "reasoning_text",
        "reasoning_text=hidden",
        "reasoning_text,tools=2",
        "refusal",
        "citations",
        "json",
        "logprobs",
        "finish=length",
        "split",
        "cached=1,cache_write=2,reasoning=4",
    ],
)
def test_a_stream_ends_with_the_whole_response(cue: str) -> None:
    """The last event has what the whole answer is; the items before it are the same; every event is as OpenAI's types
    say, and numbered without a gap."""

    async def story(fake: FakeProvider) -> None:
        asked = {"model": f"m@{cue}", "input": "hi", "tools": [TOOL], "include": SEALED}
        _, _, body = await post(fake, "/v1/responses", asked)
        whole = json.loads(body)
        Response.model_validate(whole, strict=True)
        _, _, stream = await post(fake, "/v1/responses", {**asked, "stream": True})
        events = [json.loads(line[6:]) for line in stream.splitlines() if line.startswith(b"data: ")]
        names = [line[7:].decode() for line in stream.splitlines() if line.startswith(b"event: ")]
        for event in events:
            EVENTS.validate_python(event)
        assert names == [event["type"] for event in events]
        assert [event["sequence_number"] for event in events] == list(range(len(events)))
        assert events[-1]["response"] == whole
        assert [event["item"] for event in events if event["type"].endswith("item.done")] == whole["output"]
        texts: dict[str, str] = {}
        for event in events:
            if event["type"].endswith(".delta"):
                texts[event["item_id"]] = texts.get(event["item_id"], "") + event["delta"]
        assert texts == {item["id"]: said(item) for item in whole["output"] if said(item)} or "arguments" in cue
        billed = billed_twice(fake)
        assert billed.output == whole["usage"]["output_tokens"]

    play(story)


def said(item: dict[str, Any]) -> str:
    parts: list[Any] = item.get("content") or item.get("summary") or [{}]
    return str(item.get("arguments") or parts[0].get("text") or parts[0].get("refusal") or "")


def test_the_official_clients_accumulator_agrees() -> None:
    """Its stream helper ends with the response that its create returns."""

    async def story(fake: FakeProvider) -> None:
        async with client(fake) as api:
            asked: Any = {"model": "m@tools=2,tokens=3,reasoning_text", "input": "hi", "tools": [TOOL]}
            whole = await api.responses.create(**asked)
            async with api.responses.stream(**asked) as stream:
                final = await stream.get_final_response()
            assert final.output_text == whole.output_text != ""
            assert [item.type for item in final.output] == ["reasoning", "message", "function_call", "function_call"]

    play(story)


def test_reasoning_comes_back_byte_for_byte_or_is_refused() -> None:
    """An encrypted block is the fake's own, goes with its item's id, and is not left out."""

    async def story(fake: FakeProvider) -> None:
        async with client(fake) as api:
            asked: Any = {"model": "m@tools=2,reasoning_text", "tools": [TOOL], "include": SEALED, "store": False}
            hi: Any = {"role": "user", "content": "hi"}
            first = await api.responses.create(**asked, input=[hi])
            output: list[Any] = [item.to_dict() for item in first.output]
            results: list[Any] = [
                {"type": "function_call_output", "call_id": item["call_id"], "output": "sunny"}
                for item in output
                if item["type"] == "function_call"
            ]
            second = await api.responses.create(**asked, input=[hi, *output, *results])
            assert second.output_text
            sealed = output[0]["encrypted_content"]
            for wrong in (sealed[:-1], sealed[:40], "EqoB" + sealed[4:], sealed[:20] + "x" + sealed[21:]):
                bad = [{**output[0], "encrypted_content": wrong}, *output[1:]]
                with pytest.raises(openai.BadRequestError) as refused:
                    await api.responses.create(**asked, input=[hi, *bad, *results])
                assert refused.value.code == "invalid_encrypted_content"
            moved = [{**output[0], "id": "rs_000000000000000000000000"}, *output[1:]]
            with pytest.raises(openai.BadRequestError, match="item_id did not match"):
                await api.responses.create(**asked, input=[hi, *moved, *results])
            with pytest.raises(openai.BadRequestError, match="without its required 'reasoning' item"):
                await api.responses.create(**asked, input=[hi, *output[1:], *results])
            lost = [{name: value for name, value in output[0].items() if name != "encrypted_content"}, *output[1:]]
            with pytest.raises(openai.NotFoundError, match="not persisted"):
                await api.responses.create(**asked, input=[hi, *lost, *results])
            with pytest.raises(openai.BadRequestError, match="without its required following item"):
                await api.responses.create(**asked, input=[hi, output[0]])

    play(story)


def test_encrypted_blocks_come_only_when_asked_for() -> None:
    """Without the include, reasoning has no block; effort or summary bring it without a cue."""

    async def story(fake: FakeProvider) -> None:
        async with client(fake) as api:
            made = await api.responses.create(model="m", input="hi", reasoning={"effort": "low"})
            assert [item.type for item in made.output] == ["reasoning", "message"]
            assert getattr(made.output[0], "encrypted_content") is None  # noqa: B009  a union's member

    play(story)


def test_what_was_made_can_be_had_again_and_continued() -> None:
    """GET, input items, previous_response_id, DELETE; nothing of it where store is false."""

    async def story(fake: FakeProvider) -> None:
        async with client(fake) as api:
            first = await api.responses.create(model="m", input="hi", store=True)
            assert (await api.responses.retrieve(first.id)).to_dict() == first.to_dict()
            items = [item async for item in api.responses.input_items.list(first.id)]
            assert [item.type for item in items] == ["message"]
            second = await api.responses.create(model="m", input="and?", previous_response_id=first.id)
            assert second.previous_response_id == first.id
            assert second.output_text != first.output_text
            with pytest.raises(openai.BadRequestError, match="Cannot cancel a synchronous response"):
                await api.responses.cancel(first.id)
            await api.responses.delete(first.id)
            with pytest.raises(openai.NotFoundError, match=f"Response with id '{first.id}' not found"):
                await api.responses.retrieve(first.id)
            with pytest.raises(openai.BadRequestError) as unknown:
                await api.responses.create(model="m", input="and?", previous_response_id=first.id)
            assert unknown.value.code == "previous_response_not_found"
            unkept = await api.responses.create(model="m", input="other", store=False)
            with pytest.raises(openai.NotFoundError):
                await api.responses.retrieve(unkept.id)

    play(story)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"messages": []}, "unknown_parameter"),
        ({"input": None}, "missing_required_parameter"),
        ({"input": [{"role": "tool", "content": "a"}]}, "invalid_value"),
        ({"input": [{"role": "user", "content": "a", "name": "b"}]}, "unknown_parameter"),
        ({"input": [{"role": "user", "content": [{"type": "text", "text": "a"}]}]}, "invalid_value"),
        ({"input": [{"role": "assistant", "content": [{"type": "input_text", "text": "a"}]}]}, "invalid_value"),
        ({"input": [{"type": "function_call_output", "call_id": "c", "output": "x"}]}, None),
        ({"input": [{"type": "function_call", "call_id": "c", "name": "x", "arguments": "{}"}]}, None),
        ({"reasoning": {"budget_tokens": 5}}, "unknown_parameter"),
        ({"tools": [{**TOOL, "input_schema": {}}]}, "unknown_parameter"),
        ({"max_output_tokens": 5}, "integer_below_min_value"),
        ({"model": "gpt-5", "temperature": 0.5}, None),
        ({"tools": [{"type": "function", "function": {"name": "a"}}]}, "missing_required_parameter"),
        ({"tools": [{**TOOL, "strict": True}]}, "invalid_json_schema"),
        ({"text": {"format": {"type": "json_schema", "schema": SCHEMA}}}, "missing_required_parameter"),
    ],
)
def test_what_openai_refuses_is_refused(change: dict[str, Any], code: str | None) -> None:
    """400 with OpenAI's error object and its code."""

    async def story(fake: FakeProvider) -> None:
        sent = {"model": "m", "input": "hi", **change}
        status, _, body = await post(fake, "/v1/responses", {k: v for k, v in sent.items() if v is not None})
        error = json.loads(body)["error"]
        assert (status, error["type"], error["code"]) == (400, "invalid_request_error", code)

    play(story)


def test_failures_are_the_clients_own_exceptions() -> None:
    """A wrong key, a status, and an error inside of a stream, behind which comes response.failed."""

    async def story(fake: FakeProvider) -> None:
        async with client(fake, "sk-right") as api:
            with pytest.raises(openai.RateLimitError):
                await api.responses.create(model="m@status=429", input="hi")
            stream = await api.responses.create(model="m@error_event,after=5", input="hi", stream=True)
            with pytest.raises(openai.APIError, match="told to fail"):
                async for _ in stream:
                    pass
        async with client(fake, "sk-wrong") as api:
            with pytest.raises(openai.AuthenticationError):
                await api.responses.create(model="m", input="hi")
        asked = {"model": "m@error_event,after=5", "input": "hi", "stream": True}
        _, _, body = await post(fake, "/v1/responses", asked, authorization="Bearer sk-right")
        events = [json.loads(line[6:]) for line in body.splitlines() if line.startswith(b"data: ")]
        assert [event["type"] for event in events[-2:]] == ["error", "response.failed"]
        assert [event["sequence_number"] for event in events] == list(range(7))
        assert events[-1]["response"]["status"] == "failed"

    play(story, Script(api_key="sk-right"))
