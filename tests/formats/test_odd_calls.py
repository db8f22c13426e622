"""What clients send and should not: refused by the field's name, or written as what it can only mean."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateline.formats.contract import Written
from gateline.formats.table import CLIENTS
from gateline.model.call import Operation
from gateline.model.chat import Chat, Media, Text, Tool, Turn
from gateline.model.errors import BadRequest
from gateline.providers.table import TABLE
from tests.formats.asked import CHATS, read

_PAST = (2**63, -(2**63) - 1, 2**65)
_SAID = [{"role": "user", "content": "a"}]
_CONVERSED = [{"role": "user", "content": [{"text": "a"}]}]
_EXTRA = "additionalModelRequestFields"
_PARTS = [{"parts": [{"text": "a"}]}]

# The call without it, the field, the name it is refused by.
_COUNTS: list[tuple[Operation, dict[str, Any], str]] = [
    *(("chat.completions", {"messages": _SAID}, name) for name in (
        "max_tokens", "max_completion_tokens", "n", "seed", "random_seed", "top_k", "top_logprobs", "thinking_budget",
        "reasoning.max_tokens",
    )),
    *(("completions", {"prompt": "a"}, name) for name in ("max_tokens", "seed", "top_k")),
    ("embeddings", {"input": "a"}, "dimensions"),
    *(("responses", {"input": "a"}, name) for name in ("max_output_tokens", "top_logprobs")),
    *(("messages", {"messages": _SAID, "max_tokens": 1}, name) for name in (
        "max_tokens", "top_k", "thinking.budget_tokens",
    )),
    *(("converse", {"messages": _CONVERSED}, name) for name in ("inferenceConfig.maxTokens", f"{_EXTRA}.top_k")),
    *(("generate_content", {"contents": _PARTS}, f"generationConfig.{name}") for name in (
        "maxOutputTokens", "seed", "candidateCount", "logprobs", "topK", "thinkingConfig.thinkingBudget",
    )),
    ("embed_content", {"content": _PARTS[0]}, "outputDimensionality"),
    *(("cohere.chat", {"messages": _SAID}, name) for name in ("max_tokens", "seed", "k", "thinking.token_budget")),
    ("cohere.embed", {"texts": ["a"], "input_type": "image", "embedding_types": ["float"]}, "output_dimension"),
    ("rerank", {"query": "a", "documents": ["b"]}, "top_n"),
    *(("ollama.chat", {"messages": _SAID}, name) for name in (
        "options.num_predict", "options.seed", "options.top_k", "top_logprobs",
    )),
    ("ollama.embed", {"input": "a"}, "dimensions"),
]  # fmt: skip


@pytest.mark.parametrize("value", _PAST)
@pytest.mark.parametrize(("operation", "call", "field"), _COUNTS)
def test_a_number_past_64_bits_is_refused(operation: Operation, call: dict[str, Any], field: str, value: int) -> None:
    """By the field's name, in every format: no vendor takes it, and it could not be handed to another process."""
    body = {"model": "m", **call}
    outer, _, inner = field.partition(".")
    nested: Any = value
    for name in reversed(inner.split(".")) if inner else ():
        nested = {name: nested}
    if field.startswith("thinking"):
        nested = {"type": "enabled", **nested} if isinstance(nested, dict) else nested
    body[outer] = nested
    with pytest.raises(BadRequest) as caught:
        read(operation, body)
    assert caught.value.param == field


def _written(client: Operation, chat: Chat, vendor: str, model: str) -> Written:
    return CLIENTS[client].write(chat, model, TABLE[vendor].dialect)


@pytest.mark.parametrize("kind", ["image", "file"])
@pytest.mark.parametrize(("client", "vendor", "model"), CHATS)
def test_data_that_is_no_base64_raises_nothing(client: Operation, vendor: str, model: str, kind: Any) -> None:
    """What is not even ASCII is for the vendor to refuse, or is left out."""
    media = Media(kind=kind, mime="text/plain" if kind == "file" else "image/png", data="éé")
    chat = Chat(model="m", turns=[Turn(role="user", parts=[Text(text="a"), media])])
    assert json.loads(_written(client, chat, vendor, model).body)


@pytest.mark.parametrize("name", ["generationConfig", "toolConfig"])
def test_null_in_quotes_is_null(name: str) -> None:
    """Proto JSON takes it so, and as if nothing had been said."""
    assert read("generate_content", {"contents": _PARTS, name: "null"}) == read(
        "generate_content", {"contents": _PARTS}
    )


@pytest.mark.parametrize(("client", "vendor", "model"), CHATS)
def test_a_strict_tool_without_parameters_takes_none(client: Operation, vendor: str, model: str) -> None:
    """Its call is JSON, and a schema that is written at all is of an object."""
    tool = Tool(name="f", strict=True)
    chat = Chat(model="m", turns=[Turn(role="user", parts=[Text(text="a")])], tools=[tool])
    body = json.loads(_written(client, chat, vendor, model).body)
    if client == "messages":
        assert body["tools"][0]["input_schema"] == {"type": "object", "properties": {}, "additionalProperties": False}
    if client == "converse":
        schema = body["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"]["json"]
        assert schema == {"type": "object", "properties": {}, "additionalProperties": False}
