"""Streams of events, written for clients."""

from __future__ import annotations

import json

import httpx2
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.formats.responses.reply import write_reply
from gateline.formats.responses.writer import ResponseWriter
from gateline.model.chat import Citation, Finish, Part, Reasoning, Refusal, Seal, Text, Tokens, ToolUse
from gateline.model.chatreply import (
    Began,
    Delta,
    Finished,
    TextDelta,
    ToolBegan,
    ToolDelta,
)
from gateline.model.errors import RateLimited, UpstreamBroken
from tests.formats.responses.shapes import PARTS, events_of, reply_of
from tests.formats.responses.streams import CHAT, streamed


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("finish", [None, "length"])
def test_every_event_is_the_official_types_and_the_last_one_is_the_whole_reply(
    name: str, finish: Finish | None
) -> None:
    """What a stream ends in equals the response to a call that is not streamed."""
    reply = reply_of(PARTS[name], finish)
    events = events_of(streamed(reply))
    assert [found["type"] for found in events[:2]] == ["response.created", "response.in_progress"]
    last = events[-1]
    assert last["type"] == ("response.incomplete" if finish else "response.completed")
    assert last["response"] == json.loads(write_reply(reply, CHAT, lambda: 5.0))


@pytest.mark.parametrize("name", PARTS)
def test_items_are_told_from_their_beginning_to_their_end(name: str) -> None:
    """Each is added once and done once, at its place in the output; the done item is the one in the response."""
    events = events_of(streamed(reply_of(PARTS[name])))
    output = events[-1]["response"]["output"]
    added = [found for found in events if found["type"] == "response.output_item.added"]
    done = [found for found in events if found["type"] == "response.output_item.done"]
    assert [found["output_index"] for found in added] == list(range(len(output)))
    assert sorted(found["output_index"] for found in done) == list(range(len(output)))
    for found in done:
        assert output[found["output_index"]] == found["item"]


def test_the_sequence_of_a_message_is_openais() -> None:
    """Item, part, pieces, and their ends in the order that OpenAI sends them in."""
    events = events_of(streamed(reply_of([Text(text="abcdef")])))
    assert [found["type"].removeprefix("response.") for found in events] == [
        "created", "in_progress", "output_item.added", "content_part.added", "output_text.delta", "output_text.delta",
        "output_text.done", "content_part.done", "output_item.done", "completed",
    ]  # fmt: skip
    assert "".join(found["delta"] for found in events if "delta" in found) == "abcdef"


def test_the_sequence_of_reasoning_and_calls_is_openais() -> None:
    """A summary has parts of its own; a call's arguments come in pieces and whole."""
    thought = Reasoning(text="Hm", seal=Seal("openai", "E"), id="rs_1")
    parts: list[Part] = [thought, ToolUse(id="c", name="f", arguments="{}")]
    events = events_of(streamed(reply_of(parts)))
    assert [found["type"].removeprefix("response.") for found in events[2:-1]] == [
        "output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta",
        "reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done",
        "output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done",
    ]  # fmt: skip
    assert events[7]["item"]["encrypted_content"] == "E"


def test_calls_may_interleave() -> None:
    """Pieces of two calls' arguments in turn are put together by their index."""
    writer = ResponseWriter(CHAT, "req_1")
    deltas: list[Delta] = [
        Began(id="resp_1", model="m"),
        ToolBegan(index=0, id="a", name="f"),
        ToolBegan(index=1, id="b", name="g", seal=Seal("gemini", "s")),
        ToolDelta(index=1, arguments='{"b":'),
        ToolDelta(index=0, arguments='{"a":'),
        ToolDelta(index=1, arguments="2}"),
        ToolDelta(index=0, arguments="1}"),
        Finished(finish="tool"),
    ]
    output = events_of(writer.write(deltas) + writer.end())[-1]["response"]["output"]
    calls = [item for item in output if item["type"] == "function_call"]
    assert [(item["call_id"], item["arguments"]) for item in calls] == [("a", '{"a":1}'), ("b", '{"b":2}')]


def test_the_first_of_several_answers_is_written() -> None:
    """The format has no choices."""
    writer = ResponseWriter(CHAT, "req_1")
    deltas: list[Delta] = [Began(id="r", model="m"), TextDelta(text="b", choice=1), TextDelta(text="a")]
    deltas += [Finished(finish="stop", choice=1), Finished(finish="stop")]
    response = events_of(writer.write(deltas) + writer.end())[-1]["response"]
    assert [part["text"] for item in response["output"] for part in item["content"]] == ["a"]


def test_log_probabilities_come_with_their_text() -> None:
    """In the piece, at the end of the text, and in the response."""
    reply = reply_of([Text(text="ab")], logprobs=[Tokens(token="ab", logprob=-0.1, bytes=[97, 98])])
    events = events_of(streamed(reply, 2))
    piece = next(found for found in events if found["type"] == "response.output_text.delta")
    assert piece["logprobs"][0]["token"] == "ab"
    assert events[-1]["response"]["output"][0]["content"][0]["logprobs"][0]["logprob"] == -0.1


def sdk_client(stream: bytes) -> openai.OpenAI:
    headers = {"content-type": "text/event-stream"}
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, content=stream, headers=headers))
    return openai.OpenAI(api_key="k", base_url="http://gateway/v1", http_client=httpx2.Client(transport=transport))


@pytest.mark.parametrize("name", PARTS)
def test_the_official_sdk_puts_the_stream_together(name: str) -> None:
    """Its own accumulator accepts every event and ends with the same response."""
    reply = reply_of(PARTS[name])
    with sdk_client(streamed(reply)).responses.stream(model="m", input="hi") as stream:
        final = stream.get_final_response()
    expected = json.loads(write_reply(reply, CHAT, lambda: 5.0))
    assert final.output_text == "".join(part.text for part in PARTS[name] if isinstance(part, Text))
    assert [item.type for item in final.output] == [item["type"] for item in expected["output"]]


def test_a_failure_is_an_error_to_the_official_sdk() -> None:
    """It comes as OpenAI's error event, then as a failed response; nothing says that the answer is whole."""
    writer = ResponseWriter(CHAT, "req_1")
    begun = writer.write([Began(id="resp_1", model="m"), TextDelta(text="Hel")])
    stream = begun + writer.fail(UpstreamBroken("the upstream's stream broke off"), "req_1")
    events = events_of(stream)
    assert [found["type"] for found in events[-2:]] == ["error", "response.failed"]
    assert "req_1" in events[-2]["message"]
    assert events[-1]["response"]["error"]["code"] == "server_error"
    with pytest.raises(openai.APIError, match="broke off"):
        list(sdk_client(stream).responses.create(model="m", input="hi", stream=True))


def test_a_failure_ahead_of_everything_is_one_error_event() -> None:
    """There is no response yet that could have failed."""
    events = events_of(ResponseWriter(CHAT, "req_1").fail(RateLimited("slow down"), "req_1"))
    assert [found["type"] for found in events] == ["error"]
    assert events[0]["code"] == "rate_limit_exceeded"


_texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
_seals = st.builds(Seal, st.sampled_from(["anthropic", "gemini", "openai"]), st.text("abcXYZ+/=.", min_size=1))
_parts = st.lists(
    st.one_of(
        st.builds(
            Text,
            text=_texts,
            seal=st.none() | _seals,
            citations=st.lists(st.builds(Citation, url=st.just("https://a.example"), title=_texts), max_size=2),
        ),
        st.builds(Refusal, text=_texts),
        st.builds(ToolUse, id=_texts, name=_texts, arguments=_texts, seal=st.none() | _seals),
        st.builds(Reasoning, text=_texts, seal=st.none() | _seals),
        st.builds(Reasoning, seal=_seals, is_hidden=st.just(True)),
    ),
    max_size=6,
)


@given(parts=_parts, size=st.integers(1, 5), finish=st.sampled_from(["stop", "length", "tool", "filter"]))
def test_any_answer_streamed_equals_the_answer_whole(parts: list[Part], size: int, finish: Finish) -> None:
    """Whatever parts an answer has, in whatever order, and wherever it was cut off."""
    parts = [part for number, part in enumerate(parts) if not _runs_on(part, parts[number - 1] if number else None)]
    reply = reply_of(parts, finish)
    last = events_of(streamed(reply, size))[-1]
    assert last["response"] == json.loads(write_reply(reply, CHAT, lambda: 5.0))


def _runs_on(part: Part, before: Part | None) -> bool:
    """Two refusals in a row are one in a stream: no delta says where the second begins."""
    return isinstance(part, Refusal) and isinstance(before, Refusal)
