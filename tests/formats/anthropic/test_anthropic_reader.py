from __future__ import annotations

import json
from typing import Any

import pytest

from gateline.formats.anthropic.reader import StreamReader
from gateline.formats.anthropic.sides import MESSAGES, MESSAGES_CLIENT
from gateline.model.chat import Chat, Citation, Seal
from gateline.model.chatreply import (
    Began,
    Cited,
    Counted,
    Delta,
    Finished,
    ReasoningDelta,
    ReasoningSealed,
    RefusalDelta,
    TextDelta,
    ToolBegan,
    ToolDelta,
)
from gateline.model.errors import UpstreamBroken, UpstreamError
from gateline.model.usage import Usage
from tests.formats.anthropic.stream import USAGE, assemble, block, event, finish, read, start, text, tool

BEFORE = Usage(18, 1, cached=3, cache_write=5, cache_write_1h=4)
AFTER = Usage(18, 7, cached=3, cache_write=5, cache_write_1h=4)
BEGAN: list[Delta] = [Began(id="msg_1", model="claude", service_tier="standard"), Counted(usage=BEFORE)]
CITATION = {"type": "char_location", "cited_text": "q", "document_index": 0, "document_title": "T"}


def ended(finished: Finished) -> list[Delta]:
    return [Counted(usage=AFTER), finished]


def whole() -> bytes:
    """A stream with everything in it."""
    return b"".join(
        [
            start(),
            event("ping"),
            block(
                0,
                {"type": "thinking", "thinking": "", "signature": ""},
                {"type": "thinking_delta", "thinking": "hm "},
                {"type": "thinking_delta", "thinking": "€"},
                {"type": "signature_delta", "signature": "S1"},
            ),
            block(1, {"type": "redacted_thinking", "data": "R"}),
            block(
                2,
                {"type": "text", "text": "", "citations": []},
                {"type": "citations_delta", "citation": CITATION},
                {"type": "text_delta", "text": "caf"},
                {"type": "text_delta", "text": "é 🎉"},
            ),
            text(3, "more"),
            block(
                4,
                {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
                {"type": "input_json_delta", "partial_json": "{}"},
            ),
            event("brand_new", index=4),
            tool(5, "f", "", '{"a"', ":1}"),
            tool(6, "g", ""),
            block(7, {"type": "thinking", "thinking": ""}, {"type": "signature_delta", "signature": "S2"}),
            finish("tool_use"),
        ]
    )


WHOLE: list[Delta] = [
    *BEGAN,
    ReasoningDelta(text="hm "),
    ReasoningDelta(text="€"),
    ReasoningSealed(seal=Seal("anthropic", "S1")),
    ReasoningSealed(seal=Seal("anthropic", "R"), is_hidden=True),
    TextDelta(text="caf"),
    TextDelta(text="é 🎉"),
    Cited(citation=Citation(title="T", quote="q", start=0, end=6)),
    TextDelta(text="more", is_new=True),
    ToolBegan(index=0, id="toolu_f", name="f"),
    ToolDelta(index=0, arguments='{"a"'),
    ToolDelta(index=0, arguments=":1}"),
    ToolBegan(index=1, id="toolu_g", name="g"),
    ToolDelta(index=1, arguments="{}"),
    ReasoningDelta(text="", is_new=True),
    ReasoningSealed(seal=Seal("anthropic", "S2")),
    *ended(Finished(finish="tool")),
]


def test_a_stream_becomes_deltas() -> None:
    """Every kind of block becomes its deltas in order; pings, tools of the vendor and new events are skipped."""
    deltas, reader = read(whole())
    assert deltas == WHOLE
    assert reader.done
    assert reader.error is None


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_cuts_change_nothing(end: bytes) -> None:
    """A stream cut at any byte, or at all of them, with any line ends, becomes the same deltas."""
    stream = whole().replace(b"\n", end)
    for cut in range(len(stream)):
        deltas, reader = read(stream, [cut])
        assert (deltas, reader.done, reader.error) == (WHOLE, True, None), cut
    assert read(stream, range(len(stream)))[0] == WHOLE


@pytest.mark.parametrize(
    "pieces",
    [
        tool(0, "f", '{"x": 1}'),
        tool(0, "f", "", *'{"x": 1}'),
        block(0, {"type": "tool_use", "id": "toolu_f", "name": "f", "input": {"x": 1}}),
        block(
            0,
            {"type": "tool_use", "id": "toolu_f", "name": "f", "input": {"x": 1}},
            {"type": "input_json_delta", "partial_json": '{"x": 1}'},
        ),
    ],
)
def test_arguments_arrive_however_they_are_sent(pieces: bytes) -> None:
    """In one piece, in many, or with the beginning of the block: the object is the same, and comes once."""
    deltas, _ = read(start() + pieces + finish("tool_use"))
    arguments = "".join(delta.arguments for delta in deltas if isinstance(delta, ToolDelta))
    assert json.loads(arguments) == {"x": 1}


def test_interleaved_tools_keep_their_index() -> None:
    """Pieces of two tools that alternate go to their own."""
    opened = [
        event(
            "content_block_start", index=at, content_block={"type": "tool_use", "id": name, "name": name, "input": {}}
        )
        for at, name in enumerate("ab")
    ]
    pieces = [
        event("content_block_delta", index=at % 2, delta={"type": "input_json_delta", "partial_json": piece})
        for at, piece in enumerate(["{", "[", "}", "]"])
    ]
    closed = [event("content_block_stop", index=at) for at in range(2)]
    deltas, _ = read(start() + b"".join([*opened, *pieces, *closed]) + finish("tool_use"))
    for index, text_ in enumerate(["{}", "[]"]):
        assert "".join(d.arguments for d in deltas if isinstance(d, ToolDelta) and d.index == index) == text_


def test_a_delta_whose_block_did_not_begin_begins_it() -> None:
    """It says of which kind it is; but arguments do not say of which tool they are."""
    said = event("content_block_delta", index=3, delta={"type": "text_delta", "text": "hi"})
    thought = event("content_block_delta", index=2, delta={"type": "thinking_delta", "thinking": "hm"})
    deltas, reader = read(start() + thought + said + said + finish())
    shown = [delta for delta in deltas if isinstance(delta, TextDelta | ReasoningDelta)]
    assert shown == [ReasoningDelta(text="hm"), TextDelta(text="hi"), TextDelta(text="hi")]
    assert reader.done
    arguments = event("content_block_delta", index=0, delta={"type": "input_json_delta", "partial_json": "{"})
    _, reader = read(start() + arguments + finish())
    assert isinstance(reader.error, UpstreamBroken)


def test_later_counts_overrule() -> None:
    """Counts at the end are totals; those that are missing hold from the beginning."""
    deltas, _ = read(start() + finish(input_tokens=61, output_tokens_details={"thinking_tokens": 3}))
    assert [delta.usage for delta in deltas if isinstance(delta, Counted)] == [
        BEFORE,
        Usage(69, 7, cached=3, reasoning=3, cache_write=5, cache_write_1h=4),
    ]
    assert not any(isinstance(delta, Counted) for delta in read(start(None) + finish())[0])


def test_refusals_bring_their_words() -> None:
    """The vendor's explanation is what the model refuses with."""
    details = {"type": "refusal", "category": "cyber", "explanation": "against policy"}
    stream = start() + event("message_delta", delta={"stop_reason": "refusal", "stop_details": details}, usage=None)
    deltas, _ = read(stream + event("message_stop"))
    assert deltas == [*BEGAN, RefusalDelta(text="against policy"), Finished(finish="refusal")]


def test_other_endings_are_read() -> None:
    """The length that was reached, the sequence that stopped, and an end without any reason."""
    assert read(start() + text(0, "a") + finish("max_tokens"))[0][-1] == Finished(finish="length")
    assert read(start() + finish("stop_sequence", "END"))[0][-1] == Finished(finish="stop", stopped_by="END")
    deltas, reader = read(text(0, "a") + event("message_stop"))
    assert deltas == [Began(id="", model=""), TextDelta(text="a"), Finished(finish="stop")]
    assert reader.done


@pytest.mark.parametrize("kept", range(5))
def test_a_stream_without_its_end_is_broken(kept: int) -> None:
    """An upstream that stops before `message_stop` has not answered, whatever came."""
    events = [start(), text(0, "a"), event("ping"), finish().removesuffix(event("message_stop")), b": still there\n\n"]
    deltas, reader = read(b"".join(events[: kept + 1]))
    assert deltas
    assert not reader.done
    assert isinstance(reader.error, UpstreamBroken)


def test_the_last_blank_line_may_be_missing() -> None:
    """An upstream that closes right behind the line of `message_stop` has ended its stream."""
    deltas, reader = read((start() + text(0, "a") + finish()).rstrip())
    assert (reader.done, reader.error, deltas[-1]) == (True, None, Finished(finish="stop"))


def test_an_error_event_ends_it() -> None:
    """What came ahead is given, the vendor's word is kept, and the credential that was sent is cut out."""
    error = {"type": "overloaded_error", "message": "Overloaded: key sk-secret-0123456789"}
    reader = StreamReader("sk-secret-0123456789")
    deltas = reader.feed(start() + text(0, "a") + event("error", error=error) + text(1, "b"))
    assert deltas == [*BEGAN, TextDelta(text="a")]
    assert type(reader.error) is UpstreamError
    assert reader.error.reason == "overloaded_error"
    assert "Overloaded" in str(reader.error)
    assert "sk-secret" not in str(reader.error)
    assert reader.feed(text(1, "b")) == []
    reader.end()
    assert not reader.done


@pytest.mark.parametrize(
    "bad",
    [
        b"event: x\ndata: {\n\n",
        b"data: [1]\n\n",
        event("content_block_delta", index="one"),
        event("content_block_delta", index=0, delta={"type": "text_delta", "text": 7}),
        text(0, "x") + start(),
    ],
)
def test_what_is_not_the_format_is_broken(bad: bytes) -> None:
    """Malformed JSON, another shape, or a second message inside of the first end the stream."""
    _, reader = read(start() + bad + finish())
    assert isinstance(reader.error, UpstreamBroken)
    assert not reader.done


def test_a_beginning_sent_twice_counts_once() -> None:
    """Some vendors repeat `message_start`; nothing is doubled."""
    deltas, reader = read(start() + start() + text(0, "a") + finish())
    assert deltas == [*BEGAN, TextDelta(text="a"), *ended(Finished(finish="stop"))]
    assert reader.done


def test_open_blocks_are_bounded() -> None:
    """A vendor that opens blocks without end is stopped."""
    opened = (event("content_block_start", index=at, content_block={"type": "text", "text": ""}) for at in range(1_025))
    _, reader = read(start() + b"".join(opened) + finish())
    assert isinstance(reader.error, UpstreamBroken)


def test_citations_of_a_block_are_bounded() -> None:
    """Those beyond the ones that wait for the end of their block pass at once, and none is lost behind text."""
    cited = [{"type": "citations_delta", "citation": CITATION}] * 40
    deltas, _ = read(
        start() + block(0, {"type": "text", "text": ""}, {"type": "text_delta", "text": "a"}, *cited) + finish()
    )
    ends = [delta.citation.end for delta in deltas if isinstance(delta, Cited)]
    assert ends == [None] * 8 + [1] * 32


def test_whole_and_streamed_are_the_same() -> None:
    """The answer put together from a stream is the one that comes whole."""
    content: list[Any] = [
        {"type": "thinking", "thinking": "hm €", "signature": "S1"},
        {"type": "redacted_thinking", "data": "R"},
        {"type": "text", "text": "café 🎉", "citations": [CITATION]},
        {"type": "text", "text": "more"},
        {"type": "tool_use", "id": "toolu_f", "name": "f", "input": {"a": 1}},
        {"type": "tool_use", "id": "toolu_g", "name": "g", "input": {}},
        {"type": "thinking", "thinking": "", "signature": "S2"},
    ]
    body = json.dumps(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude",
            "content": content,
            "stop_reason": "tool_use",
            "stop_sequence": None,
            "usage": {**USAGE, "output_tokens": 7},
        }
    ).encode()
    asked = Chat(model="m", turns=[])
    writer = MESSAGES.writer
    assert writer is not None
    stream = writer(asked, "r")
    streamed = stream.write(read(whole())[0]) + stream.end()
    found = assemble(streamed)
    expected = json.loads(MESSAGES.write_reply(MESSAGES_CLIENT.read_reply(body, ""), asked))
    assert found == {key: value for key, value in expected.items() if value is not None}
