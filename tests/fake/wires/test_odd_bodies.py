"""Bodies with anything anywhere: each is answered or refused, never a defect of the fake."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.fake.provider import Provider
from gateline.fake.request import Request
from gateline.fake.script import Script
from tests.fake.wires.stage import SCHEMA

FUNCTION = {"name": "weather", "description": "d", "parameters": SCHEMA}
CALL = {"id": "c", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
CHAT: dict[str, Any] = {
    "model": "m@tools=2",
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "hi"}]},
        {"role": "assistant", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c", "content": "x"},
        {"role": "user", "content": "hi"},
    ],
    "tools": [{"type": "function", "function": FUNCTION}],
    "max_tokens": 9,
    "stop": ["a"],
    "stream_options": {"include_usage": True},
    "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}},
}
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": CHAT,
    "/v1/responses": {
        "model": "m@tools",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
            {"type": "reasoning", "id": "rs_a", "summary": [], "encrypted_content": "gAAAAABo"},
            {"type": "function_call", "call_id": "c", "name": "weather", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "x"},
        ],
        "tools": [{"type": "function", "name": "weather", "parameters": SCHEMA}],
        "text": {"format": {"type": "json_schema", "name": "a", "schema": SCHEMA}},
        "reasoning": {"effort": "low"},
        "include": [],
        "max_output_tokens": 20,
    },
    "/v1/messages": {
        "model": "m@tools",
        "max_tokens": 2000,
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "hi"}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "weather", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "x"}]},
        ],
        "tools": [{"name": "weather", "input_schema": SCHEMA}],
        "tool_choice": {"type": "auto"},
        "metadata": {"user_id": "u"},
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
    },
    "/v1beta/models/gemini-3:generateContent": {
        "contents": [
            {"role": "user", "parts": [{"text": "hi"}]},
            {"role": "model", "parts": [{"functionCall": {"name": "weather", "args": {}}, "thoughtSignature": "CpcB"}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "weather", "response": {}}}]},
        ],
        "tools": [{"functionDeclarations": [{"name": "weather", "parameters": SCHEMA}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
        "generationConfig": {"maxOutputTokens": 9, "thinkingConfig": {"includeThoughts": True}},
    },
    "/v1beta/models/e:batchEmbedContents": {"requests": [{"model": "models/e", "content": {"parts": [{"text": "a"}]}}]},
    "/model/m/converse": {
        "messages": [
            {"role": "user", "content": [{"text": "hi"}]},
            {"role": "assistant", "content": [{"toolUse": {"toolUseId": "t", "name": "weather", "input": {}}}]},
            {"role": "user", "content": [{"toolResult": {"toolUseId": "t", "content": [{"text": "x"}]}}]},
        ],
        "toolConfig": {"tools": [{"toolSpec": {"name": "weather", "inputSchema": {"json": SCHEMA}}}]},
        "inferenceConfig": {"maxTokens": 2000},
        "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1024}},
    },
    "/v2/chat": {key: value for key, value in CHAT.items() if key not in {"stop", "stream_options"}},
    "/v2/embed": {"model": "e", "texts": ["a"], "input_type": "x", "embedding_types": ["float"], "output_dimension": 4},
    "/v1/rerank": {"model": "jina", "query": "a", "documents": ["a", {"text": "b"}], "top_n": 1},
    "/api/chat": {**{key: CHAT[key] for key in ("model", "tools")}, "messages": [], "options": {"num_predict": 2}},
    "/api/embed": {"model": "e", "input": ["a"], "dimensions": 4},
    "/v1/embeddings": {"model": "e", "input": ["a"], "dimensions": 4},
    "/v1/moderations": {"input": [{"type": "text", "text": "a"}]},
    "/v1/images/generations": {"model": "dall-e-3", "prompt": "a", "n": 1, "response_format": "url"},
    "/v1/audio/speech": {"model": "t", "voice": "a", "input": "a b", "response_format": "mp3"},
}
HEADERS = [("anthropic-version", "1"), ("authorization", "Bearer x")]
ODD = st.none() | st.booleans() | st.integers(-3, 99) | st.floats(0, 2) | st.text(max_size=4)
ANYTHING = st.recursive(
    ODD, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2)
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something can be replaced."""
    found = [path] if path else []
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        found += places(part, (*path, key))
    return found


@pytest.mark.parametrize("path", BODIES)
@given(data=st.data())
def test_any_value_anywhere_is_answered_or_refused(path: str, data: st.DataObject) -> None:
    """One or two fields replaced by anything, streamed or not: 200 and an end, or a status from 400 to 499."""
    body = copy.deepcopy(BODIES[path])
    for _ in range(data.draw(st.integers(0, 2))):
        *steps, last = data.draw(st.sampled_from(places(body)))
        target = body
        for step in steps:
            target = target[step]
        target[last] = data.draw(ANYTHING)
    if data.draw(st.booleans()):
        body["stream"] = True
    request = Request("POST", path, "1.1", HEADERS, json.dumps(body).encode())
    reply = Provider(Script(strict=True)).answer(request).reply
    assert sum(len(piece.data) for piece in reply.pieces) > 0 or reply.status == 200
    assert reply.status == 200 or 400 <= reply.status < 500


@pytest.mark.parametrize("path", BODIES)
def test_the_bodies_before_they_are_spoilt_are_answered(path: str) -> None:
    """Or nothing would be shown by the rest; two of them bring seals that the fake never made."""
    sealed = {"/v1/responses", "/v1beta/models/gemini-3:generateContent", "/model/m/converse"}
    request = Request("POST", path, "1.1", HEADERS, json.dumps(BODIES[path]).encode())
    assert Provider(Script()).answer(request).reply.status == (400 if path in sealed else 200)
