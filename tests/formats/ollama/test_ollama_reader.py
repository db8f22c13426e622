from __future__ import annotations

import pytest

from gateline.formats.ollama.reader import StreamReader
from gateline.formats.ollama.reply import name_of
from gateline.model.chat import Tokens
from gateline.model.chatreply import (
    Began,
    Counted,
    Finished,
    ReasoningDelta,
    TextDelta,
    ToolBegan,
    ToolDelta,
)
from gateline.model.errors import UpstreamBroken
from gateline.model.usage import Usage
from tests.formats.ollama.rig import AT, CREATED, called, deltas_of, last, line

CALLS = [called("f", {"a": 1}, id="1"), called("g", {}, id="2")]
STREAM = b"".join(
    [
        line({"thinking": "hm"}),
        line({"content": "grün"}, logprobs=[{"token": "g", "logprob": -0.5}]),
        line({"tool_calls": CALLS[:1]}),
        line({"tool_calls": CALLS[1:]}),
        last(),
    ]
)


def test_lines_become_deltas() -> None:
    """Thinking, text, parallel calls that come whole, the reason and the counts."""
    deltas, reader = deltas_of(STREAM)
    assert (reader.done, reader.error) == (True, None)
    assert deltas == [
        Began(id=name_of(AT), model="llama", created=CREATED),
        ReasoningDelta(text="hm"),
        TextDelta(text="grün", logprobs=[Tokens(token="g", logprob=-0.5)]),
        ToolBegan(index=0, id="1", name="f"),
        ToolDelta(index=0, arguments='{"a": 1}'),
        ToolBegan(index=1, id="2", name="g"),
        ToolDelta(index=1, arguments="{}"),
        Finished(finish="tool"),
        Counted(usage=Usage(input=11, output=7)),
    ]


@pytest.mark.parametrize("stream", [STREAM, STREAM.replace(b"\n", b"\r\n"), STREAM.replace(b"\n", b"\n\n")])
def test_any_cut_gives_the_same_deltas(stream: bytes) -> None:
    whole, _ = deltas_of(stream)
    for cut in range(1, len(stream)):
        deltas, reader = deltas_of(stream, [cut])
        assert deltas == whole, cut
        assert reader.done
    deltas, _ = deltas_of(stream, range(1, len(stream)))
    assert deltas == whole


def test_the_last_line_needs_no_end() -> None:
    """A server that closes right behind the object has ended its stream; its counts are not lost."""
    whole, _ = deltas_of(STREAM)
    for cuts in (range(0), range(1, len(STREAM) - 1)):
        deltas, reader = deltas_of(STREAM.rstrip(b"\n"), cuts)
        assert (deltas, reader.done) == (whole, True)


def test_nothing_behind_the_end_is_read() -> None:
    reader = StreamReader("")
    reader.feed(STREAM + line({"content": "more"}))
    assert reader.done
    assert reader.feed(line({"content": "more"})) == []


def test_a_stream_without_its_end_is_broken() -> None:
    """At every byte before the last object is whole."""
    for end in range(len(STREAM) - 1):
        _, reader = deltas_of(STREAM[:end])
        assert isinstance(reader.error, UpstreamBroken), end
        assert not reader.done


def test_an_error_line_ends_the_stream_behind_what_came() -> None:
    """The client hears of it, and of no secret."""
    deltas, reader = deltas_of(line({"content": "so"}) + b'{"error":"out of memory for sk-secret","status":500}\n')
    assert deltas[1] == TextDelta(text="so")
    assert reader.error is not None
    assert not isinstance(reader.error, UpstreamBroken)
    assert "out of memory" in str(reader.error)
    assert "sk-secret" not in str(reader.error)


@pytest.mark.parametrize("bad", [b"{\n", b"[]\n", b'{"message":{"content":3}}\n', b"data: {}\n", b'{"done":"yes"}\n'])
def test_a_malformed_line_is_broken(bad: bytes) -> None:
    deltas, reader = deltas_of(line({"content": "so"}) + bad + last())
    assert isinstance(reader.error, UpstreamBroken)
    assert deltas[-1] == TextDelta(text="so")


def test_lines_of_an_unknown_kind_are_skipped() -> None:
    deltas, reader = deltas_of(b'{"status":"loading"}\n' + last("length"))
    assert reader.done
    assert [type(each) for each in deltas] == [Began, Finished, Counted]
    assert deltas[1] == Finished(finish="length")
