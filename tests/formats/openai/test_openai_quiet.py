"""Streams that end without `[DONE]`: whole when finish reason and usage were there, broken otherwise."""

from __future__ import annotations

import pytest

from gateline.formats.openai.quiet import QuietCodec, QuietReader
from gateline.model.chatreply import Finished

WORD = b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]}\n\n'
STOP = b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
USAGE = b'data: {"id":"c","model":"m","choices":[],"usage":{"prompt_tokens":2,"completion_tokens":3}}\n\n'


def test_a_stream_that_has_said_all_is_whole() -> None:
    """The client still gets the terminator that it waits for."""
    codec = QuietCodec(include_usage=True)
    assert codec.feed(WORD + STOP + USAGE) == WORD + STOP + USAGE
    codec.end()
    assert (codec.done, codec.error, codec.last) == (True, None, b"data: [DONE]\n\n")
    reader = QuietReader()
    reader.feed(WORD + STOP + USAGE)
    deltas = reader.end()
    assert deltas is not None
    assert [type(delta) for delta in deltas] == [Finished]
    assert (reader.done, reader.error) == (True, None)


@pytest.mark.parametrize(
    "sent", [b"", WORD, WORD + STOP, WORD + USAGE, WORD + USAGE[:20], WORD + STOP + USAGE + b"data: {"]
)
def test_a_stream_that_was_cut_is_broken(sent: bytes) -> None:
    """Neither a finish reason alone nor usage, which some tell in every event; nor half an event behind both."""
    codec = QuietCodec(include_usage=True)
    codec.feed(sent)
    codec.end()
    assert codec.error is not None
    if not sent.endswith(b"data: {"):
        reader = QuietReader()
        reader.feed(sent)
        reader.end()
        assert reader.error is not None


def test_one_that_says_done_is_no_different() -> None:
    """Nothing changes for a stream with its terminator."""
    reader = QuietReader()
    reader.feed(WORD + STOP + USAGE + b"data: [DONE]\n\n")
    assert reader.done
    assert reader.end() is None
