"""The service tier that a reply tells, in each vendor's words, whole and streamed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateline.formats.anthropic.usage import usage_of_reply as anthropic_usage
from gateline.formats.bedrock.usage import usage_of_reply as bedrock_usage
from gateline.formats.gemini.usage import usage_of_reply as gemini_usage
from gateline.formats.openai.chat_reader import ChatReader
from gateline.formats.openai.choices import glance
from gateline.formats.openai.reply import read_reply
from gateline.formats.openai.usage import usage_in_tail as openai_tail
from gateline.formats.openai.usage import usage_of_reply as openai_usage
from gateline.formats.openai.watch import StreamCodec
from gateline.formats.responses.reader import ResponseReader
from gateline.formats.responses.usage import usage_of_reply as responses_usage
from gateline.formats.responses.watch import ResponseCodec
from gateline.model.chatreply import Counted

TOKENS = {"prompt_tokens": 2, "completion_tokens": 3}
USED = {"input_tokens": 2, "output_tokens": 3}
CHOICE = {"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}


def body(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


@pytest.mark.parametrize(("told", "tier"), [(None, ""), ("default", ""), ("on_demand", ""), ("flex", "flex")])
def test_openai_tells_it_beside_the_usage(told: str | None, tier: str) -> None:
    """Ahead of it or behind it, at either end of a reply."""
    ahead = body(service_tier=told, choices=[CHOICE], usage=TOKENS)
    behind = body(choices=[CHOICE], usage=TOKENS, service_tier=told)
    for usage in (openai_usage(ahead), openai_usage(behind), openai_tail(behind), read_reply(ahead, "").usage):
        assert usage is not None
        assert (usage.input, usage.tier) == (2, tier)


def test_a_word_in_the_answer_is_no_tier() -> None:
    """Only the reply's own member is."""
    said = {**CHOICE, "message": {"role": "assistant", "content": '"service_tier":"flex"', "service_tier": "flex"}}
    usage = openai_usage(body(choices=[said], usage=TOKENS))
    assert usage is not None
    assert usage.tier == ""


def test_a_tier_of_its_own_price_deserves_a_closer_look() -> None:
    """All other replies are read once."""
    assert glance(body(choices=[CHOICE], usage=TOKENS, service_tier="priority")) is None
    assert glance(body(choices=[CHOICE], usage=TOKENS, service_tier="default")) is not None
    assert glance(body(choices=[CHOICE], usage=TOKENS)) is not None


def test_streams_tell_it_too() -> None:
    """OpenAI in each chunk, the Responses API in the event that ends the stream."""
    word = b"data: " + body(service_tier="flex", choices=[{"index": 0, "delta": {"content": "x"}}]) + b"\n\n"
    last = b"data: " + body(service_tier="flex", choices=[], usage=TOKENS) + b"\n\n"
    codec = StreamCodec(False)
    codec.feed(word + last)
    assert codec.usage is not None
    assert codec.usage.tier == "flex"
    (counted,) = [each for each in ChatReader("").feed(word + last) if isinstance(each, Counted)]
    assert counted.usage.tier == "flex"

    response = {"id": "r", "status": "completed", "output": [], "service_tier": "priority", "usage": USED}
    end = b"data: " + body(type="response.completed", response=response) + b"\n\n"
    watch = ResponseCodec("")
    watch.feed(end)
    assert watch.usage is not None
    assert watch.usage.tier == "priority"
    (counted,) = [each for each in ResponseReader("").feed(end) if isinstance(each, Counted)]
    assert counted.usage.tier == "priority"


def test_a_response_tells_it_ahead_of_its_usage() -> None:
    """Among its last members, in the order of the alphabet."""
    usage = responses_usage(body(id="r", output=[], service_tier="flex", store=False, usage=USED))
    assert usage is not None
    assert usage.tier == "flex"


@pytest.mark.parametrize(
    ("told", "tier"),
    [
        ({"service_tier": "standard", "speed": "standard", "inference_geo": "global"}, ""),
        ({"service_tier": "priority"}, "priority"),
        ({"service_tier": "standard", "speed": "fast"}, "fast"),
        ({"inference_geo": "us"}, "geo_us"),
    ],
)
def test_anthropic_tells_it_in_the_usage(told: dict[str, str], tier: str) -> None:
    """So it does fast mode, and where the model ran."""
    usage = anthropic_usage(body(usage={**USED, **told}))
    assert usage is not None
    assert usage.tier == tier


@pytest.mark.parametrize(
    ("told", "tier"),
    [
        ({"trafficType": "ON_DEMAND"}, ""),
        ({"trafficType": "ON_DEMAND_FLEX"}, "on_demand_flex"),
        ({"serviceTier": "STANDARD"}, ""),
        ({"serviceTier": "priority"}, "priority"),
    ],
)
def test_google_tells_it_in_the_usage(told: dict[str, str], tier: str) -> None:
    """The Gemini API by the service tier, Vertex AI by the type of traffic."""
    usage = gemini_usage(body(candidates=[], usageMetadata={"promptTokenCount": 2, **told}))
    assert usage is not None
    assert usage.tier == tier


@pytest.mark.parametrize(("told", "tier"), [("default", ""), ("flex", "flex")])
def test_bedrock_tells_it_beside_the_usage(told: str, tier: str) -> None:
    """As an object."""
    counts = {"inputTokens": 2, "outputTokens": 3, "totalTokens": 5}
    for reply in (
        body(usage=counts, serviceTier={"type": told}),
        body(serviceTier={"type": told}, usage=counts),
    ):
        usage = bedrock_usage(reply)
        assert usage is not None
        assert usage.tier == tier
