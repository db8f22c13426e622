from __future__ import annotations

import json
from typing import Any

import pytest
from anthropic.types import Message, MessageTokensCount
from hypothesis import given
from hypothesis import strategies as st

from gateline.formats.anthropic.sides import COUNT, COUNT_CLIENT, MESSAGES, MESSAGES_CLIENT
from gateline.model.chat import (
    Chat,
    Choice,
    Citation,
    Finish,
    Media,
    Part,
    Reasoning,
    Refusal,
    Seal,
    Text,
    ToolUse,
)
from gateline.model.chatreply import ChatReply
from gateline.model.errors import UpstreamBroken, UpstreamError
from gateline.model.usage import Usage
from gateline.model.vectors import Count, CountReply

ASKED = Chat(model="alias", turns=[])


def answer(*content: object, **fields: object) -> bytes:
    return json.dumps(
        {
            "model": "claude",
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "content": content,
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "stop_details": None,
            "usage": {"input_tokens": 10, "output_tokens": 4},
            **fields,
        }
    ).encode()


def read(body: bytes) -> ChatReply:
    reply = MESSAGES_CLIENT.read_reply(body, "")
    assert isinstance(reply, ChatReply)
    return reply


def written(*parts: Part, finish: Finish = "stop", **fields: Any) -> dict[str, Any]:
    reply = ChatReply(**{"id": "x", "model": "m", "choices": [Choice(parts=list(parts), finish=finish)], **fields})
    body = MESSAGES.write_reply(reply, ASKED)
    Message.model_validate_json(body, strict=True)
    found: dict[str, Any] = json.loads(body)
    return found


def test_every_kind_of_block_is_read() -> None:
    """Text, reasoning shown, not shown and hidden, and tool uses; what ran at the vendor is left out."""
    reply = read(
        answer(
            {"type": "thinking", "thinking": "t", "signature": "S"},
            {"type": "thinking", "thinking": "", "signature": "S2"},
            {"type": "redacted_thinking", "data": "R"},
            {"type": "text", "text": "x", "citations": None},
            {"type": "text", "text": ""},
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
            {"type": "web_search_tool_result", "tool_use_id": "s", "content": {"type": "error"}},
            {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": [1, 2.50]}},
            {"type": "tool_use", "id": "toolu_2", "name": "g", "input": {}},
            stop_reason="tool_use",
        )
    )
    assert (reply.id, reply.model) == ("msg_1", "claude")
    assert reply.choices == [
        Choice(
            parts=[
                Reasoning(text="t", seal=Seal("anthropic", "S")),
                Reasoning(text="", seal=Seal("anthropic", "S2")),
                Reasoning(seal=Seal("anthropic", "R"), is_hidden=True),
                Text(text="x"),
                ToolUse(id="toolu_1", name="f", arguments='{"a": [1, 2.5]}'),
                ToolUse(id="toolu_2", name="g"),
            ],
            finish="tool",
        )
    ]


def test_citations_rest_on_their_block() -> None:
    """A citation is about the whole text block it came with, whatever kind of source it names."""
    reply = read(
        answer(
            {
                "type": "text",
                "text": "héllo",
                "citations": [
                    {"type": "char_location", "cited_text": "q", "document_title": "T", "document_index": 0},
                    {"type": "web_search_result_location", "cited_text": "w", "url": "https://x", "title": "W"},
                    {"type": "search_result_location", "cited_text": "r", "source": "https://s", "title": None},
                ],
            }
        )
    )
    assert reply.choices[0].parts == [
        Text(
            text="héllo",
            citations=[
                Citation(title="T", quote="q", start=0, end=5),
                Citation(url="https://x", title="W", quote="w", start=0, end=5),
                Citation(url="https://s", quote="r", start=0, end=5),
            ],
        )
    ]
    parts = written(*reply.choices[0].parts)["content"]
    assert [citation["type"] for citation in parts[0]["citations"]] == [
        "char_location",
        "web_search_result_location",
        "web_search_result_location",
    ]


@pytest.mark.parametrize(
    ("reason", "finish", "back"),
    [
        ("end_turn", "stop", "end_turn"),
        ("max_tokens", "length", "max_tokens"),
        ("model_context_window_exceeded", "length", "max_tokens"),
        ("tool_use", "tool", "tool_use"),
        ("pause_turn", "pause", "pause_turn"),
        ("refusal", "refusal", "refusal"),
        ("something_new", "stop", "end_turn"),
    ],
)
def test_reasons_are_read_and_written(reason: str, finish: Finish, back: str) -> None:
    """Every reason why an answer ends has its word."""
    assert read(answer(stop_reason=reason)).choices[0].finish == finish
    assert written(finish=finish)["stop_reason"] == back


def test_a_stop_sequence_is_named() -> None:
    """The sequence that ended an answer passes, and makes the reason what it is."""
    reply = read(answer(stop_reason="stop_sequence", stop_sequence="END"))
    assert (reply.choices[0].finish, reply.choices[0].stopped_by) == ("stop", "END")
    body = json.loads(MESSAGES.write_reply(reply, ASKED))
    assert (body["stop_reason"], body["stop_sequence"]) == ("stop_sequence", "END")


def test_refusals_pass_both_ways() -> None:
    """The vendor's explanation is a refusal's words; another vendor's words are text, the reason says it."""
    details = {"type": "refusal", "category": "cyber", "explanation": "against policy"}
    reply = read(answer(stop_reason="refusal", stop_details=details))
    assert reply.choices[0].parts == [Refusal(text="against policy")]
    body = written(Refusal(text="I will not"))
    assert (body["content"], body["stop_reason"]) == ([{"type": "text", "text": "I will not"}], "refusal")
    assert body["stop_details"]["type"] == "refusal"
    assert written(finish="filter")["stop_reason"] == "refusal"


def test_usage_passes_both_ways() -> None:
    """What was cached and written is beside `input_tokens` there and part of `input` here."""
    usage = {
        "input_tokens": 10,
        "cache_creation_input_tokens": 5,
        "cache_read_input_tokens": 3,
        "output_tokens": 9,
        "cache_creation": {"ephemeral_5m_input_tokens": 1, "ephemeral_1h_input_tokens": 4},
        "output_tokens_details": {"thinking_tokens": 2},
        "service_tier": "priority",
    }
    reply = read(answer(usage=usage))
    assert reply.usage == Usage(18, 9, cached=3, reasoning=2, cache_write=5, cache_write_1h=4, tier="priority")
    assert json.loads(MESSAGES.write_reply(reply, ASKED))["usage"] == usage
    for odd in (None, 7, {"output_tokens": 3}, {"input_tokens": -1}):
        assert read(answer(usage=odd)).usage is None
    assert written()["usage"] == {"input_tokens": 0, "output_tokens": 0}


def test_the_client_sees_its_own_names() -> None:
    """The model as it was asked for, an id of the format's shape, the first answer only."""
    choices = [Choice(parts=[Text(text=name)], finish="stop") for name in "ab"]
    body = written(id="chatcmpl-1", choices=choices)
    assert (body["id"], body["model"]) == ("msg_chatcmpl-1", "alias")
    assert body["content"] == [{"type": "text", "text": "a"}]
    assert written(id="msg_1")["id"] == "msg_1"
    assert written(choices=[])["content"] == []


def test_foreign_seals_are_carried() -> None:
    """Seals of other makers stand marked in signatures, and in redacted thinking where there is no field for them."""
    body = written(
        Reasoning(text="t", seal=Seal("anthropic", "S")),
        Reasoning(text="u"),
        Reasoning(text="v", seal=Seal("openai", "E"), id="rs_1"),
        Reasoning(seal=Seal("openai", "H"), is_hidden=True),
        Text(text="x", seal=Seal("gemini", "T")),
        ToolUse(id="1", name="f", seal=Seal("gemini", "C")),
    )
    assert body["content"] == [
        {"type": "thinking", "thinking": "t", "signature": "S"},
        {"type": "thinking", "thinking": "u", "signature": ""},
        {"type": "thinking", "thinking": "v", "signature": "id:rs_1:gateline.openai.E"},
        {"type": "redacted_thinking", "data": "gateline.openai.H"},
        {"type": "text", "text": "x"},
        {"type": "redacted_thinking", "data": "behind:gateline.gemini.T"},
        {"type": "redacted_thinking", "data": "before:gateline.gemini.C"},
        {"type": "tool_use", "id": "1", "name": "f", "input": {}},
    ]


def test_a_call_cut_off_is_still_an_object() -> None:
    """Arguments that are no object are kept whole under a key; what a model spoke is shown as what it said."""
    body = written(ToolUse(id="1", name="f", arguments='{"a": "b'), Media(kind="audio", data="AA", transcript="hi"))
    assert body["content"] == [
        {"type": "tool_use", "id": "1", "name": "f", "input": {"INVALID_JSON": '{"a": "b'}},
        {"type": "text", "text": "hi"},
    ]


def test_what_is_no_reply_is_broken() -> None:
    """Another shape is the upstream's fault; an error that calls itself a success is an error, its secret cut out."""
    for body in (b"<html>", b"[]", b'{"content":7}', b"{}"):
        with pytest.raises(UpstreamBroken):
            MESSAGES_CLIENT.read_reply(body, "")
    failed = b'{"type":"error","error":{"type":"overloaded_error","message":"busy, sk-ant-key12345678"}}'
    with pytest.raises(UpstreamError) as caught:
        MESSAGES_CLIENT.read_reply(failed, "sk-ant-key12345678")
    assert caught.value.reason == "overloaded_error"
    assert "sk-ant-key12345678" not in str(caught.value)


def test_counts_pass_both_ways() -> None:
    """A count of tokens is one number."""
    assert COUNT_CLIENT.read_reply(b'{"input_tokens": 2095}', "") == CountReply(tokens=2095)
    body = COUNT.write_reply(CountReply(tokens=7), Count(chat=ASKED))
    assert MessageTokensCount.model_validate_json(body).input_tokens == 7
    with pytest.raises(UpstreamBroken):
        COUNT_CLIENT.read_reply(b'{"tokens": 1}', "")


words = st.text(st.characters(codec="utf-8"), min_size=1)
sealed = st.builds(Seal, st.just("anthropic"), st.from_regex(r"[A-Za-z0-9+/=]{1,20}", fullmatch=True))
parts = st.one_of(
    st.builds(Text, text=words),
    st.builds(Reasoning, text=words, seal=sealed),
    st.builds(Reasoning, seal=sealed, is_hidden=st.just(True)),
    st.builds(ToolUse, id=words, name=words, arguments=st.sampled_from(["", '{"a":1}', '{"é":[null, {}]}'])),
)
usages = st.builds(
    lambda plain, cached, write, hour, output, thought: Usage(
        plain + cached + write, output, cached, min(thought, output), write, min(hour, write)
    ),
    *(st.integers(0, 10_000) for _ in range(6)),
)
finishes: list[Finish] = ["stop", "length", "tool", "refusal", "pause"]


@given(parts=st.lists(parts, max_size=4), finish=st.sampled_from(finishes), usage=usages)
def test_a_reply_comes_back(parts: list[Part], finish: Finish, usage: Usage) -> None:
    """What the format carries is read again as it was written."""
    reply = ChatReply(
        id="msg_1", model="alias", choices=[Choice(parts=parts, finish=finish)], usage=usage, service_tier="standard"
    )
    body = MESSAGES.write_reply(reply, ASKED)
    Message.model_validate_json(body, strict=True)
    if finish == "stop" and any(isinstance(part, ToolUse) for part in parts):
        reply.choices[0].finish = "tool"
    assert read(body) == reply
