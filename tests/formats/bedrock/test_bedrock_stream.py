"""Converse's streams, in both directions and on their way through."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from gateline.formats.bedrock.reader import StreamReader
from gateline.formats.bedrock.writer import StreamWriter
from gateline.formats.contract import Codec
from gateline.formats.table import SERVERS, WATCHES
from gateline.model.call import Call
from gateline.model.chat import Choice, Citation, Media, Part, Reasoning, Refusal, Seal, Text, ToolUse
from gateline.model.chatreply import (
    Began,
    ChatReply,
    Cited,
    Counted,
    Delta,
    Finished,
    MediaDelta,
    ReasoningDelta,
    ReasoningSealed,
    RefusalDelta,
    TextDelta,
    ToolBegan,
    ToolDelta,
)
from gateline.model.errors import RateLimited, UpstreamBroken, UpstreamError, UpstreamRefused
from gateline.model.usage import Usage
from gateline.wire.eventstream import write_message
from tests.formats.bedrock.wire import (
    BEGIN,
    METADATA,
    assemble,
    block,
    chat,
    event,
    exception,
    finish,
    read_stream,
    write_stream,
)

USED = Counted(usage=Usage(input=18, output=7, cached=3, cache_write=5, cache_write_1h=4))
THOUGHT = block(
    0,
    *({"reasoningContent": {"text": piece}} for piece in ("Let ", "", "me")),
    {"reasoningContent": {"signature": "c2ln"}},
)
USE = {"toolUse": {"toolUseId": "t", "name": "f"}}
WHOLE = (
    BEGIN
    + THOUGHT
    + block(1, {"text": "Grüße "}, {"text": "👋"})
    + block(2, {"toolUse": {"input": '{"a"'}}, {"toolUse": {"input": ":1}"}}, start=USE)
    + block(3, {"toolUse": {"input": ""}}, start={"toolUse": {"toolUseId": "u", "name": "g"}})
    + finish("tool_use")
)
DELTAS: list[Delta] = [
    Began(id="", model=""),
    ReasoningDelta(text="Let "),
    ReasoningDelta(text="me"),
    ReasoningSealed(seal=Seal("anthropic", "c2ln")),
    TextDelta(text="Grüße "),
    TextDelta(text="👋"),
    ToolBegan(index=0, id="t", name="f"),
    ToolDelta(index=0, arguments='{"a"'),
    ToolDelta(index=0, arguments=":1}"),
    ToolBegan(index=1, id="u", name="g"),
    ToolDelta(index=1, arguments="{}"),
    Finished(finish="tool"),
    USED,
]


def test_a_stream_is_read_however_it_was_cut() -> None:
    """Whole, in two pieces at every place, and byte by byte."""
    assert read_stream(WHOLE)[0] == DELTAS
    for cut in range(1, len(WHOLE)):
        assert read_stream(WHOLE, [cut])[0] == DELTAS
    deltas, reader = read_stream(WHOLE, range(1, len(WHOLE)))
    assert (deltas, reader.done, reader.error) == (DELTAS, True, None)


def test_usage_may_come_ahead_of_the_end_or_not_at_all() -> None:
    """The message's end is what makes a stream whole."""
    stop = event("messageStop", stopReason="end_turn")
    for stream, is_counted in ((METADATA + stop, True), (stop, False)):
        deltas, reader = read_stream(BEGIN + block(0, {"text": "a"}) + stream)
        assert (reader.done, reader.error, USED in deltas) == (True, None, is_counted)
    _, reader = read_stream(BEGIN + block(0, {"text": "a"}) + METADATA)
    assert isinstance(reader.error, UpstreamBroken)


def test_citations_wait_for_the_end_of_their_text() -> None:
    """They come ahead of it on the wire."""
    quote = {"citation": {"title": "facts", "sourceContent": [{"text": "q"}], "location": {}}}
    deltas, _ = read_stream(BEGIN + block(0, quote, {"text": "ab"}, {"text": "c"}) + finish())
    assert deltas[1:4] == [
        TextDelta(text="ab"),
        TextDelta(text="c"),
        Cited(citation=Citation(title="facts", quote="q", start=0, end=3)),
    ]


def test_what_is_not_shown_is_kept() -> None:
    """A signature without text is a block of its own, hidden reasoning too; tools of the vendor's own are left out."""
    server = {"toolUse": {"toolUseId": "s", "name": "grounding", "type": "server_tool_use"}}
    stream = (
        BEGIN
        + block(0, {"reasoningContent": {"signature": "c2"}}, {"reasoningContent": {"signature": "ln"}})
        + block(1, {"reasoningContent": {"redactedContent": "ZGF0YQ=="}})
        + block(2, {"toolUse": {"input": "{}"}}, start=server)
        + event("novelty", x=1)
        + block(3, {"text": "a"}, start={})
        + block(4, {"text": "b"})
        + finish()
    )
    assert read_stream(stream)[0][1:-2] == [
        ReasoningDelta(text=""),
        ReasoningSealed(seal=Seal("anthropic", "c2ln")),
        ReasoningSealed(seal=Seal("anthropic", "data"), is_hidden=True),
        TextDelta(text="a"),
        TextDelta(text="b", is_new=True),
    ]


def _reader() -> StreamReader:
    return StreamReader("SECRETSECRET")


def _codec() -> Codec:
    make = WATCHES["converse"].codec
    assert make is not None
    return make(Call("converse", "m", {}, True), "SECRETSECRET")


@pytest.mark.parametrize("make", [_reader, _codec])
@pytest.mark.parametrize(
    ("tail", "kind", "status", "words"),
    [
        (b"", UpstreamBroken, 502, "broke off"),
        (METADATA[:20], UpstreamBroken, 502, "broke off"),
        (METADATA[:-1] + b"\0", UpstreamBroken, 502, "checksum"),
        (event("contentBlockDelta")[:-4], UpstreamBroken, 502, "broke off"),
        (exception("throttlingException", "slow down SECRETSECRET"), UpstreamRefused, 429, "slow down"),
        (exception("validationException", "bad"), UpstreamRefused, 400, "bad"),
        (exception("internalServerException", "oh"), UpstreamRefused, 500, "oh"),
        (exception("serviceUnavailableException", "gone"), UpstreamRefused, 503, "gone"),
        (exception("modelStreamErrorException", "model"), UpstreamError, 502, "model"),
        (write_message({":message-type": "error", ":error-code": "x", ":error-message": "y"}, b""),
         UpstreamError, 502, "y"),
        (write_message({":message-type": "exception", ":exception-type": "x"}, b"<"), UpstreamBroken, 502, "not its"),
    ],
)  # fmt: skip
def test_a_stream_that_fails_is_an_error(
    make: Callable[[], StreamReader | Codec], tail: bytes, kind: type, status: int, words: str
) -> None:
    """What came ahead of it is there; what was wrong is told, without the secret; nothing follows."""
    stream = make()
    came = stream.feed(BEGIN + block(0, {"text": "a"}))
    assert came
    stream.feed(tail)
    stream.end()
    error = stream.error
    assert error is not None
    assert (type(error), error.status, stream.done) == (kind, status, False)
    assert words in str(error)
    assert "SECRET" not in str(error)
    assert not stream.feed(METADATA)


def test_a_malformed_event_is_broken() -> None:
    """Also where its checksum is right."""
    bad = write_message({":message-type": "event", ":event-type": "contentBlockDelta"}, b'{"delta":[]}')
    deltas, reader = read_stream(BEGIN + block(0, {"text": "a"}) + bad)
    assert (isinstance(reader.error, UpstreamBroken), deltas[-1]) == (True, TextDelta(text="a"))


def test_a_stream_passes_byte_for_byte() -> None:
    """In whatever pieces it comes; what ends it is kept back, and its usage read."""
    end = WHOLE.rindex(event("messageStop", stopReason="tool_use"))
    for size in (1, 7, 100, len(WHOLE)):
        codec = _codec()
        passed = b"".join(codec.feed(WHOLE[at : at + size]) for at in range(0, len(WHOLE), size))
        assert (passed, codec.last) == (WHOLE[:end], WHOLE[end:])
        assert (codec.done, codec.visible, codec.usage) == (True, True, USED.usage)


def test_a_stream_without_usage_passes_whole() -> None:
    """Its usage is unknown; what comes ahead of anything to be seen is not visible."""
    codec = _codec()
    stop = event("messageStop", stopReason="end_turn")
    assert codec.feed(BEGIN + event("contentBlockDelta", contentBlockIndex=0, delta={"text": ""}))
    assert not codec.visible
    codec.feed(block(0, {"text": "a"}) + stop)
    codec.end()
    assert (codec.done, codec.last, codec.usage, codec.error) == (True, stop, None, None)


def written(*parts: Part, finish: str = "stop") -> dict[str, object]:
    reply = ChatReply(id="", model="", choices=[Choice(parts=list(parts), finish=finish)], usage=USED.usage)  # type: ignore[arg-type]
    found: dict[str, object] = json.loads(SERVERS["converse"].write_reply(reply, chat()))
    return found


@pytest.mark.parametrize(
    ("deltas", "parts"),
    [
        ([TextDelta(text="a"), TextDelta(text="b"), TextDelta(text="c", is_new=True)],
         [Text(text="ab"), Text(text="c")]),
        ([ReasoningDelta(text="t"), ReasoningSealed(seal=Seal("anthropic", "s")), TextDelta(text="a")],
         [Reasoning(text="t", seal=Seal("anthropic", "s")), Text(text="a")]),
        ([ReasoningDelta(text="p", id="rs"), ReasoningDelta(text="q", id="rs", is_new=True),
          ReasoningSealed(seal=Seal("openai", "e"), id="rs")],
         [Reasoning(text="p\n\nq", seal=Seal("openai", "e"), id="rs")]),
        ([ReasoningSealed(seal=Seal("openai", "e"), is_hidden=True, id="rs")],
         [Reasoning(seal=Seal("openai", "e"), is_hidden=True, id="rs")]),
        ([ToolBegan(index=0, id="t", name="f", seal=Seal("gemini", "g")), ToolDelta(index=0, arguments='{"a":1}'),
          ToolBegan(index=1, id="u", name="g")],
         [ToolUse(id="t", name="f", arguments='{"a":1}', seal=Seal("gemini", "g")), ToolUse(id="u", name="g")]),
        ([ToolBegan(index=0, id="t", name="f"), ToolBegan(index=1, id="u", name="g"),
          ToolDelta(index=0, arguments='{"a"'), ToolDelta(index=1, arguments='{"b":2}'),
          ToolDelta(index=0, arguments=":1}")],
         [ToolUse(id="t", name="f", arguments='{"a":1}'), ToolUse(id="u", name="g", arguments='{"b":2}')]),
        ([TextDelta(text="a"), TextDelta(text="", seal=Seal("gemini", "g"))],
         [Text(text="a", seal=Seal("gemini", "g"))]),
        ([TextDelta(text="", seal=Seal("gemini", "g"))], [Text(text="", seal=Seal("gemini", "g"))]),
        ([RefusalDelta(text="no")], [Refusal(text="no")]),
        ([MediaDelta(media=Media(kind="audio", transcript="la"))], [Media(kind="audio", transcript="la")]),
        ([TextDelta(text="a"), Cited(citation=Citation(url="https://a", quote="q"))],
         [Text(text="a", citations=[Citation(url="https://a", quote="q")])]),
    ],
)  # fmt: skip
def test_what_a_client_assembles_is_the_whole_reply(deltas: list[Delta], parts: list[Part]) -> None:
    """Every event fits the service's model; put together they are what one reply would have been."""
    stream = write_stream([Began(id="i", model="m"), *deltas, Finished(finish="stop"), USED])
    assert assemble(stream) == written(*parts)


def test_a_stream_that_is_read_and_written_is_read_the_same() -> None:
    """Deltas survive the format."""
    assert read_stream(write_stream(DELTAS))[0] == [*DELTAS[:1], *DELTAS[1:]]


def test_an_empty_answer_is_whole() -> None:
    """A beginning and an end, of another choice nothing."""
    stream = write_stream([TextDelta(text="x", choice=1)])
    assert assemble(stream)["output"]["message"]["content"] == []


def test_a_failed_stream_ends_in_an_exception() -> None:
    """Whose name the SDK knows, and its message."""
    writer = StreamWriter(chat(), "req_1")
    cases = ((RateLimited("slow"), "throttlingException", "slow"),
             (UpstreamBroken("cut"), "modelStreamErrorException", "cut (request id req_9)"),
             (UpstreamRefused("x", 504), "internalServerException", "x (request id req_9)"))  # fmt: skip
    for error, name, message in cases:
        _, reader = read_stream(BEGIN + writer.fail(error, "req_9"))
        assert str(reader.error) == message
        assert name.encode() in writer.fail(error, "req_9")
        assert writer.fail(error, "req_9") == _codec().fail(error, "req_9")
