"""How streams end, whichever format they are in, read and passed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from gateline.formats.contract import Codec, Reader
from gateline.formats.table import CLIENTS, WATCHES
from gateline.model.call import Call, Operation
from gateline.model.chatreply import TextDelta
from gateline.model.errors import UpstreamBroken
from gateline.wire.eventstream import write_message


def sse(fields: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (str(fields["type"]).encode(), json.dumps(fields).encode())


def message(kind: str, fields: dict[str, Any]) -> bytes:
    return write_message({":event-type": kind, ":message-type": "event"}, json.dumps(fields).encode())


MESSAGE = [
    sse({"type": "message_start", "message": {"id": "a", "model": "m"}}),
    sse({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
    sse({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi"}}),
    sse({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}),
    sse({"type": "message_stop"}),
]
RESPONSE = [
    sse({"type": "response.created", "response": {"id": "a"}}),
    sse({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "hi"}),
    sse({"type": "response.completed", "response": {"id": "a", "status": "completed", "output": []}}),
]
COHERE = [
    sse({"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "hi"}}}}),
    sse({"type": "message-end", "delta": {"finish_reason": "COMPLETE"}}),
]
OLLAMA = [
    b'{"model":"m","message":{"role":"assistant","content":"hi"},"done":false}\n',
    b'{"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop"}\n',
]
STREAMS: dict[Operation, list[bytes]] = {
    "messages": MESSAGE,
    "responses": RESPONSE,
    "cohere.chat": COHERE,
    "ollama.chat": OLLAMA,
}


def reader(operation: Operation) -> Reader:
    made = CLIENTS[operation].reader
    assert made is not None
    return made("sk-secret")


def codec(operation: Operation) -> Codec:
    made = WATCHES[operation].codec
    assert made is not None
    return made(Call(operation, "m", {}, stream=True), "sk-secret")


@pytest.mark.parametrize("made", [reader, codec])
@pytest.mark.parametrize("operation", STREAMS)
def test_a_stream_whose_last_line_ends_the_connection_is_whole(
    operation: Operation, made: Callable[[Operation], Reader | Codec]
) -> None:
    """Some vendors close right behind the last line, without the blank one, or the line end, that would end it."""
    stream = made(operation)
    stream.feed(b"".join(STREAMS[operation]).rstrip())
    assert not stream.done
    stream.end()
    assert stream.done
    assert stream.error is None


@pytest.mark.parametrize("made", [reader, codec])
@pytest.mark.parametrize("operation", STREAMS)
def test_a_last_line_that_was_cut_is_told_as_a_stream_that_broke_off(
    operation: Operation, made: Callable[[Operation], Reader | Codec]
) -> None:
    """Not as an event that is no event: it is the connection that failed."""
    stream = made(operation)
    stream.feed(b"".join(STREAMS[operation]).rstrip()[:-6])
    stream.end()
    assert not stream.done
    assert isinstance(stream.error, UpstreamBroken)
    assert "broke off" in str(stream.error)


@pytest.mark.parametrize("operation", STREAMS)
def test_what_came_ahead_of_an_error_stands_and_nothing_follows_it(operation: Operation) -> None:
    """In one piece or in two, a client has seen the same."""
    first, *rest = STREAMS[operation]
    broken = b"event: x\ndata: {]\n\n" if operation != "ollama.chat" else b"{]\n"
    read, passed = reader(operation), codec(operation)
    assert read.feed(first + broken + b"".join(rest)) == reader(operation).feed(first)
    assert passed.feed(first + broken + b"".join(rest)) == first
    assert isinstance(read.error, UpstreamBroken)
    assert isinstance(passed.error, UpstreamBroken)
    assert read.feed(first) == []
    assert passed.feed(first) == b""


def test_ends_that_are_repeated_are_not_kept_again() -> None:
    """Nor what a vendor sends between the message's end and the stream's."""
    converse, cohere = codec("converse"), codec("cohere.chat")
    stop = message("messageStop", {"stopReason": "end_turn"})
    for _ in range(1_000):
        assert converse.feed(stop) == b""
        assert cohere.feed(COHERE[-1] + b": waiting\n\n") == b""
    converse.end()
    cohere.end()
    assert converse.last == stop
    assert cohere.last == COHERE[-1]


CHAT = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}\n\n'
BIG: dict[Operation, list[bytes]] = {
    **STREAMS,
    "chat.completions": [CHAT, b"data: [DONE]\n\n"],
    "generate_content": [
        b'data: {"candidates":[{"content":{"parts":[{"text":"hi"}]},"finishReason":"STOP"}]}\r\n\r\n',
    ],
    "converse": [
        message("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "hi"}}),
        message("messageStop", {"stopReason": "end_turn"}),
        message("metadata", {"usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}}),
    ],
}


@pytest.mark.parametrize("operation", BIG)
def test_an_event_may_hold_a_document(operation: Operation) -> None:
    """3 MiB in one event are read and pass, in pieces too."""
    text = b"x" * 3_145_728
    if operation == "converse":
        first = message("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": text.decode()}})
        stream = b"".join([first, *BIG[operation][1:]])
    else:
        stream = b"".join(BIG[operation]).replace(b"hi", text)
    for size in (65_536, len(stream)):
        made, passing = reader(operation), codec(operation)
        passed = b""
        deltas = []
        for at in range(0, len(stream), size):
            deltas += made.feed(stream[at : at + size])
            passed += passing.feed(stream[at : at + size])
        deltas += made.end() or []
        passing.end()
        assert (made.error, passing.error, made.done, passing.done) == (None, None, True, True)
        assert "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)) == text.decode()
        assert passed + passing.last == stream
