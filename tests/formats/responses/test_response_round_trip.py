"""Calls for responses on both of their sides: reasoning over two turns, and conversations that read back the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.formats.call import read_call
from gateline.formats.dialect import PLAIN
from gateline.formats.responses.read_request import read_chat
from gateline.formats.responses.reply import write_reply
from gateline.formats.responses.write_request import write_chat
from gateline.model.chat import Chat, Media, Part, Reasoning, Refusal, Seal, Text, Thinking, ToolResult, ToolUse, Turn
from tests.formats.responses.calls import OPENAI, asked, sent, talk, user
from tests.formats.responses.shapes import reply_of


def second_turn(parts: list[Part]) -> Chat:
    """The chat that follows on an answer of `parts`, sent back by a client as it came."""
    output = json.loads(write_reply(reply_of(parts), Chat(model="m", turns=[])))["output"]
    return asked(input=[{"role": "user", "content": "hi"}, *output, {"role": "user", "content": "and?"}])


@pytest.mark.parametrize(
    "parts",
    [
        [Reasoning(text="Hm.", seal=Seal("openai", "gAAA+/="), id="rs_1"), Text(text="a")],
        [Reasoning(text="Hm.\n\n x", seal=Seal("anthropic", "Ep+/="), id="rs_abc_0"), Text(text="a")],
        [Reasoning(seal=Seal("anthropic", "redacted"), is_hidden=True, id="rs_abc_0"), Text(text="a")],
        [
            ToolUse(id="c", name="f", arguments="{}", seal=Seal("gemini", "sig")),
            ToolUse(id="d", name="g", arguments="{}"),
        ],
        [Text(text="a", seal=Seal("gemini", "sig")), ToolUse(id="c", name="f", arguments="{}")],
        [Text(text="", seal=Seal("gemini", "sig"))],
        [
            Reasoning(text="So.", seal=Seal("gemini", "one"), id="rs_abc_0"),
            ToolUse(id="c", name="f", arguments="{}", seal=Seal("gemini", "two")),
        ],
    ],
)
def test_seals_of_any_maker_survive_a_client(parts: list[Part]) -> None:
    """After two turns the chat has the maker's own bytes where they were."""
    assert second_turn(parts).turns[1].parts == parts


def test_only_openais_seals_reach_openai() -> None:
    """Byte for byte, with their id and summary; those of others are stripped, and told."""
    own = Reasoning(text="Hm.", seal=Seal("openai", "gAAA+/="), id="rs_1")
    body, dropped = sent(second_turn([own, Text(text="a")]))
    assert body["input"][1] == {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "Hm."}],
        "encrypted_content": "gAAA+/=",
    }
    assert body["include"] == ["reasoning.encrypted_content"]
    assert dropped == []
    others: list[Part] = [
        Reasoning(text="Hm.", seal=Seal("anthropic", "Ep")),
        Reasoning(seal=Seal("anthropic", "hidden"), is_hidden=True),
        Text(text="a"),
        ToolUse(id="c", name="f", arguments="{}", seal=Seal("gemini", "sig")),
    ]
    written = write_chat(second_turn(others), "m", PLAIN)
    assert b"gateline" not in written.body
    for data in (b"Ep", b"hidden", b"sig", b"Hm."):
        assert data not in written.body
    assert list(written.dropped) == ["reasoning", "seal"]


def test_reasoning_without_what_it_led_to_is_not_sent() -> None:
    """OpenAI refuses it; an answer may have been cut off while it was thought."""
    chat = talk(user(), Turn(role="assistant", parts=[Reasoning(text="Hm", seal=Seal("openai", "E"))]), user())
    body, dropped = sent(chat)
    assert [item["type"] for item in body["input"]] == ["message", "message"]
    assert dropped == ["reasoning"]


_words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
_ids = st.text("abc_123", min_size=1, max_size=64)
_media = st.builds(
    Media,
    kind=st.just("image"),
    mime=st.just("image/png"),
    data=st.just("AAAA"),
    detail=st.sampled_from(["low", "high"]),
)
_user = st.builds(
    Turn, role=st.just("user"), parts=st.lists(st.one_of(st.builds(Text, text=_words), _media), min_size=1, max_size=3)
)
_results = st.builds(
    Turn,
    role=st.just("user"),
    parts=st.lists(
        st.builds(ToolResult, id=_ids, parts=st.lists(st.builds(Text, text=_words), min_size=1, max_size=1)),
        min_size=1,
        max_size=2,
    ),
)
_sealed = st.builds(Reasoning, text=_words, seal=st.builds(Seal, st.just("openai"), _words), id=st.just("rs_1"))
_answer = st.builds(
    Turn,
    role=st.just("assistant"),
    parts=st.builds(
        lambda before, last: [*before, last],
        st.lists(
            st.one_of(
                st.builds(Text, text=_words),
                st.builds(Refusal, text=_words),
                st.builds(ToolUse, id=_ids, name=_ids, arguments=_words),
                _sealed,
            ),
            max_size=3,
        ),
        st.builds(ToolUse, id=_ids, name=_ids, arguments=_words),
    ),
)


@given(
    exchanges=st.lists(st.tuples(_user, _answer, _results), max_size=3),
    last=_user,
    temperature=st.none() | st.floats(0, 2),
    max_tokens=st.none() | st.integers(16, 10_000),
    effort=st.sampled_from([None, "low", "high"]),
)
def test_what_is_written_to_a_vendor_reads_back_the_same(
    exchanges: list[tuple[Turn, Turn, Turn]], last: Turn, temperature: float | None, max_tokens: int | None, effort: Any
) -> None:
    """Any conversation that the format carries is the same on its other side."""
    turns = [turn for exchange in exchanges for turn in exchange] + [last]
    for turn in turns:
        for part in turn.parts:
            if isinstance(part, Reasoning):
                part.is_hidden = False
    chat = talk(*turns, temperature=temperature, max_tokens=max_tokens)
    if effort is not None:
        chat.thinking = Thinking(effort=effort)
    written = write_chat(chat, "m", OPENAI)
    assert written.dropped == []
    found = read_chat(read_call(written.body, "responses"), written.body)
    assert found.turns == chat.turns
    assert (found.temperature, found.max_tokens, found.thinking) == (temperature, max_tokens, chat.thinking)
