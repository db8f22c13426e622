from __future__ import annotations

import json
from typing import Any

import pytest

from gateline.formats.ollama.sides import CHAT_CLIENT, CHAT_SERVER
from gateline.model.chat import Choice, Media, Reasoning, Refusal, Text, Tokens, ToolUse
from gateline.model.chatreply import ChatReply
from gateline.model.errors import UpstreamBroken, UpstreamError
from gateline.model.usage import Usage
from tests.formats.ollama.rig import AT, COUNTS, CREATED, answered, asked, called, line, whole_generated, whole_reply

USAGE = Usage(input=11, output=7)


def reply(said: dict[str, Any], reason: str = "stop", **fields: Any) -> ChatReply:
    body = line(said, done=True, done_reason=reason, **{**COUNTS, **fields})
    found: ChatReply = CHAT_CLIENT.read_reply(body, "")
    return found


def test_a_reply_is_read_whole() -> None:
    """Thinking, text, calls, log probabilities and counts; an answer that calls tools ends for that."""
    calls = [called("f", {"a": 1}, id="call_a"), called("g", {})]
    probed = [{"token": "so", "logprob": -0.5, "bytes": [115], "top_logprobs": [{"token": "oh", "logprob": -1.0}]}]
    found = reply({"thinking": "hm", "content": "so", "tool_calls": calls}, logprobs=probed, prompt_eval_cached_count=3)
    choice = found.choices[0]
    thought, text, first, second = choice.parts
    assert (thought, text) == (Reasoning(text="hm"), Text(text="so"))
    assert first == ToolUse(id="call_a", name="f", arguments='{"a": 1}')
    assert isinstance(second, ToolUse)
    assert second.id.startswith("call_")
    assert choice.finish == "tool"
    assert choice.logprobs == [
        Tokens(token="so", logprob=-0.5, bytes=[115], top=[Tokens(token="oh", logprob=-1.0)]),
    ]
    assert (found.model, found.created, found.usage) == ("llama", CREATED, Usage(input=11, output=7, cached=3))


@pytest.mark.parametrize(("reason", "finish"), [("stop", "stop"), ("length", "length"), ("load", "stop")])
def test_the_reason_is_read(reason: str, finish: str) -> None:
    assert reply({"content": "x"}, reason).choices[0].finish == finish


@pytest.mark.parametrize(
    ("counts", "usage"),
    [
        ({"eval_count": None}, Usage(input=11)),
        ({"prompt_eval_count": None}, None),
        ({"prompt_eval_count": -1}, None),
        ({"eval_count": -5}, Usage(input=11)),
    ],
)
def test_an_unknown_prompt_is_no_usage(counts: dict[str, Any], usage: Usage | None) -> None:
    assert reply({"content": "x"}, **counts).usage == usage


def test_names_made_for_answers_and_calls_differ() -> None:
    """Servers name neither, but clients of other formats tell answers and calls apart by their names."""
    assert reply({"content": "x"}).id == reply({"content": "y"}).id != ""
    assert reply({"content": "x"}).id != reply({"content": "x"}, created_at=AT.replace("5.1", "5.2")).id
    one = reply({"tool_calls": [called("f", {}), called("f", {})]}).choices[0].parts
    other = reply({"tool_calls": [called("f", {})]}, created_at=AT.replace("5.1", "5.2")).choices[0].parts
    assert len({part.id for part in [*one, *other] if isinstance(part, ToolUse)}) == 3


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"message":1}', b'{"done":true}', b'"\xff"'])
def test_what_is_no_reply_is_broken(body: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        CHAT_CLIENT.read_reply(body, "")


def test_an_error_that_calls_itself_a_success_is_one() -> None:
    with pytest.raises(UpstreamError) as caught:
        CHAT_CLIENT.read_reply(b'{"error":"no room for sk-secret-0123456789"}', "sk-secret-0123456789")
    assert not isinstance(caught.value, UpstreamBroken)
    assert "no room" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_the_vendors_type_reads_what_is_written() -> None:
    """As Ollama's own server answers, without the durations that nobody knows here."""
    probed = [Tokens(token="so", logprob=-0.5, top=[Tokens(token="oh", logprob=-1.0)])]
    found = answered(
        Reasoning(text="hm"),
        "so",
        ToolUse(id="1", name="f", arguments='{"a":1}'),
        ToolUse(id="2", name="g"),
        finish="tool",
        usage=Usage(input=11, output=7, cached=3),
    )
    found.choices[0].logprobs = probed
    found.choices.append(Choice(parts=[Text(text="another")], finish="stop"))
    assert whole_reply(found) == {
        "model": "m",
        "created_at": "2026-01-02T03:04:05Z",
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": 11,
        "eval_count": 7,
        "message": {
            "role": "assistant",
            "content": "so",
            "thinking": "hm",
            "tool_calls": [
                {"function": {"name": "f", "arguments": {"a": 1}}},
                {"function": {"name": "g", "arguments": {}}},
            ],
        },
        "logprobs": [{"token": "so", "logprob": -0.5, "top_logprobs": [{"token": "oh", "logprob": -1.0}]}],
    }


def test_calls_keep_their_ids_for_clients_that_keep_them() -> None:
    found = answered(ToolUse(id="toolu_1", name="f"), finish="tool")
    body = json.loads(CHAT_SERVER.write_reply(found, asked()))
    assert body["message"]["tool_calls"] == [{"id": "toolu_1", "function": {"index": 0, "name": "f", "arguments": {}}}]


def test_refusals_and_spoken_words_are_text() -> None:
    """Ollama has no other place for them. What ends an answer early says so."""
    found = answered(Refusal(text="no"), Media(kind="audio", data="x", transcript=" way"), finish="refusal")
    shown = whole_reply(found)
    assert (shown["message"]["content"], shown["done_reason"]) == ("no way", "stop")
    assert whole_reply(answered("x", finish="length"))["done_reason"] == "length"


def test_an_answer_without_a_time_is_of_the_epoch() -> None:
    found = answered("x")
    found.created = 0
    assert whole_reply(found)["created_at"] == "1970-01-01T00:00:00Z"
    assert "prompt_eval_count" not in whole_reply(found)


def test_a_generated_answer_has_its_own_shape() -> None:
    found = whole_generated(answered(Reasoning(text="hm"), "so", usage=USAGE, finish="length"))
    assert (found.response, found.thinking, found.done, found.done_reason) == ("so", "hm", True, "length")
    assert (found.prompt_eval_count, found.eval_count, found.model) == (11, 7, "m")
