"""Streams of events: written for clients, read from vendors."""

from __future__ import annotations

import json

import httpx2
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.formats.responses.reader import ResponseReader
from gateline.formats.responses.reply import read_reply, write_reply
from gateline.formats.responses.writer import ResponseWriter
from gateline.formats.translation import Translation
from gateline.model.chat import Chat, Citation, Finish, Part, Reasoning, Refusal, Seal, Text, Tokens, ToolUse
from gateline.model.chatreply import (
    Began,
    ChatReply,
    Counted,
    Delta,
    Finished,
    ReasoningDelta,
    ReasoningSealed,
    TextDelta,
    ToolBegan,
    ToolDelta,
)
from gateline.model.errors import RateLimited, UpstreamBroken
from gateline.model.usage import Usage
from tests.formats.responses.shapes import PARTS, USAGE, deltas_of, events_of, reply_of

CHAT = Chat(model="asked-for", turns=[])


def streamed(reply: ChatReply, size: int = 3) -> bytes:
    writer = ResponseWriter(CHAT, "req_1", lambda: 5.0)
    return writer.write(deltas_of(reply, size)) + writer.end()


def read(stream: bytes, size: int = 0) -> tuple[list[Delta], ResponseReader]:
    reader = ResponseReader("top-secret-1")
    deltas: list[Delta] = []
    step = size or max(len(stream), 1)
    for at in range(0, len(stream), step):
        deltas += reader.feed(stream[at : at + step])
    reader.end()
    return deltas, reader


def event(kind: str, **fields: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind} | fields)}\n\n".encode()


def completed(**fields: object) -> bytes:
    return event("response.completed", response={"id": "resp_1", "status": "completed", "output": []} | fields)


CREATED = event("response.created", response={"id": "resp_1", "model": "m", "created_at": 7, "status": "in_progress"})


# --- for clients ---


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


# --- from vendors ---


@pytest.mark.parametrize("name", ["text", "two texts", "tools", "text and tool", "refusal", "reasoning", "citations"])
def test_a_stream_cut_at_any_byte_gives_what_it_gives_whole(name: str) -> None:
    """Also with line ends of two bytes, and in the middle of a character."""
    stream = streamed(reply_of(PARTS[name]))
    whole, reader = read(stream)
    assert reader.done
    for size in (1, 2, 3, 7, 64):
        assert read(stream, size)[0] == whole
    assert read(stream.replace(b"\n", b"\r\n"), 1)[0] == whole


@pytest.mark.parametrize("name", PARTS)
def test_what_is_read_from_a_stream_is_what_is_read_from_the_whole(name: str) -> None:
    """A client gets the same response, streamed or not, from a vendor of this format."""
    stream = streamed(reply_of(PARTS[name]))
    translation = Translation(ResponseReader(""), ResponseWriter(CHAT, "req_1", lambda: 5.0))
    out = translation.feed(stream) + translation.last
    assert translation.usage == USAGE
    vendors = write_reply(reply_of(PARTS[name]), CHAT)
    assert events_of(out)[-1]["response"] == json.loads(write_reply(read_reply(vendors, ""), CHAT, lambda: 5.0))


PIECES = [
    event("response.function_call_arguments.delta", output_index=0, item_id="x", delta='{"a":'),
    event("response.function_call_arguments.delta", output_index=0, item_id="y", delta="1}"),
]
DONE = event("response.function_call_arguments.done", output_index=0, item_id="z", arguments='{"a":1}')
ITEM = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": ""}
ADDED = event("response.output_item.added", output_index=0, item=ITEM)
ITEM_DONE = event("response.output_item.done", output_index=0, item=ITEM | {"arguments": '{"a":1}'})


@pytest.mark.parametrize(
    "events",
    [
        [ADDED, *PIECES, DONE, ITEM_DONE],
        [ADDED, DONE, ITEM_DONE],
        [ADDED, ITEM_DONE],
        [ITEM_DONE],
        [ADDED, PIECES[0], ITEM_DONE],
        [ADDED, PIECES[0], DONE],
    ],
)
@pytest.mark.parametrize("in_last", [True, False])
def test_arguments_are_the_same_however_they_come(events: list[bytes], in_last: bool) -> None:
    """In pieces, in one, in the event that ends them, or only in the item that is done."""
    output = [ITEM | {"arguments": '{"a":1}'}] if in_last else []
    deltas, reader = read(CREATED + b"".join(events) + completed(output=output))
    assert reader.done
    assert [(delta.id, delta.name) for delta in deltas if isinstance(delta, ToolBegan)] == [("call_1", "f")]
    assert "".join(delta.arguments for delta in deltas if isinstance(delta, ToolDelta)) == '{"a":1}'
    assert deltas[-1] == Finished(finish="tool")


def test_an_answer_that_stands_only_in_the_last_event_is_read() -> None:
    """A vendor that sends no items of their own is understood all the same."""
    message = {"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}
    deltas, _ = read(completed(model="m", output=[message], usage={"input_tokens": 1, "output_tokens": 2}))
    assert [type(delta) for delta in deltas] == [Began, TextDelta, Counted, Finished]


def test_items_that_are_numbered_anew_at_the_end_are_not_read_twice() -> None:
    """xAI leaves its own tools' items out of some lists and not of others."""
    message = {"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}
    stream = CREATED + event("response.output_item.added", output_index=3, item=message | {"content": []})
    stream += event("response.output_text.delta", output_index=3, content_index=0, delta="Hi")
    deltas, _ = read(stream + completed(output=[message]))
    assert [delta.text for delta in deltas if isinstance(delta, TextDelta)] == ["Hi"]


def test_log_probabilities_are_read_once() -> None:
    """They come with the pieces, and again with the text that is done: with more of it, or all, than came before."""
    token = {"token": "H", "logprob": -0.5, "top_logprobs": []}
    piece = event("response.output_text.delta", output_index=0, content_index=0, delta="H", logprobs=[token])
    done = event("response.output_text.done", output_index=0, content_index=0, text="Hi", logprobs=[token, token])
    deltas, _ = read(CREATED + piece + done + completed())
    assert [len(delta.logprobs or []) for delta in deltas if isinstance(delta, TextDelta)] == [1, 0]
    deltas, _ = read(CREATED + done + completed())
    assert [len(delta.logprobs or []) for delta in deltas if isinstance(delta, TextDelta)] == [2]


def test_paragraphs_of_a_summary_are_one_block() -> None:
    """As in a whole reply; and what the vendor says twice is read once."""
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": []}
    stream = CREATED + event("response.output_item.added", output_index=0, item=reasoning)
    for number, text in enumerate(["a", "b"]):
        stream += event("response.reasoning_summary_text.delta", output_index=0, summary_index=number, delta=text)
        stream += event("response.reasoning_summary_text.done", output_index=0, summary_index=number, text=text)
    stream += event("response.reasoning_text.done", output_index=0, content_index=0, text="in full")
    summary = [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}]
    done = reasoning | {"summary": summary, "encrypted_content": "E"}
    stream += event("response.output_item.done", output_index=0, item=done) + completed(output=[done])
    deltas, _ = read(stream)
    assert deltas[1:-1] == [
        ReasoningDelta(text="a", is_new=True, id="rs_1"),
        ReasoningDelta(text="\n\n", id="rs_1"),
        ReasoningDelta(text="b", id="rs_1"),
        ReasoningSealed(seal=Seal("openai", "E"), id="rs_1"),
    ]


def test_reasoning_in_full_is_read() -> None:
    """DeepSeek streams `reasoning_text`."""
    stream = CREATED + event("response.reasoning_text.delta", output_index=0, content_index=0, delta="We need")
    deltas, _ = read(stream + completed())
    assert deltas[1] == ReasoningDelta(text="We need", is_new=True)


@pytest.mark.parametrize(
    "error",
    [
        {"error": {"type": "insufficient_quota", "code": "quota", "message": "Pay, top-secret-1"}},
        {"code": "quota", "message": "Pay, top-secret-1", "param": None},
    ],
)
def test_an_error_event_is_an_error_in_either_shape(error: dict[str, object]) -> None:
    """OpenAI sends what its types do not say; what came ahead of it is still given, the secret is not."""
    stream = CREATED + event("response.output_text.delta", output_index=0, content_index=0, delta="He")
    deltas, reader = read(stream + event("error", sequence_number=2, **error) + completed())
    assert TextDelta(text="He") in deltas
    assert not reader.done
    assert reader.error is not None
    assert reader.error.reason == "quota"
    assert "Pay" in str(reader.error)
    assert "top-secret-1" not in str(reader.error)


@pytest.mark.parametrize("kind", ["response.failed", "response.cancelled"])
def test_what_a_failed_response_cost_is_told(kind: str) -> None:
    """Its tokens are billed: they come ahead of the error."""
    usage = {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12}
    failed = {"id": "resp_1", "status": "failed", "usage": usage, "error": {"code": "server_error", "message": "Oops"}}
    deltas, reader = read(CREATED + event(kind, response=failed))
    assert deltas[-1] == Counted(usage=Usage(5, 7))
    assert reader.error is not None


def test_a_failed_response_is_an_error() -> None:
    """Its own error says why."""
    failed = {"id": "resp_1", "status": "failed", "error": {"code": "server_error", "message": "Oops"}}
    _, reader = read(CREATED + event("response.failed", response=failed))
    assert reader.error is not None
    assert str(reader.error) == "Oops"
    _, reader = read(CREATED + event("response.failed", response={"id": "resp_1", "status": "failed"}))
    assert reader.error is not None


@pytest.mark.parametrize(
    ("reason", "finish"), [("max_output_tokens", "length"), ("content_filter", "filter"), (None, "length")]
)
def test_an_incomplete_response_says_why(reason: str | None, finish: str) -> None:
    """Both are ends of a whole stream."""
    response = {"id": "resp_1", "incomplete_details": {"reason": reason}, "output": []}
    deltas, reader = read(CREATED + event("response.incomplete", response=response))
    assert reader.done
    assert deltas[-1] == Finished(finish=finish)  # type: ignore[arg-type]


def test_a_stream_without_its_end_is_broken() -> None:
    """`[DONE]` alone does not say that the response completed."""
    text = event("response.output_text.delta", output_index=0, content_index=0, delta="He")
    for stream in (b"", CREATED, CREATED + text, CREATED + text + b"data: [DONE]\n\n", CREATED + completed()[:-9]):
        _, reader = read(stream)
        assert isinstance(reader.error, UpstreamBroken)


@pytest.mark.parametrize("data", [b"{", b"[]", b"hello", b'{"type":"response.output_text.delta","delta":5}'])
def test_a_malformed_event_is_broken(data: bytes) -> None:
    """It ends the stream instead of passing for an answer."""
    _, reader = read(CREATED + b"data: " + data + b"\n\n" + completed())
    assert isinstance(reader.error, UpstreamBroken)


def test_events_of_unknown_types_are_passed_over() -> None:
    """Whatever shape they have; comments too."""
    unknown = event("response.future.delta", delta={"a": 1}, item=5) + b": ping\n\n" + event("response.queued")
    deltas, reader = read(CREATED + unknown + completed())
    assert reader.done
    assert [type(delta) for delta in deltas] == [Began, Finished]


def test_events_may_be_named_by_their_event_line_alone() -> None:
    """Some vendors leave `type` out of the data."""
    named = b'event: response.output_text.delta\ndata: {"output_index":0,"content_index":0,"delta":"x"}\n\n'
    deltas, _ = read(CREATED + named + completed())
    assert TextDelta(text="x") in deltas


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
