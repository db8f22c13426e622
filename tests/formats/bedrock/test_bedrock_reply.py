"""Whole answers of Converse, in both directions."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.formats.table import CLIENTS, SERVERS, WATCHES
from gateline.model.chat import Choice, Citation, Finish, Part, Reasoning, Refusal, Seal, Text, ToolUse
from gateline.model.chatreply import ChatReply
from gateline.model.errors import UpstreamBroken, UpstreamError
from gateline.model.usage import Usage
from tests.formats.bedrock.wire import USAGE, chat, check, read

COUNTED = Usage(input=18, output=7, cached=3, cache_write=5, cache_write_1h=4)


def answer(*content: object, reason: str = "end_turn", **fields: object) -> bytes:
    message = {"role": "assistant", "content": content}
    body = {"metrics": {"latencyMs": 9}, "output": {"message": message}, "stopReason": reason, "usage": USAGE, **fields}
    return json.dumps(body, separators=(",", ":")).encode()


def read_reply(body: bytes) -> ChatReply:
    found: ChatReply = CLIENTS["converse"].read_reply(body, "")
    return found


def write_reply(*parts: Part, finish: Finish = "stop", stopped_by: str = "") -> dict[str, Any]:
    reply = ChatReply(id="x", model="y", choices=[Choice(parts=list(parts), finish=finish, stopped_by=stopped_by)])
    body: dict[str, Any] = json.loads(SERVERS["converse"].write_reply(reply, chat()))
    check(body, "ConverseResponse")
    return body


def test_every_kind_of_block_is_read() -> None:
    """What ran at the vendor is left out; arguments of none are none."""
    reply = read_reply(
        answer(
            {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
            {"reasoningContent": {"redactedContent": "ZGF0YQ=="}},
            {"toolUse": {"toolUseId": "s", "name": "g", "input": {}, "type": "server_tool_use"}},
            {"toolResult": {"toolUseId": "s", "content": [{"text": "[HIDDEN]"}], "type": "g_result"}},
            {"text": "a"},
            {"toolUse": {"toolUseId": "t", "name": "f", "input": {"a": 1}, "type": "tool_use"}},
            {"toolUse": {"toolUseId": "u", "name": "g", "input": {}}},
            {"novelty": {"x": 1}},
            reason="tool_use",
            serviceTier={"type": "flex"},
        )
    )
    (choice,) = reply.choices
    assert choice.parts == [
        Reasoning(text="hm", seal=Seal("anthropic", "c2ln")),
        Reasoning(seal=Seal("anthropic", "data"), is_hidden=True),
        Text(text="a"),
        ToolUse(id="t", name="f", arguments='{"a":1}'),
        ToolUse(id="u", name="g"),
    ]
    assert (choice.finish, reply.service_tier) == ("tool", "flex")
    assert reply.usage == msgspec.structs.replace(COUNTED, tier="flex")
    assert len(reply.id) == 24


def test_citations_come_back() -> None:
    """A cited block is a text that rests on its citations as a whole."""
    cited = {
        "citationsContent": {
            "content": [{"text": "It was Matz."}],
            "citations": [
                {"location": {"documentChar": {"documentIndex": 0, "start": 0, "end": 9}}, "title": "facts",
                 "sourceContent": [{"text": "Matz did"}]},
                {"location": {"web": {"url": "https://a", "domain": "a"}}},
                {"source": "https://b", "title": "B"},
            ],
        }
    }  # fmt: skip
    (part,) = read_reply(answer(cited)).choices[0].parts
    assert isinstance(part, Text)
    assert part.citations == [
        Citation(title="facts", quote="Matz did", start=0, end=12),
        Citation(url="https://a", start=0, end=12),
        Citation(url="https://b", title="B", start=0, end=12),
    ]
    written = write_reply(part)["output"]["message"]["content"][0]["citationsContent"]
    assert written["citations"][0] == {"title": "facts", "sourceContent": [{"text": "Matz did"}]}
    assert written["citations"][2] == {"title": "B", "location": {"web": {"url": "https://b"}}}


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("end_turn", "stop"), ("max_tokens", "length"), ("tool_use", "tool"), ("guardrail_intervened", "filter"),
     ("content_filtered", "filter"), ("model_context_window_exceeded", "length"), ("whatever", "stop")],
)  # fmt: skip
def test_reasons_are_read(reason: str, finish: str) -> None:
    """A word that is not known says no more than that the answer ended."""
    assert read_reply(answer({"text": "a"}, reason=reason)).choices[0].finish == finish


def test_what_is_no_reply_is_broken() -> None:
    """And an error that calls itself a success is that error, without the secret in it."""
    with pytest.raises(UpstreamBroken):
        read_reply(b'{"output":{}}')
    with pytest.raises(UpstreamError, match="no room") as raised:
        CLIENTS["converse"].read_reply(b'{"error":{"message":"no room SECRETSECRET"}}', "SECRETSECRET")
    assert "SECRET" not in str(raised.value)


def test_every_part_is_written() -> None:
    """As the service's model has it; seals of other makers stand where a client keeps them."""
    gemini = Seal("gemini", "g")
    body = write_reply(
        Reasoning(text="hm", seal=Seal("anthropic", "c2ln")),
        Reasoning(seal=Seal("openai", "enc"), is_hidden=True, id="rs_1"),
        Reasoning(text="bare"),
        Text(text="a"),
        Refusal(text="no"),
        ToolUse(id="t", name="f", arguments="", seal=gemini),
        finish="refusal",
    )
    assert body["stopReason"] == "content_filtered"
    content = body["output"]["message"]["content"]
    assert [next(iter(block)) for block in content] == [
        "reasoningContent", "reasoningContent", "reasoningContent", "text", "text", "reasoningContent", "toolUse",
    ]  # fmt: skip
    assert content[0]["reasoningContent"]["reasoningText"] == {"text": "hm", "signature": "c2ln"}
    assert content[-1]["toolUse"]["input"] == {}
    turn = {"role": "assistant", "content": content}
    parts = read({"messages": [{"role": "user", "content": [{"text": "hi"}]}, turn]}).turns[1].parts
    assert parts == [
        Reasoning(text="hm", seal=Seal("anthropic", "c2ln")),
        Reasoning(seal=Seal("openai", "enc"), is_hidden=True, id="rs_1"),
        Reasoning(text="bare"),
        Text(text="a"),
        Text(text="no"),
        ToolUse(id="t", name="f", arguments="{}", seal=gemini),
    ]


def test_a_stop_sequence_is_told() -> None:
    """The SDK requires a reason, tokens and a latency; what is not known is zero."""
    body = write_reply(Text(text="a"), stopped_by="x")
    assert body["stopReason"] == "stop_sequence"
    assert body["usage"] == {"inputTokens": 0, "outputTokens": 0, "totalTokens": 0}
    assert body["metrics"] == {"latencyMs": 0}


names = st.text("abc_-9", min_size=1, max_size=8)
parts = st.lists(
    st.one_of(
        st.builds(Text, text=st.text(min_size=1)),
        st.builds(
            Reasoning,
            text=st.text(),
            seal=st.builds(Seal, st.sampled_from(["anthropic", "gemini", "openai"]), st.text("aZ09+/=", min_size=1)),
        ),
        st.builds(
            ToolUse,
            id=names,
            name=names,
            arguments=st.dictionaries(names, st.integers(), min_size=1).map(
                lambda found: json.dumps(found, separators=(",", ":"))
            ),
        ),
    ),
    min_size=1,
)


@given(parts, st.sampled_from(["stop", "length", "tool", "filter"]))
def test_a_reply_comes_back(found: list[Part], finish: Finish) -> None:
    """What is written as a server and read as a client is the same answer."""
    reply = ChatReply(id="", model="", choices=[Choice(parts=found, finish=finish)], usage=COUNTED)
    body = SERVERS["converse"].write_reply(reply, chat())
    check(json.loads(body), "ConverseResponse")
    again = read_reply(body)
    again.id = ""
    assert again == reply


def test_usage_of_passing_replies_is_read() -> None:
    """Whole, or from the end; a word in a text is not it, and nonsense is unknown."""
    watch = WATCHES["converse"]
    body = answer({"text": 'the "usage": {"inputTokens": 1}'})
    assert (watch.usage(body), watch.usage_in_tail(body[-300:])) == (COUNTED, COUNTED)
    assert watch.usage(b'{"usage":{"inputTokens":-1,"outputTokens":1}}') is None
    assert watch.usage(b'{"usage":{"outputTokens":1}}') is None
    assert watch.usage(b"[]") is None
