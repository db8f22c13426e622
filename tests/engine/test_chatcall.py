"""Reading a chat or completion request: what is taken, and which field is named when it is wrong."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateline.engine.chatcall import read_call
from gateline.engine.refusal import Refused

HELLO: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


def _read(extra: dict[str, Any], path: str = "/chat/completions") -> Any:
    return read_call(path, msgspec.json.encode(HELLO | extra))


def test_every_field_is_read() -> None:
    call = _read(
        {
            "messages": [
                {"role": "developer", "content": "be brief"},
                {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
                {"role": "assistant", "content": None, "tool_calls": []},
                {"role": "tool", "content": "42", "tool_call_id": "x"},
            ],
            "max_tokens": 5,
            "max_completion_tokens": 7,
            "temperature": 0,
            "top_p": 0.5,
            "seed": -1,
            "stop": ["x", "y"],
            "stream": True,
            "stream_options": {"include_usage": True},
            "presence_penalty": -2,
            "frequency_penalty": 2,
            "unknown": {"is": "ignored"},
        }
    )
    assert [(m["role"], m["content"]) for m in call.prompt] == [
        ("system", "be brief"),
        ("user", "ab"),
        ("assistant", ""),
        ("user", "42"),
    ]
    assert (call.max_tokens, call.stops, call.stream, call.include_usage) == (7, ("x", "y"), True, True)
    assert (call.sampling.temperature, call.sampling.top_p) == (0.0, 0.5)
    assert call.sampling.seed >= 0
    assert call.schema is None


def test_null_is_not_given() -> None:
    names = ("max_tokens", "temperature", "top_p", "stop", "seed", "n", "stream", "stream_options", "response_format")
    call = _read(dict.fromkeys(names) | {"logprobs": None})
    assert (call.max_tokens, call.stops, call.stream, call.sampling.temperature) == (None, (), False, 0.2)


@pytest.mark.parametrize(("given", "used"), [(None, 50), (7, 7), (0, 0), (-1, 0)])
def test_top_k_is_the_makers_50_unless_the_caller_says_otherwise(given: int | None, used: int) -> None:
    assert _read({"top_k": given}).sampling.top_k == used


def test_without_a_seed_each_request_has_its_own() -> None:
    assert _read({}).sampling.seed != _read({}).sampling.seed


@pytest.mark.parametrize(
    ("extra", "param"),
    [
        ({"messages": "hello"}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": ["hello"]}, "messages[0]"),
        ({"messages": [{"role": "pope", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": ["user"], "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": 1}]}]}, "messages[0].content[0].text"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"top_p": -0.1}, "top_p"),
        ({"stop": 5}, "stop"),
        ({"stop": ["a"] * 5}, "stop"),
        ({"stop": [""]}, "stop"),
        ({"seed": 1.5}, "seed"),
        ({"top_k": -2}, "top_k"),
        ({"top_k": 0.5}, "top_k"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": []}, "stream_options"),
        ({"model": 1}, "model"),
        ({"presence_penalty": 3}, "presence_penalty"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "thing"}}}},
            "response_format.json_schema.schema.type",
        ),
    ],
)
def test_a_wrong_field_is_named(extra: dict[str, Any], param: str) -> None:
    with pytest.raises(Refused) as caught:
        _read(extra)
    assert (caught.value.status, caught.value.param) == (400, param)
    error = msgspec.json.decode(caught.value.body())["error"]
    assert error["type"] == "invalid_request_error"
    assert error["param"] == param
    assert param in error["message"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"model":"\xff"}', b'"\\ud800"', b"[" * 100_000, b"NaN"])
def test_what_is_not_a_json_object_is_400(body: bytes) -> None:
    with pytest.raises(Refused) as caught:
        read_call("/chat/completions", body)
    assert (caught.value.status, caught.value.code) == (400, "invalid_json")


def test_a_completion_takes_one_prompt() -> None:
    call = _read({"prompt": ["once"]}, "/completions")
    assert (call.shape, call.prompt, call.max_tokens) == ("completion", "once", 16)
    for prompt in (None, 7, [], ["a", "b"], [1, 2], [[1]]):
        with pytest.raises(Refused) as caught:
            _read({"prompt": prompt}, "/completions")
        assert caught.value.param == "prompt"


def test_another_path_is_404() -> None:
    with pytest.raises(Refused) as caught:
        _read({}, "/embeddings")
    assert caught.value.status == 404
