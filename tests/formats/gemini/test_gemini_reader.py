"""Gemini's event stream as deltas."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateline.formats.gemini.reader import StreamReader
from gateline.model.chat import Citation, Media, Seal
from gateline.model.chatreply import (
    Began,
    Cited,
    Counted,
    Finished,
    MediaDelta,
    ReasoningDelta,
    ReasoningSealed,
    TextDelta,
    ToolBegan,
    ToolDelta,
)
from gateline.model.errors import UpstreamBroken, UpstreamError
from gateline.model.usage import Usage
from gateline.wire.bound import MAX_EVENT
from tests.formats.gemini.rig import feed, sse

USAGE = {"promptTokenCount": 3, "candidatesTokenCount": 2, "thoughtsTokenCount": 1, "totalTokenCount": 6}


def event(*parts: dict[str, Any], **candidate: Any) -> bytes:
    content = {"content": {"parts": list(parts), "role": "model"}} if parts else {}
    return msgspec.json.encode(
        {
            "candidates": [{**content, "index": 0, **candidate}],
            "usageMetadata": USAGE,
            "modelVersion": "gemini-x",
            "responseId": "r-1",
            "createTime": "2023-11-14T22:13:20.5Z",
        }
    )


LAST = event({"text": ""}, finishReason="STOP")
STREAM = sse(
    event({"text": "hm", "thought": True}),
    event({"text": "Gr"}),
    event({"text": "üße 🙂\n\n"}),
    event(
        {"functionCall": {"name": "f", "args": {"a": "ü"}}, "thoughtSignature": "c2ln"}, {"functionCall": {"name": "g"}}
    ),
    LAST,
)
COUNTED = Counted(usage=Usage(3, 3, 0, 1))
DELTAS = [
    Began(id="r-1", model="gemini-x", created=1_700_000_000),
    ReasoningDelta(text="hm"),
    COUNTED,
    TextDelta(text="Gr"),
    COUNTED,
    TextDelta(text="üße 🙂\n\n"),
    COUNTED,
    ToolBegan(index=0, id="call_r-1_0", name="f", seal=Seal("gemini", "c2ln")),
    ToolDelta(index=0, arguments='{"a":"ü"}'),
    ToolBegan(index=1, id="call_r-1_1", name="g"),
    ToolDelta(index=1, arguments="{}"),
    COUNTED,
    COUNTED,
    Finished(finish="tool"),
]


def test_a_stream_is_its_deltas() -> None:
    """Parts in their order, the finish once, usage with every event; whole at the end and not before."""
    reader = StreamReader("")
    assert reader.feed(STREAM) == DELTAS[:-1]
    assert not reader.done
    assert reader.end() == DELTAS[-1:]
    assert reader.done
    assert reader.error is None


@pytest.mark.parametrize("ends", [b"\r\n", b"\n"])
def test_a_stream_cut_anywhere_is_the_same(ends: bytes) -> None:
    """At every byte, inside characters and line ends too."""
    stream = STREAM.replace(b"\r\n", ends)
    for cut in range(len(stream)):
        deltas, reader = feed(stream, [cut])
        assert deltas == DELTAS
        assert reader.done
    deltas, _ = feed(stream, range(1, len(stream)))
    assert deltas == DELTAS


def test_a_stream_without_its_end_is_broken() -> None:
    """Cut anywhere ahead of the last event's end, it is an error, and never done."""
    for end in range(len(STREAM) - 1):
        _, reader = feed(STREAM[:end])
        assert isinstance(reader.error, UpstreamBroken)
        assert not reader.done


def test_every_candidate_has_to_finish() -> None:
    """Of two that began, one finish reason is not enough."""
    other = msgspec.json.encode({"candidates": [{"content": {"parts": [{"text": "b"}]}, "index": 1}]})
    deltas, reader = feed(sse(event({"text": "a"}), other, LAST))
    assert TextDelta(text="b", choice=1) in deltas
    assert isinstance(reader.error, UpstreamBroken)


def test_what_follows_a_finish_reason_belongs_to_the_answer() -> None:
    """Some vendors give a reason with every event, and the answer ends with the last: its reason and its usage hold."""
    late = msgspec.json.encode(
        {"candidates": [{"content": {"parts": [{"text": "x"}]}}], "usageMetadata": {"promptTokenCount": 9}}
    )
    cut = event({"text": "y"}, finishReason="MAX_TOKENS")
    deltas, reader = feed(sse(LAST, late, cut))
    assert [delta.text for delta in deltas if isinstance(delta, TextDelta)] == ["x", "y"]
    assert deltas[-1] == Finished(finish="length")
    assert Counted(usage=Usage(9)) in deltas
    assert reader.done


def test_signatures_close_what_they_stand_on() -> None:
    """The text they come behind, or nothing that is open; a text behind a closed one is another."""
    deltas, _ = feed(
        sse(
            event({"text": "a"}),
            event({"text": "", "thoughtSignature": "czE="}),
            event({"text": "b", "thoughtSignature": "czI="}),
            event({"functionCall": {"name": "f"}}),
            event({"text": "", "thoughtSignature": "czM="}, finishReason="STOP"),
        )
    )
    assert [delta for delta in deltas if not isinstance(delta, Began | Counted | ToolBegan)] == [
        TextDelta(text="a"),
        TextDelta(text="", seal=Seal("gemini", "czE=")),
        TextDelta(text="b", is_new=True, seal=Seal("gemini", "czI=")),
        ToolDelta(index=0, arguments="{}"),
        ReasoningSealed(seal=Seal("gemini", "czM="), is_hidden=True),
        Finished(finish="tool"),
    ]


def test_pictures_and_citations_come_with_their_parts() -> None:
    """A picture is whole in one event, however large; grounding of the last event cites the text before it."""
    data = "A" * 2_000_000
    grounding = {
        "groundingChunks": [{"web": {"uri": "u", "title": "t"}}],
        "groundingSupports": [{"segment": {"startIndex": 3, "endIndex": 8}, "groundingChunkIndices": [0]}],
    }
    deltas, reader = feed(
        sse(
            event({"inlineData": {"mimeType": "image/png", "data": data}}),
            event({"inlineData": {"mimeType": "image/png", "data": "draft"}, "thought": True}),
            event({"text": "ü "}),
            event({"text": "there"}, finishReason="STOP", groundingMetadata=grounding),
        )
    )
    assert reader.done
    assert MediaDelta(media=Media(kind="image", mime="image/png", data=data)) in deltas
    assert sum(isinstance(delta, MediaDelta) for delta in deltas) == 1
    assert Cited(citation=Citation(url="u", title="t", start=2, end=7)) in deltas


def test_a_blocked_prompt_is_a_filtered_stream() -> None:
    """Its one event has no candidate and says why."""
    blocked = b'{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":3}}'
    deltas, reader = feed(sse(blocked))
    assert deltas == [Began(id="", model=""), Counted(usage=Usage(3)), Finished(finish="filter")]
    assert reader.done


def test_an_error_event_ends_the_stream() -> None:
    """What came ahead of it is given, what follows is not, and the credential is cut out of it."""
    error = b'{"error":{"code":503,"message":"overloaded the-secret","status":"UNAVAILABLE"}}'
    deltas, reader = feed(sse(event({"text": "a"}), error, LAST))
    assert deltas[1] == TextDelta(text="a")
    assert not any(isinstance(delta, Finished) for delta in deltas)
    assert isinstance(reader.error, UpstreamError)
    assert "overloaded" in str(reader.error)
    assert "the-secret" not in str(reader.error)
    assert reader.error.reason == "UNAVAILABLE"


def test_an_error_that_is_no_event_is_read_at_the_end() -> None:
    """A stream that turns into a bare error object says what the object says."""
    _, reader = feed(sse(event({"text": "a"})) + b'[{"error": {"code": 500, "message": "lost it"}}]\n')
    assert str(reader.error) == "lost it"


@pytest.mark.parametrize("bad", [b"{", b"[]", b"7", b'{"candidates":7}', b"\xff", b"[" * 3000])
def test_a_malformed_event_breaks_the_stream(bad: bytes) -> None:
    """Deltas ahead of it are given."""
    deltas, reader = feed(sse(event({"text": "a"}), bad))
    assert TextDelta(text="a") in deltas
    assert isinstance(reader.error, UpstreamBroken)


def test_comments_and_unknown_fields_are_skipped() -> None:
    """A comment is no event, and what a vendor adds does no harm."""
    deltas, reader = feed(b": hello\r\n\r\n" + sse(b'{"new":1}', event({"text": "a"}, new={"x": 1}), LAST))
    assert TextDelta(text="a") in deltas
    assert reader.done


def test_candidates_are_bounded() -> None:
    """A stream that numbers its candidates without end is broken, and not remembered."""
    many = msgspec.json.encode({"candidates": [{"content": {"parts": [{"text": "a"}]}, "index": 1_000_000}]})
    _, reader = feed(sse(many))
    assert isinstance(reader.error, UpstreamBroken)


def test_events_of_any_shape_are_read_alike() -> None:
    """Several at once, with comments, or with their data on two lines."""
    object_ = event({"text": "a"}, finishReason="STOP")
    middle = object_.index(b",") + 1
    stream = b": c\r\n\r\n" + sse(event({"text": "b"})) + b"data: " + object_[:middle] + b"\r\ndata:" + object_[middle:]
    deltas, reader = feed(stream + b"\r\n\r\n")
    assert [delta.text for delta in deltas if isinstance(delta, TextDelta)] == ["b", "a"]
    assert reader.done


def test_an_event_without_end_is_bounded() -> None:
    """No more than the largest event is kept."""
    reader = StreamReader("")
    for _ in range(MAX_EVENT // 1_000_000 + 2):
        reader.feed(b"data: " + b"x" * 1_000_000)
    assert isinstance(reader.error, UpstreamBroken)
