"""The fake as Bedrock: botocore parses its replies and event streams, signs, and raises."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import closing
from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError

from gateline.fake.script import Script
from gateline.fake.server import FakeProvider
from tests.fake.wires.stage import SCHEMA, billed_twice, play, post

TOOLS: Any = {"tools": [{"toolSpec": {"name": "weather", "description": "d", "inputSchema": {"json": SCHEMA}}}]}
HI: Any = [{"role": "user", "content": [{"text": "hi"}]}]
BEARER = {"authorization": "Bearer any"}


def client(fake: FakeProvider, secret: str = "any") -> Any:
    return botocore.session.Session().create_client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url=fake.origin,
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key=secret,
        config=Config(retries={"max_attempts": 0}, proxies={}),
    )


def aside(fake: FakeProvider, act: Callable[[Any], None], secret: str = "any") -> Any:
    """Runs `act` in a thread, since botocore blocks."""

    def run() -> None:
        api = client(fake, secret)
        try:
            act(api)
        finally:
            api.close()

    return asyncio.to_thread(run)


def joined(events: list[Any]) -> dict[str, Any]:
    """The content that the events of a stream make, and how it ends."""
    blocks: dict[int, dict[str, Any]] = {}
    made: dict[str, Any] = {}
    for event in events:
        ((kind, value),) = event.items()
        if kind == "contentBlockStart":
            blocks[value["contentBlockIndex"]] = {**value["start"]["toolUse"], "input": ""}
        elif kind == "contentBlockDelta":
            block = blocks.setdefault(value["contentBlockIndex"], {})
            delta = value["delta"]
            if "toolUse" in delta:
                block["input"] += delta["toolUse"]["input"]
            elif "citation" in delta:
                block.setdefault("citations", []).append(delta["citation"])
            else:
                for name, text in delta.get("reasoningContent", delta).items():
                    block[name] = block.get(name, "" if isinstance(text, str) else b"") + text
        elif kind in {"messageStop", "metadata"}:
            made.update(value)
    return {"blocks": list(blocks.values()), "stop": made["stopReason"], "usage": made["usage"]}


def plain(whole: Any) -> dict[str, Any]:
    blocks = []
    for block in whole["output"]["message"]["content"]:
        ((kind, value),) = block.items()
        if kind == "text":
            blocks.append({"text": value})
        elif kind == "toolUse":
            blocks.append(
                {**value, "input": json.dumps(value["input"], separators=(",", ":")) if value["input"] else ""}
            )
        elif kind == "citationsContent":
            blocks.append({"text": value["content"][0]["text"], "citations": value["citations"]})
        else:
            blocks.append(value.get("reasoningText", value))
    return {"blocks": blocks, "stop": whole["stopReason"], "usage": whole["usage"]}


@pytest.mark.parametrize(
    "cue",
    [
        "tokens=8",
        "tools=1",
        "tools=2,arguments=none",
        "tools,tokens=3,arguments=one",
        "reasoning_text",
        "reasoning_text=hidden",
        "reasoning_text,tools=2",
        "refusal",
        "citations",
        "finish=length",
        "split",
        "cached=1,cache_write=2,reasoning=4",
    ],
)
def test_an_event_stream_adds_up_to_the_whole_answer(cue: str) -> None:
    """As botocore reads it, checksums and all."""

    async def story(fake: FakeProvider) -> None:
        def act(api: Any) -> None:
            asked = {"modelId": f"anthropic.claude-x-v1:0@{cue}", "messages": HI, "toolConfig": TOOLS}
            whole = api.converse(**asked)
            events = list(api.converse_stream(**asked)["stream"])
            assert joined(events) == plain(whole)
            assert events[0] == {"messageStart": {"role": "assistant"}}
            billed = billed_twice(fake)
            usage = whole["usage"]
            parts = ("inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens")
            assert billed.input == sum(usage[part] for part in parts)
            assert usage["totalTokens"] == billed.input + billed.output
            assert {line.model for line in fake.invoice.lines()} == {"anthropic.claude-x-v1:0"}

        await aside(fake, act)

    play(story)


def test_reasoning_comes_back_byte_for_byte_or_is_refused() -> None:
    """The turn with tools brings its reasoning back; changed or left out, it is 400."""

    async def story(fake: FakeProvider) -> None:
        def act(api: Any) -> None:
            thinking = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
            for kind in ("shown", "hidden"):
                asked = {
                    "modelId": f"m@tools,reasoning_text={kind}",
                    "toolConfig": TOOLS,
                    "additionalModelRequestFields": thinking,
                    "inferenceConfig": {"maxTokens": 4096},
                }
                message = api.converse(**asked, messages=HI)["output"]["message"]
                reasoning, use = message["content"]
                result = {"toolUseId": use["toolUse"]["toolUseId"], "content": [{"text": "sunny"}]}
                answer = {"role": "user", "content": [{"toolResult": result}]}
                second = api.converse(**asked, messages=[*HI, message, answer])
                assert second["stopReason"] == "end_turn"
                if kind == "shown":
                    text = reasoning["reasoningContent"]["reasoningText"]
                    bad: dict[str, Any] = {"reasoningContent": {"reasoningText": {**text, "text": "another"}}}
                else:
                    bad = {"reasoningContent": {"redactedContent": b"another"}}
                for content in ([bad, use], [use]):
                    with pytest.raises(api.exceptions.ValidationException):
                        api.converse(**asked, messages=[*HI, {"role": "assistant", "content": content}, answer])

        await aside(fake, act)

    play(story)


def test_a_signature_is_checked_where_the_script_has_a_key() -> None:
    """The secret is the key; another one, or none, is refused as AWS refuses it; a bearer token does as well."""

    async def story(fake: FakeProvider) -> None:
        def right(api: Any) -> None:
            api.converse(modelId="anthropic.claude-x-v1:0", messages=HI)
            list(api.converse_stream(modelId="arn:aws:bedrock:us-east-1:1:inference-profile/x", messages=HI)["stream"])

        def wrong(api: Any) -> None:
            with pytest.raises(ClientError, match="InvalidSignatureException"):
                api.converse(modelId="m", messages=HI)

        await aside(fake, right, "right")
        await aside(fake, wrong, "wrong")
        path = "/model/m/converse"
        assert (await post(fake, path, {"messages": HI}, authorization="Bearer right"))[0] == 200
        assert (await post(fake, path, {"messages": HI}, authorization="Bearer wrong"))[0] == 403
        assert (await post(fake, path, {"messages": HI}))[0] == 403
        fake.follow(Script())
        status, headers, _ = await post(fake, path, {"messages": HI})
        assert (status, headers["x-amzn-errortype"].partition(":")[0]) == (403, "MissingAuthenticationTokenException")

    play(story, Script(api_key="right"))


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (400, "ValidationException"),
        (403, "AccessDeniedException"),
        (429, "ThrottlingException"),
        (503, "ServiceUnavailableException"),
    ],
)
def test_statuses_are_botocores_exceptions(status: int, name: str) -> None:
    """By the name in the header, streaming or not."""

    async def story(fake: FakeProvider) -> None:
        def act(api: Any) -> None:
            for call in (api.converse, api.converse_stream):
                with pytest.raises(ClientError) as raised:
                    call(modelId=f"m@status={status}", messages=HI)
                assert raised.value.response["Error"]["Code"] == name
                assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == status

        await aside(fake, act)

    play(story)


def test_a_stream_fails_with_an_exception_among_its_events() -> None:
    """And one without its end lacks messageStop and metadata."""

    async def story(fake: FakeProvider) -> None:
        def act(api: Any) -> None:
            with (
                closing(api.converse_stream(modelId="m@error_event,after=4", messages=HI)["stream"]) as stream,
                pytest.raises(EventStreamError, match="modelStreamErrorException"),
            ):
                list(stream)
            events = list(api.converse_stream(modelId="m@no_done", messages=HI)["stream"])
            assert list(events[-1]) == ["contentBlockStop"]

        await aside(fake, act)

    play(story)


USE = {"toolUse": {"toolUseId": "a", "name": "weather", "input": {}}}
RESULT = {"toolResult": {"toolUseId": "a", "content": [{"text": "x"}]}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"messages": []}, "at least one message"),
        ({"messages": [*HI, *HI]}, "must alternate"),
        ({"messages": [{"role": "assistant", "content": [{"text": "a"}]}]}, "must start with a user message"),
        ({"messages": [{"role": "system", "content": [{"text": "a"}]}]}, "enum value set"),
        ({"messages": [{"role": "user", "content": [{"text": " "}]}]}, "is blank"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}]}, "must set one of"),
        (
            {"messages": [*HI, {"role": "assistant", "content": [USE]}], "toolConfig": TOOLS},
            "Expected toolResult blocks",
        ),
        ({"messages": [{"role": "user", "content": [RESULT]}], "toolConfig": TOOLS}, "exceeds the number of toolUse"),
        (
            {"messages": [*HI, {"role": "assistant", "content": [USE]}, {"role": "user", "content": [RESULT]}]},
            "toolConfig field must be defined",
        ),
        ({"inferenceConfig": {"temperature": 1.5}}, "inferenceConfig.temperature"),
        ({"max_tokens": 5}, "extraneous key"),
        ({"toolConfig": {"tools": []}}, "at least one tool"),
    ],
)
def test_what_bedrock_refuses_is_refused(change: dict[str, Any], message: str) -> None:
    """400 and a ValidationException."""

    async def story(fake: FakeProvider) -> None:
        status, headers, body = await post(fake, "/model/m/converse", {"messages": HI, **change}, **BEARER)
        assert (status, headers["x-amzn-errortype"].partition(":")[0]) == (400, "ValidationException")
        assert message in json.loads(body)["message"]

    play(story)


def test_a_schema_is_a_text() -> None:
    """JSON inside of JSON, and the answer fits it."""

    async def story(fake: FakeProvider) -> None:
        structure = {"jsonSchema": {"schema": json.dumps(SCHEMA), "name": "w"}}
        sent = {"messages": HI, "outputConfig": {"textFormat": {"type": "json_schema", "structure": structure}}}
        _, _, body = await post(fake, "/model/m/converse", sent, **BEARER)
        text = json.loads(body)["output"]["message"]["content"][0]["text"]
        assert set(json.loads(text)) == {"city", "days"}

    play(story)
