"""Reasoning state over two turns, through a client that knows nothing of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ollama import ChatResponse
from ollama._types import ChatRequest

from gateline.formats.call import read_call
from gateline.formats.ollama.sides import CHAT_SERVER
from gateline.model.chat import Maker, Part, Reasoning, Seal, Text, ToolUse
from tests.formats.ollama.rig import HI, answered, asked, deltas_for, read, streamed

MAKERS: list[Maker] = ["anthropic", "gemini", "openai"]
SIGNED: list[Part] = [
    Reasoning(text="hm\n\nhm", seal=Seal("anthropic", 'EqQ"1+/=')),
    Reasoning(seal=Seal("openai", "gAAA"), is_hidden=True, id="rs_1"),
    Reasoning(text="grün", seal=Seal("openai", "gAAB"), id="rs_2"),
    Text(text="so", seal=Seal("gemini", "C")),
    Text(text="now"),
    ToolUse(id="toolu_1", name="f", arguments='{"a":1}', seal=Seal("gemini", "D")),
    ToolUse(id="toolu_2", name="f", arguments="{}"),
]
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
seals = st.builds(Seal, st.sampled_from(MAKERS), texts)
parts = st.lists(
    st.one_of(
        st.builds(lambda seal: Reasoning(seal=seal, is_hidden=True), seals),
        st.builds(lambda text, seal, name: Reasoning(text=text, seal=seal, id=name), texts, seals, texts),
        st.builds(lambda text, seal: Text(text=text, seal=seal), texts, seals),
        st.builds(lambda name, seal: ToolUse(id=name, name="f", arguments="{}", seal=seal), texts, seals),
    ),
    min_size=1,
    max_size=6,
)


def back(messages: list[Any]) -> list[Part]:
    """What the gateway reads of an answer that the official client sends back."""
    body = ChatRequest(model="m", messages=[*HI, *messages]).model_dump_json(exclude_none=True).encode()
    chat = CHAT_SERVER.read(read_call(body, "ollama.chat"), body)
    found: list[Part] = chat.turns[1].parts
    return found


def test_seals_come_back_byte_for_byte() -> None:
    """From a whole answer whose message the client appends, as its documentation shows."""
    body = CHAT_SERVER.write_reply(answered(*SIGNED), asked())
    assert back([ChatResponse.model_validate_json(body).message]) == SIGNED


def test_seals_come_back_from_a_stream() -> None:
    """Where the client keeps `tool_name` of the last line beside what it adds up."""
    lines = [ChatResponse.model_validate_json(each) for each in streamed(deltas_for(answered(*SIGNED))).splitlines()]
    kept = {
        "role": "assistant",
        "content": "".join(each.message.content or "" for each in lines),
        "thinking": "".join(each.message.thinking or "" for each in lines),
        "tool_calls": [call for each in lines for call in each.message.tool_calls or ()],
        "tool_name": lines[-1].message.tool_name,
    }
    assert back([kept]) == SIGNED


@given(parts)
def test_any_sealed_answer_is_made_again(answer: list[Part]) -> None:
    body = CHAT_SERVER.write_reply(answered(*answer), asked())
    assert back([ChatResponse.model_validate_json(body).message]) == answer


def test_an_answer_without_seals_has_no_outline() -> None:
    body = json.loads(CHAT_SERVER.write_reply(answered(Reasoning(text="hm"), "so"), asked()))
    assert body["message"] == {"role": "assistant", "content": "so", "thinking": "hm"}


@pytest.mark.parametrize(
    "change",
    [
        {"content": "another"},
        {"thinking": "other"},
        {"tool_calls": []},
        {"tool_name": "gateline.[["},
        {"tool_name": 'gateline.[["t",9]]'},
        {"tool_name": 'gateline.[["t",-1],["c"],["c"],["c"]]'},
        {"tool_name": "f"},
    ],
)
def test_seals_of_a_message_that_was_changed_are_dropped(change: dict[str, Any]) -> None:
    """What it says stays; a vendor would refuse a signature over other text."""
    said = json.loads(CHAT_SERVER.write_reply(answered(*SIGNED), asked()))["message"]
    found = read(messages=[*HI, {**said, **change}]).turns[1].parts
    assert not any(part.seal for part in found if isinstance(part, Reasoning | Text | ToolUse))
    assert "".join(part.text for part in found if isinstance(part, Text)) == {**said, **change}["content"]


def test_an_answer_with_too_much_to_seal_goes_without() -> None:
    """The outline is bounded, in seals and in parts."""
    big = [Reasoning(seal=Seal("openai", "x" * 1_500_000), is_hidden=True) for _ in range(3)]
    many = [Reasoning(seal=Seal("openai", "x"), is_hidden=True) for _ in range(1_025)]
    for answer in (big, many):
        assert "tool_name" not in json.loads(CHAT_SERVER.write_reply(answered(*answer, "so"), asked()))["message"]
    kept = json.loads(CHAT_SERVER.write_reply(answered(*big[:2], "so"), asked()))["message"]
    assert len(kept["tool_name"]) > 3_000_000
