"""The fake as Anthropic: what the official client gets from it, and what it refuses."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import pytest

from gateline.fake.script import Script
from gateline.fake.server import FakeProvider
from tests.fake.wires.stage import SCHEMA, billed_twice, play, post

TOOL: Any = {"name": "weather", "description": "d", "input_schema": SCHEMA}
HI: Any = [{"role": "user", "content": "hi"}]
VERSION = {"anthropic_version": "2023-06-01"}


def client(fake: FakeProvider, key: str = "sk-any") -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(api_key=key, base_url=fake.origin, max_retries=0)


@pytest.mark.parametrize(
    "cue",
    [
        "tokens=8",
        "tools=1",
        "tools=2,arguments=none",
        "tools=1,arguments=one",
        "tools,tokens=3",
        "tools,arguments=done",
        "reasoning_text",
        "reasoning_text=hidden",
        "reasoning_text,tools=2",
        "refusal",
        "citations",
        "json",
        "finish=length",
        "split",
        "cached=1,cache_write=2,reasoning=4",
    ],
)
def test_a_stream_assembles_to_the_whole_message(cue: str) -> None:
    """The client's own accumulator makes of the events what the whole answer is, usage included."""

    async def story(fake: FakeProvider) -> None:
        async with client(fake) as api:
            asked: Any = {"model": f"claude-x@{cue}", "max_tokens": 64, "messages": HI, "tools": [TOOL]}
            whole = await api.messages.create(**asked)
            async with api.messages.stream(**asked) as stream:
                streamed = await stream.get_final_message()
        told: Any = whole.to_dict()
        grown: Any = streamed.to_dict()
        for message in (told, grown):
            message.pop("parsed_output", None)
            for block in message["content"]:
                block.pop("parsed_output", None)
        usage: Any = grown.pop("usage")
        assert {**told.pop("usage"), **usage} == {**usage, **whole.to_dict()["usage"]}
        assert grown == told
        billed = billed_twice(fake)
        assert billed.output == whole.usage.output_tokens
        assert billed.input == (
            whole.usage.input_tokens
            + (whole.usage.cache_read_input_tokens or 0)
            + (whole.usage.cache_creation_input_tokens or 0)
        )

    play(story)


def test_each_scene_has_its_stop_reason() -> None:
    """Text, length, tools, refusal: in Anthropic's words."""

    async def story(fake: FakeProvider) -> None:
        async with client(fake) as api:
            reasons = []
            for cue in ("tokens=2", "finish=length", "tools=1", "refusal"):
                made = await api.messages.create(model=f"c@{cue}", max_tokens=64, messages=HI, tools=[TOOL])
                reasons.append(made.stop_reason)
            assert reasons == ["end_turn", "max_tokens", "tool_use", "refusal"]
            counted = await api.messages.count_tokens(model="c", messages=HI)
            made = await api.messages.create(model="c", max_tokens=64, messages=HI)
            assert counted.input_tokens == made.usage.input_tokens

    play(story)


def two_turns(content: list[Any], result: str = "sunny") -> list[Any]:
    uses = [block for block in content if block["type"] == "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": use["id"], "content": result} for use in uses]
    return [*HI, {"role": "assistant", "content": content}, {"role": "user", "content": results}]


@pytest.mark.parametrize("kind", ["shown", "hidden"])
def test_reasoning_comes_back_byte_for_byte_or_is_refused(kind: str) -> None:
    """A turn with tools brings its thinking back; one bit changed, left out or another vendor's, and it is 400."""

    async def story(fake: FakeProvider) -> None:
        async with client(fake) as api:
            thinking: Any = {"type": "enabled", "budget_tokens": 1024}
            asked: Any = {"model": f"claude-x@tools=2,reasoning_text={kind}", "max_tokens": 4096, "tools": [TOOL]}
            first = await api.messages.create(**asked, messages=HI, thinking=thinking)
            content = [block.to_dict() for block in first.content]
            second = await api.messages.create(**asked, messages=two_turns(content), thinking=thinking)
            assert [block.type for block in second.content][-1] == "text"
            field, words = ("signature", "signature") if kind == "shown" else ("data", "data")
            seal = content[0][field]
            for wrong in (seal[:-1], seal[:9] + "x" + seal[10:], "CpcB" + seal[4:], ""):
                bad = [{**content[0], field: wrong}, *content[1:]]
                with pytest.raises(anthropic.BadRequestError, match=f"messages.1.content.0: Invalid `{words}`"):
                    await api.messages.create(**asked, messages=two_turns(bad), thinking=thinking)
            with pytest.raises(anthropic.BadRequestError, match="Expected `thinking` or `redacted_thinking`"):
                await api.messages.create(**asked, messages=two_turns(content[1:]), thinking=thinking)
            await api.messages.create(**asked, messages=two_turns(content[1:]))  # not enabled: not needed
            if kind == "shown":
                bad = [{**content[0], "thinking": "another thought"}, *content[1:]]
                with pytest.raises(anthropic.BadRequestError, match="Invalid `signature`"):
                    await api.messages.create(**asked, messages=two_turns(bad), thinking=thinking)

    play(story)


def test_thinking_can_come_without_its_text() -> None:
    """With `display: omitted` the block has its signature alone, and comes back so."""

    async def story(fake: FakeProvider) -> None:
        async with client(fake) as api:
            thinking: Any = {"type": "enabled", "budget_tokens": 1024, "display": "omitted"}
            asked: Any = {"model": "claude-x@tools", "max_tokens": 4096, "tools": [TOOL], "thinking": thinking}
            async with api.messages.stream(**asked, messages=HI) as stream:
                first = await stream.get_final_message()
            content: list[Any] = [block.to_dict() for block in first.content]
            content = [
                {k: v for k, v in block.items() if k in {"type", "thinking", "signature", "id", "name", "input"}}
                for block in content
            ]
            assert (content[0]["type"], content[0]["thinking"]) == ("thinking", "")
            second = await api.messages.create(**asked, messages=two_turns(content))
            assert second.stop_reason == "end_turn"

    play(story)


CALL = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_tokens": None}, "max_tokens: Field required"),
        ({"top_logprobs": 1}, "top_logprobs: Extra inputs are not permitted"),
        ({"metadata": {"fake": "x"}}, "metadata.fake: Extra inputs are not permitted"),
        ({"messages": [{"role": "system", "content": "s"}]}, 'Unexpected role "system"'),
        ({"messages": [{"role": "assistant", "content": "s"}]}, "first message must use the"),
        ({"messages": []}, "at least one message is required"),
        ({"messages": [{"role": "user", "content": ""}]}, "text content blocks must be non-empty"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "a", "x": 1}]}]},
            r"0\.text\.x: Extra inputs",
        ),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "Input tag 'image_url'"),
        ({"messages": [*HI, {"role": "assistant", "content": [CALL]}]}, "ids were found without `tool_result`"),
        (
            {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "x", "content": "y"}]}]},
            "unexpected `tool_use_id` found",
        ),
        ({"temperature": 1.5}, r"temperature: range: 0\.\.1"),
        ({"thinking": {"type": "enabled", "budget_tokens": 4096}}, "must be greater than `thinking.budget_tokens`"),
        ({"thinking": {"type": "enabled", "budget_tokens": 10}}, "greater than or equal to 1024"),
        ({"tools": [{"name": "a.b", "input_schema": SCHEMA}]}, r"tools\.0\.custom\.name"),
        ({"tools": [{"name": "a", "input_schema": {}}]}, r"input_schema\.type: Field required"),
        ({"tool_choice": {"type": "any"}}, "while providing tools"),
        ({"tools": [{**TOOL, "parameters": {}}]}, r"tools\.0\.custom\.parameters: Extra inputs"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "image_url"}}]}]},
            "Input tag 'image_url'",
        ),
    ],
)
def test_what_anthropic_refuses_is_refused(change: dict[str, Any], message: str) -> None:
    """400 with Anthropic's error object and the field's path."""

    async def story(fake: FakeProvider) -> None:
        fields = {"model": "c", "max_tokens": 64, "messages": HI, **change}
        sent = {name: value for name, value in fields.items() if value is not None}
        status, _, body = await post(fake, "/v1/messages", sent, **VERSION)
        error = json.loads(body)
        assert (status, error["type"], error["error"]["type"]) == (400, "error", "invalid_request_error")
        with pytest.raises(AssertionError, match=message):
            raise AssertionError(error["error"]["message"])

    play(story)


def test_credentials_and_version_come_in_anthropics_headers() -> None:
    """Either of its two headers, no other vendor's; without a version nothing is answered."""

    async def story(fake: FakeProvider) -> None:
        asked: Any = {"model": "c", "max_tokens": 64, "messages": HI}
        async with client(fake, "sk-right") as api:
            await api.messages.create(**asked)
        async with client(fake, "sk-wrong") as api:
            with pytest.raises(anthropic.AuthenticationError, match="invalid x-api-key"):
                await api.messages.create(**asked)
        assert (await post(fake, "/v1/messages", asked, **VERSION, x_goog_api_key="sk-right"))[0] == 401
        assert (await post(fake, "/v1/messages", asked, **VERSION, x_api_key="sk-right"))[0] == 200
        status, _, body = await post(fake, "/v1/messages", asked, x_api_key="sk-right")
        assert (status, b"anthropic-version: header is required" in body) == (400, True)

    play(story, Script(api_key="sk-right"))


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, anthropic.BadRequestError),
        (401, anthropic.AuthenticationError),
        (403, anthropic.PermissionDeniedError),
        (404, anthropic.NotFoundError),
        (413, anthropic.APIStatusError),
        (429, anthropic.RateLimitError),
        (500, anthropic.InternalServerError),
        (529, anthropic.APIStatusError),
    ],
)
def test_statuses_are_the_clients_own_exceptions(status: int, error: type[anthropic.APIStatusError]) -> None:
    """Streaming or not, with the Retry-After that the cue has."""

    async def story(fake: FakeProvider) -> None:
        async with client(fake) as api:
            for stream in (False, True):
                with pytest.raises(error) as raised:
                    await api.messages.create(
                        model=f"c@status={status},retry_after=3", max_tokens=9, messages=HI, stream=stream
                    )
                assert raised.value.status_code == status
                assert raised.value.response.headers["retry-after"] == "3"
                body: Any = raised.value.body
                assert body["type"] == "error"

    play(story)


def test_streams_fail_in_anthropics_way() -> None:
    """An error event raises, a stream without its end lacks message_stop, a bad event is no JSON."""

    async def story(fake: FakeProvider) -> None:
        async with client(fake) as api:
            stream = await api.messages.create(model="c@error_event,after=4", max_tokens=9, messages=HI, stream=True)
            with pytest.raises(anthropic.APIStatusError, match="told to fail"):
                async for _ in stream:
                    pass
        asked = {"model": "c@no_done", "max_tokens": 9, "messages": HI, "stream": True}
        _, _, body = await post(fake, "/v1/messages", asked, **VERSION)
        assert (body.count(b"event: message_delta"), body.count(b"message_stop")) == (1, 0)
        _, _, body = await post(fake, "/v1/messages", {**asked, "model": "c@bad_json,after=4"}, **VERSION)
        with pytest.raises(json.JSONDecodeError):
            [json.loads(line[6:]) for line in body.splitlines() if line.startswith(b"data: ")]

    play(story)


def test_vertex_has_the_model_in_the_path() -> None:
    """rawPredict and streamRawPredict, with the version in the body."""

    async def story(fake: FakeProvider) -> None:
        root = "/v1/projects/p/locations/l/publishers/anthropic/models/claude-x@20250101"
        asked = {"anthropic_version": "vertex-2023-10-16", "max_tokens": 9, "messages": HI}
        _, _, whole = await post(fake, f"{root}:rawPredict", asked)
        assert json.loads(whole)["model"] == "claude-x@20250101"
        _, headers, streamed = await post(fake, f"{root}:streamRawPredict", asked)
        assert headers["content-type"] == "text/event-stream"
        assert streamed.endswith(b'data: {"type":"message_stop"}\n\n')
        assert (await post(fake, f"{root}:rawPredict", {**asked, "model": "claude-x"}))[0] == 400

    play(story)


def test_models_are_listed_for_anthropics_client() -> None:
    """The shared path answers in the format of who asks."""

    async def story(fake: FakeProvider) -> None:
        async with client(fake) as api:
            assert [model.id async for model in api.models.list()] == ["one", "two"]
            assert (await api.models.retrieve("two")).display_name == "two"
            with pytest.raises(anthropic.NotFoundError, match="model: three"):
                await api.messages.create(model="three", max_tokens=9, messages=HI)

    play(story, Script(models=["one", "two"]))
