"""Streams of events, read from vendors."""

from __future__ import annotations

import json

import pytest

from gateline.formats.responses.reader import ResponseReader
from gateline.formats.responses.reply import read_reply, write_reply
from gateline.formats.responses.writer import ResponseWriter
from gateline.formats.translation import Translation
from gateline.model.chat import Seal
from gateline.model.chatreply import (
    Began,
    Counted,
    Finished,
    ReasoningDelta,
    ReasoningSealed,
    TextDelta,
    ToolBegan,
    ToolDelta,
)
from gateline.model.errors import UpstreamBroken
from gateline.model.usage import Usage
from tests.formats.responses.shapes import PARTS, USAGE, events_of, reply_of
from tests.formats.responses.streams import CHAT, CREATED, completed, event, read, streamed


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
