"""Cohere's answers, whole and as streams, in both directions and on their way through."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from gateline.formats.cohere.reader import StreamReader
from gateline.formats.contract import Codec
from gateline.formats.table import CLIENTS, SERVERS, WATCHES
from gateline.model.call import Call
from gateline.model.chat import Choice, Citation, Finish, Media, Part, Reasoning, Refusal, Seal, Text, Tokens, ToolUse
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
from gateline.model.errors import UpstreamBroken, UpstreamError, UpstreamTimeout
from gateline.model.usage import Usage
from tests.formats.cohere.wire import (
    BEGIN,
    DONE,
    USAGE,
    assemble,
    chat,
    check,
    content,
    end,
    event,
    message,
    read,
    read_stream,
    tool,
    write_stream,
)

COUNTED = Usage(input=12, output=7, cached=5, reasoning=3)
USED = Counted(usage=COUNTED)
SOURCE = {"type": "document", "id": "d", "document": {"id": "d", "text": "q", "title": "T", "url": "https://a"}}
QUOTED = {"start": 0, "end": 3, "text": "Grü", "sources": [SOURCE], "type": "TEXT_CONTENT", "content_index": 1}
CITATION = Citation(url="https://a", title="T", quote="q", document="d", start=0, end=3)
WHOLE = (
    BEGIN
    + content(0, "thinking", "Let ", "me")
    + content(1, "text", "Grüße ", "👋")
    + message("citation-start", 0, citations=QUOTED)
    + event("citation-end", index=0)
    + message("tool-plan-delta", tool_plan="plan")
    + tool(0, "f", '{"a"', ":1}")
    + tool(1, "g")
    + end("TOOL_CALL")
    + DONE
)
DELTAS: list[Delta] = [
    Began(id="r-1", model=""),
    ReasoningDelta(text="Let "),
    ReasoningDelta(text="me"),
    TextDelta(text="Grüße "),
    TextDelta(text="👋"),
    Cited(citation=CITATION),
    TextDelta(text="plan", is_new=True),
    ToolBegan(index=0, id="f_1", name="f"),
    ToolDelta(index=0, arguments='{"a"'),
    ToolDelta(index=0, arguments=":1}"),
    ToolBegan(index=1, id="g_1", name="g"),
    USED,
    Finished(finish="tool"),
]


def test_a_stream_is_read_however_it_was_cut() -> None:
    """Whole, in two pieces at every place, byte by byte, and with other line ends."""
    assert read_stream(WHOLE)[0] == DELTAS
    for cut in range(1, len(WHOLE)):
        assert read_stream(WHOLE, [cut])[0] == DELTAS
    deltas, reader = read_stream(WHOLE.replace(b"\n", b"\r\n"), range(1, len(WHOLE)))
    assert (deltas, reader.done, reader.error) == (DELTAS, True, None)


def test_a_stream_may_end_without_the_last_word() -> None:
    """The message's end makes it whole; `[DONE]` alone does not."""
    _, reader = read_stream(WHOLE[: -len(DONE)])
    assert (reader.done, reader.error) == (True, None)
    _, reader = read_stream(BEGIN + DONE)
    assert isinstance(reader.error, UpstreamBroken)


def test_null_is_no_argument() -> None:
    """Cohere writes it for a tool that takes none."""
    deltas, _ = read_stream(BEGIN + tool(0, "g", "null") + end("TOOL_CALL") + DONE)
    assert [type(delta) for delta in deltas] == [Began, ToolBegan, ToolDelta, Counted, Finished]
    assert deltas[2] == ToolDelta(index=0, arguments="{}")


def test_log_probabilities_are_read() -> None:
    """Tokens that make up one text are one."""
    logprobs = {"text": "ab", "token_ids": [1, 2], "logprobs": [-0.5, -0.25]}
    stream = BEGIN + event("content-delta", index=0, delta={"message": {"content": {"text": "ab"}}}, logprobs=logprobs)
    deltas, _ = read_stream(stream + end() + DONE)
    assert deltas[1] == TextDelta(text="ab", logprobs=[Tokens(token="ab", logprob=-0.75)])


def _reader() -> StreamReader:
    return StreamReader("SECRETSECRET")


def _codec() -> Codec:
    make = WATCHES["cohere.chat"].codec
    assert make is not None
    return make(Call("cohere.chat", "m", {}, True), "SECRETSECRET")


@pytest.mark.parametrize("make", [_reader, _codec])
@pytest.mark.parametrize(
    ("tail", "kind", "words"),
    [
        (b"", UpstreamBroken, "broke off"),
        (end()[:-9], UpstreamBroken, ""),
        (b"data: <\n\n", UpstreamBroken, "not its"),
        (event("message-end", delta={"finish_reason": "ERROR", "error": "no room SECRETSECRET"}), UpstreamError,
         "no room"),
        (end("ERROR"), UpstreamError, "failed"),
        (end("TIMEOUT"), UpstreamTimeout, "too long"),
        (b'data: {"message":"too many tokens","id":"x"}\n\n', UpstreamError, "too many tokens"),
        (DONE, UpstreamBroken, "before its message"),
    ],
)  # fmt: skip
def test_a_stream_that_fails_is_an_error(
    make: Callable[[], StreamReader | Codec], tail: bytes, kind: type, words: str
) -> None:
    """What came ahead of it is there; what was wrong is told, without the secret; nothing follows."""
    stream = make()
    assert stream.feed(BEGIN + content(0, "text", "a"))
    stream.feed(tail)
    stream.end()
    assert (type(stream.error), stream.done) == (kind, False)
    assert words in str(stream.error)
    assert "SECRET" not in str(stream.error)
    assert not stream.feed(end() + DONE)


def test_a_stream_passes_byte_for_byte() -> None:
    """In whatever pieces it comes; what ends it is kept back, and its usage read."""
    at_end = WHOLE.index(b"event: message-end")
    for size in (1, 7, 100, len(WHOLE)):
        codec = _codec()
        passed = b"".join(codec.feed(WHOLE[at : at + size]) for at in range(0, len(WHOLE), size))
        assert (passed, codec.last) == (WHOLE[:at_end], WHOLE[at_end:])
        assert (codec.done, codec.visible, codec.usage) == (True, True, COUNTED)
    codec = _codec()
    codec.feed(WHOLE[: -len(DONE)])
    codec.end()
    assert (codec.done, codec.last) == (True, WHOLE[at_end : -len(DONE)])


def test_what_shows_nothing_is_not_visible() -> None:
    """Neither the message's beginning nor a part's."""
    codec = _codec()
    codec.feed(BEGIN + message("content-start", 0, content={"type": "text", "text": ""}))
    assert not codec.visible
    codec.feed(message("tool-plan-delta", tool_plan="I"))
    assert codec.visible


def written(*parts: Part, finish: Finish = "stop") -> dict[str, Any]:
    reply = ChatReply(id="i", model="", choices=[Choice(parts=list(parts), finish=finish)], usage=COUNTED)
    found: dict[str, Any] = json.loads(SERVERS["cohere.chat"].write_reply(reply, chat()))
    check(found)
    return found


GEMINI = Seal("gemini", "g")


@pytest.mark.parametrize(
    ("deltas", "parts"),
    [
        ([TextDelta(text="a"), TextDelta(text="b"), TextDelta(text="c", is_new=True)],
         [Text(text="ab"), Text(text="c")]),
        ([ReasoningDelta(text="t"), ReasoningSealed(seal=Seal("anthropic", "s")), TextDelta(text="a")],
         [Reasoning(text="t", seal=Seal("anthropic", "s")), Text(text="a")]),
        ([ReasoningDelta(text="p", id="rs"), ReasoningDelta(text="q", id="rs", is_new=True)],
         [Reasoning(text="p\n\nq", id="rs")]),
        ([ReasoningSealed(seal=Seal("openai", "e"), is_hidden=True, id="rs")],
         [Reasoning(seal=Seal("openai", "e"), is_hidden=True, id="rs")]),
        ([ToolBegan(index=0, id="t", name="f", seal=GEMINI), ToolDelta(index=0, arguments='{"a":1}'),
          ToolBegan(index=1, id="u", name="g")],
         [ToolUse(id="t", name="f", arguments='{"a":1}', seal=GEMINI), ToolUse(id="u", name="g")]),
        ([ToolBegan(index=0, id="t", name="f"), ToolBegan(index=1, id="u", name="g"),
          ToolDelta(index=0, arguments='{"a"'), ToolDelta(index=1, arguments='{"b":2}'),
          ToolDelta(index=0, arguments=":1}")],
         [ToolUse(id="t", name="f", arguments='{"a":1}'), ToolUse(id="u", name="g", arguments='{"b":2}')]),
        ([TextDelta(text="a"), TextDelta(text="", seal=GEMINI)], [Text(text="a", seal=GEMINI)]),
        ([RefusalDelta(text="no")], [Refusal(text="no")]),
        ([MediaDelta(media=Media(kind="audio", transcript="la"))], [Media(kind="audio", transcript="la")]),
        ([ReasoningDelta(text="t"), TextDelta(text="Grüße"), Cited(citation=CITATION)],
         [Reasoning(text="t"), Text(text="Grüße", citations=[CITATION])]),
    ],
)  # fmt: skip
def test_what_a_client_assembles_is_the_whole_reply(deltas: list[Delta], parts: list[Part]) -> None:
    """The SDK knows every event; put together they are what one reply would have been."""
    stream = write_stream([Began(id="i", model="m"), *deltas, Finished(finish="stop"), USED])
    assert assemble(stream) == written(*parts)


def test_seals_come_back_with_the_message() -> None:
    """In fields that the SDK keeps: a client that sends its message back sends them too."""
    parts: list[Part] = [
        Reasoning(text="t", seal=Seal("anthropic", "s")),
        Reasoning(seal=Seal("openai", "e"), is_hidden=True),
        Text(text="a", seal=GEMINI),
        ToolUse(id="t", name="f", arguments='{"a":1}', seal=GEMINI),
    ]
    kept = check(written(*parts, finish="tool")).message.model_dump(exclude_none=True)
    turns = read({"model": "m", "messages": [{"role": "user", "content": "hi"}, kept]}).turns
    assert turns[1].parts == parts


@pytest.mark.parametrize(
    ("finish", "word"),
    [("stop", "COMPLETE"), ("length", "MAX_TOKENS"), ("tool", "TOOL_CALL"), ("filter", "ERROR_TOXIC")],
)
def test_a_reply_comes_back(finish: Finish, word: str) -> None:
    """What is written as a server and read as a client is the same answer."""
    parts: list[Part] = [
        Reasoning(text="hm"),
        Text(text="Grüße", citations=[CITATION]),
        ToolUse(id="t", name="f", arguments='{"a":1}'),
    ]
    body = written(*parts, finish=finish)
    assert body["finish_reason"] == word
    again: ChatReply = CLIENTS["cohere.chat"].read_reply(json.dumps(body).encode(), "")
    assert again == ChatReply(id="i", model="", choices=[Choice(parts=parts, finish=finish)], usage=COUNTED)


def test_a_vendors_reply_is_read() -> None:
    """With a plan, arguments that are `null`, thoughts, and what was billed."""
    body = {
        "id": "x",
        "message": {
            "role": "assistant",
            "content": [{"type": "thinking", "thinking": "hm"}],
            "tool_plan": "I will",
            "tool_calls": [{"id": "t", "type": "function", "function": {"name": "f", "arguments": "null"}}],
        },
        "finish_reason": "TOOL_CALL",
        "usage": USAGE,
        "logprobs": [{"text": "a", "token_ids": [1], "logprobs": [-1.0]}],
    }
    raw = json.dumps(body, separators=(",", ":")).encode()
    reply: ChatReply = CLIENTS["cohere.chat"].read_reply(raw, "")
    (choice,) = reply.choices
    assert choice.parts == [Reasoning(text="hm"), Text(text="I will"), ToolUse(id="t", name="f")]
    assert choice.logprobs == [Tokens(token="a", logprob=-1.0)]
    watch = WATCHES["cohere.chat"]
    assert reply.usage == watch.usage(raw) == watch.usage_in_tail(raw[-240:]) == COUNTED


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        ({"tokens": {"input_tokens": 5, "output_tokens": 2}}, Usage(input=5, output=2)),
        ({"billed_units": {"input_tokens": 5.0, "output_tokens": 2}, "cached_tokens": 4},
         Usage(input=5, output=2, cached=4)),
        ({"billed_units": {"input_tokens": 267, "output_tokens": 66}, "cached_tokens": 0,
          "tokens": {"input_tokens": 34, "output_tokens": 70, "image_tokens": 259}}, Usage(input=267, output=66)),
        ({"billed_units": {"search_units": 1}}, None),
        ({"billed_units": {"input_tokens": -1}}, None),
    ],
)  # fmt: skip
def test_what_is_billed_is_what_was_consumed(usage: object, counted: Usage | None) -> None:
    """Tokens of the vendor's preamble are nobody's; what was left out is unknown."""
    assert WATCHES["cohere.chat"].usage(json.dumps({"usage": usage}).encode()) == counted


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (b"[]", UpstreamBroken, "no JSON"),
        (b'{"id":"x","message":"no SECRETSECRET room"}', UpstreamError, "room"),
        (b'{"message":{"content":[]},"finish_reason":"ERROR"}', UpstreamError, "failed"),
    ],
)
def test_what_is_no_reply_is_an_error(body: bytes, kind: type[UpstreamError], words: str) -> None:
    """Also where it calls itself a success; the secret is cut out."""
    with pytest.raises(kind, match=words) as raised:
        CLIENTS["cohere.chat"].read_reply(body, "SECRETSECRET")
    assert "SECRET" not in str(raised.value)
