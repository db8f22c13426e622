"""What a small local model does not have is refused by name, and nothing else is."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateline.engine.chatcall import read_call
from gateline.engine.refusal import Refused

CHAT: dict[str, Any] = {"model": "local-chat", "messages": [{"role": "user", "content": "hello"}]}
COMPLETION: dict[str, Any] = {"model": "local-chat", "prompt": "hello"}
TOOL: dict[str, Any] = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
NAMED: dict[str, Any] = {"type": "function", "function": {"name": "f"}}


def _chat(extra: dict[str, Any]) -> Any:
    return read_call("/chat/completions", msgspec.json.encode(CHAT | extra))


def _completion(extra: dict[str, Any]) -> Any:
    return read_call("/completions", msgspec.json.encode(COMPLETION | extra))


def _is_refused(caught: pytest.ExceptionInfo[Refused], param: str) -> None:
    assert (caught.value.status, caught.value.param, caught.value.code) == (400, param, "unsupported_parameter")
    assert f"`{param}`" in str(caught.value)
    assert "local-chat" in str(caught.value)


@pytest.mark.parametrize(
    ("extra", "param"),
    [
        ({"tools": [TOOL]}, "tools"),
        ({"tools": [TOOL], "tool_choice": "auto"}, "tools"),
        ({"tools": [TOOL], "tool_choice": "required"}, "tools"),
        ({"tools": [TOOL], "tool_choice": NAMED}, "tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": NAMED}, "tool_choice"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"function_call": {"name": "f"}}, "function_call"),
        ({"logprobs": True}, "logprobs"),
        ({"logprobs": 0}, "logprobs"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"n": 2}, "n"),
        ({"n": True}, "n"),
        ({"n": "1"}, "n"),
        ({"logit_bias": {"50256": -100}}, "logit_bias"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"audio": {"voice": "alloy", "format": "wav"}}, "audio"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"reasoning_effort": "high"}, "reasoning_effort"),
        ({"verbosity": "low"}, "verbosity"),
    ],
)
def test_a_chat_is_not_answered_as_if_it_had_followed(extra: dict[str, Any], param: str) -> None:
    with pytest.raises(Refused) as caught:
        _chat(extra)
    _is_refused(caught, param)


@pytest.mark.parametrize(
    ("extra", "param"),
    [
        ({"n": 2}, "n"),
        ({"best_of": 3}, "best_of"),
        ({"logprobs": 0}, "logprobs"),
        ({"logprobs": 5}, "logprobs"),
        ({"echo": True}, "echo"),
        ({"suffix": " the end"}, "suffix"),
        ({"logit_bias": {"1": 1}}, "logit_bias"),
    ],
)
def test_a_completion_is_not_answered_as_if_it_had_followed(extra: dict[str, Any], param: str) -> None:
    with pytest.raises(Refused) as caught:
        _completion(extra)
    _is_refused(caught, param)


def test_what_asks_for_nothing_passes() -> None:
    """Clients write defaults out, and switch tools off without taking them away."""
    _chat({"tools": [TOOL], "tool_choice": "none", "parallel_tool_calls": False})
    _chat({"functions": [{"name": "f"}], "function_call": "none"})
    _chat({"tools": [], "tool_choice": "auto", "n": 1, "logprobs": False, "top_logprobs": 0, "logit_bias": {}})
    _chat({"modalities": ["text"], "reasoning_effort": "none", "verbosity": "medium"})
    _completion({"n": 1, "best_of": 1, "echo": False, "suffix": "", "logprobs": None})


def test_what_does_not_change_the_answer_is_ignored() -> None:
    _chat({"user": "u", "metadata": {"a": "b"}, "store": True, "service_tier": "flex", "prompt_cache_key": "k"})
    _chat({"prediction": {"type": "content", "content": "x"}, "safety_identifier": "s", "unknown": {"is": "ignored"}})
