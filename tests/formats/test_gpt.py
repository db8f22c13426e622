"""What OpenAI's models refuse is left out of calls that are written for them, and told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from gateline.formats.gpt import abilities
from gateline.formats.table import CLIENTS
from gateline.model.call import Operation
from gateline.model.chat import Chat, Effort, Reasoning, Seal, Text, Thinking, Tool, Turn
from gateline.providers.table import TABLE

CHAT: Operation = "chat.completions"
RESPONSES: Operation = "responses"
BOTH = pytest.mark.parametrize("operation", [CHAT, RESPONSES])


def sent(operation: Operation, model: str, vendor: str = "openai", **fields: Any) -> tuple[dict[str, Any], list[str]]:
    chat = Chat(model="m", turns=[Turn(role="user", parts=[Text(text="a")])], **fields)
    written = CLIENTS[operation].write(chat, model, TABLE[vendor].dialect)
    return json.loads(written.body), list(written.dropped)


def effort(body: dict[str, Any]) -> str | None:
    found = body.get("reasoning_effort") or body.get("reasoning", {}).get("effort")
    assert found is None or isinstance(found, str)
    return found


@BOTH
@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4.1-mini", "gpt-5-chat-latest", "openai/gpt-4o", "gpt-35-turbo"])
def test_models_that_do_not_reason_are_not_asked_to(operation: Operation, model: str) -> None:
    """Nor for their sealed reasoning; what they sample by passes."""
    body, dropped = sent(operation, model, thinking=Thinking(budget=2048, is_shown=True), temperature=0.5)
    assert dropped == ["thinking"]
    assert not {"reasoning_effort", "reasoning", "include"} & body.keys()
    assert body["temperature"] == 0.5


@BOTH
def test_not_to_reason_is_what_they_do(operation: Operation) -> None:
    """So nothing is lost."""
    body, dropped = sent(operation, "gpt-4o", thinking=Thinking(budget=0))
    assert (effort(body), dropped) == (None, [])


@BOTH
@pytest.mark.parametrize("model", ["gpt-5", "gpt-5-mini-2025-08-07", "o3", "o4-mini", "gpt-5.6-luna", "gpt-6-astra"])
def test_models_that_always_reason_take_no_sampling(operation: Operation, model: str) -> None:
    """Each field is named; one that says what is so anyway is left out without a word."""
    body, dropped = sent(operation, model, temperature=0.2, top_p=0.9, stop=["END"])
    assert dropped == ["temperature", "top_p", "stop"]
    assert not {"temperature", "top_p", "stop"} & body.keys()
    body, dropped = sent(operation, model, temperature=1.0, top_p=1.0)
    assert dropped == []
    assert not {"temperature", "top_p"} & body.keys()


@BOTH
def test_models_that_reason_on_demand_sample_while_they_do_not(operation: Operation) -> None:
    """GPT-5.1 to 5.4, whose effort is `none` unless asked for."""
    assert sent(operation, "gpt-5.2", temperature=0.2)[0]["temperature"] == 0.2
    assert sent(operation, "gpt-5.2", temperature=0.2, thinking=Thinking(effort="none"))[0]["temperature"] == 0.2
    body, dropped = sent(operation, "gpt-5.2", temperature=0.2, thinking=Thinking(effort="low"))
    assert "temperature" not in body
    assert dropped == ["temperature"]


@BOTH
@pytest.mark.parametrize(
    ("model", "asked", "given", "is_told"),
    [
        ("gpt-5", "max", "high", False),
        ("gpt-5", "none", "minimal", True),
        ("o3", "minimal", "low", False),
        ("gpt-5.1", "minimal", "low", False),
        ("gpt-5.1", "none", "none", False),
        ("gpt-5-pro", "low", "high", False),
        ("gpt-5.4", "xhigh", "xhigh", False),
        ("gpt-5.6-sol", "max", "max", False),
        ("gpt-6-astra", "none", "low", True),
    ],
)
def test_an_effort_is_one_that_the_model_knows(
    operation: Operation, model: str, asked: Effort, given: str, is_told: bool
) -> None:
    """The nearest; that it cannot but reason is told."""
    body, dropped = sent(operation, model, thinking=Thinking(effort=asked))
    assert effort(body) == given
    assert dropped == (["thinking"] if is_told else [])


def test_new_models_do_not_reason_over_tools_in_chat_completions() -> None:
    """From GPT-5.6 on: "use /v1/responses or set reasoning_effort to 'none'"."""
    tools = [Tool(name="f", schema=Raw(b'{"type":"object"}'))]
    body, dropped = sent(CHAT, "gpt-5.6-luna", tools=tools, thinking=Thinking(effort="high"))
    assert (effort(body), dropped) == ("none", ["thinking"])
    body, dropped = sent(RESPONSES, "gpt-5.6-luna", tools=tools, thinking=Thinking(effort="high"))
    assert (effort(body), dropped) == ("high", [])
    assert effort(sent(CHAT, "gpt-5.6-luna", tools=tools)[0]) is None


def test_seals_do_not_go_to_a_model_that_cannot_open_them() -> None:
    """A conversation that goes on with a model that does not reason."""
    thought = Reasoning(text="", seal=Seal("openai", "gAAAA"), id="rs_1")
    turns = [Turn(role="user", parts=[Text(text="a")]), Turn(role="assistant", parts=[thought, Text(text="b")])]
    written = CLIENTS[RESPONSES].write(Chat(model="m", turns=turns), "gpt-4o", TABLE["openai"].dialect)
    assert b"gAAAA" not in written.body
    assert b"encrypted_content" not in written.body
    assert "seal" in written.dropped


@BOTH
@pytest.mark.parametrize("model", ["our-deployment", "gpt-oss-120b", "gpt-7", "chat-latest"])
def test_an_unknown_model_is_sent_everything(operation: Operation, model: str) -> None:
    """An Azure deployment may be called anything."""
    assert abilities(model) is None
    body, dropped = sent(operation, model, temperature=0.2, thinking=Thinking(effort="low"))
    assert (body["temperature"], effort(body), dropped) == (0.2, "low", [])


def test_others_who_host_such_names_are_not_concerned() -> None:
    """OpenRouter leaves out by itself what a model cannot."""
    body, dropped = sent(CHAT, "openai/gpt-5", "openrouter", temperature=0.2)
    assert (body["temperature"], dropped) == (0.2, [])
