"""Deltas as Gemini's stream."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import msgspec
import pytest
from google.genai import errors, types

from gateline.formats.gemini.answer import write_reply
from gateline.formats.gemini.reply import read_reply
from gateline.formats.gemini.writer import ArrayWriter, StreamWriter
from gateline.model.chat import Chat, Choice, Citation, Media, Part, Reasoning, Seal, Text, Tokens, ToolUse
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
from gateline.model.errors import UpstreamBroken
from gateline.model.usage import Usage
from tests.formats.gemini.rig import asking, events, feed, parse, sdk

BEGAN = Began(id="r-1", model="x", created=1_700_000_000)


def written(deltas: Sequence[Delta]) -> bytes:
    writer = StreamWriter(asking(), "req-1")
    return b"".join(writer.write([delta]) for delta in [BEGAN, *deltas]) + writer.end()


def responses(deltas: Sequence[Delta]) -> list[types.GenerateContentResponse]:
    return [parse(event) for event in events(written(deltas))]


def parts_of(response: types.GenerateContentResponse) -> list[types.Part]:
    assert response.candidates
    assert response.candidates[0].content is not None
    return response.candidates[0].content.parts or []


def test_words_go_out_as_they_come() -> None:
    """One event each, with the names of the answer; the last has the finish reason and the usage."""
    first, second, last = responses(
        [TextDelta(text='"Hi"'), Counted(usage=Usage(5, 3)), TextDelta(text=" ü\n"), Finished(finish="length")]
    )
    assert (first.text, second.text) == ('"Hi"', " ü\n")
    assert {each.response_id for each in (first, second, last)} == {"r-1"}
    assert {each.model_version for each in (first, second, last)} == {"the-model"}
    assert first.usage_metadata is None
    assert last.usage_metadata is not None
    assert last.usage_metadata.total_token_count == 8
    assert last.candidates
    assert last.candidates[0].finish_reason == types.FinishReason.MAX_TOKENS


@pytest.mark.parametrize("pieces", [["", '{"a"', ":1}"], ['{"a":1}'], ["{", '"', "a", '":1', "}"]])
def test_a_call_goes_out_whole(pieces: list[str]) -> None:
    """In however many pieces its arguments came."""
    deltas = [ToolBegan(index=0, id="c", name="f", seal=Seal("gemini", "c2ln"))]
    deltas += [ToolDelta(index=0, arguments=piece) for piece in pieces]  # type: ignore[misc]
    call, _ = responses([*deltas, Finished(finish="tool")])
    (part,) = parts_of(call)
    assert part.function_call == types.FunctionCall(id="c", name="f", args={"a": 1})
    assert part.thought_signature == b"sig"


def test_calls_that_interleave_are_told_apart() -> None:
    """By index, in their order, and ahead of a text that follows them; without arguments, they are an empty object."""
    calls, text, _ = responses(
        [
            ToolBegan(index=0, id="a", name="f"),
            ToolBegan(index=1, id="b", name="g"),
            ToolDelta(index=0, arguments='{"x"'),
            ToolDelta(index=1, arguments="{"),
            ToolDelta(index=0, arguments=":1}"),
            ToolDelta(index=1, arguments="}"),
            ToolBegan(index=2, id="c", name="h"),
            TextDelta(text="so"),
            Finished(finish="tool"),
        ]
    )
    assert [(call.id, call.args) for call in calls.function_calls or ()] == [("a", {"x": 1}), ("b", {}), ("c", {})]
    assert text.text == "so"


def test_a_call_that_was_cut_off_says_so() -> None:
    """What is no object is kept under a name that tells."""
    call, _ = responses(
        [ToolBegan(index=0, id="a", name="f"), ToolDelta(index=0, arguments='{"x": "y'), Finished(finish="length")]
    )
    assert (call.function_calls or [])[0].args == {"INVALID_JSON": '{"x": "y'}


def test_a_call_without_end_is_bounded() -> None:
    """No more than a few megabytes of arguments are held."""
    writer = StreamWriter(asking(), "r")
    writer.write([ToolBegan(index=0, id="a", name="f")])
    for _ in range(10):
        writer.write([ToolDelta(index=0, arguments="x" * 1_000_000)])
    assert 4_000_000 < len(writer.end()) < 6_000_000


def test_no_answer_at_all_is_still_a_stream() -> None:
    """Of a filtered prompt comes one event with its finish reason."""
    (only,) = responses([Finished(finish="filter")])
    assert only.candidates
    assert only.candidates[0].finish_reason == types.FinishReason.SAFETY


def test_a_failure_is_an_error_the_sdk_raises() -> None:
    """What came before it is given; no event says that the answer is whole."""
    writer = StreamWriter(asking(), "req-1")
    body = writer.write([BEGAN, TextDelta(text="Hi")]) + writer.fail(UpstreamBroken("it broke"), "req-1")
    assert b"finishReason" not in body
    heard = []
    with pytest.raises(errors.ServerError, match="it broke") as failed:
        heard += [
            chunk.text
            for chunk in sdk(lambda _: body, "text/event-stream").models.generate_content_stream(
                model="m", contents="hi"
            )
        ]
    assert failed.value.code == 502
    assert failed.value.status == "UNAVAILABLE"
    assert "req-1" in str(failed.value)


def test_the_sdk_takes_the_stream_and_keeps_it_as_history() -> None:
    """Through its own HTTP client and chat: the second turn says back what the first was told."""
    heard: list[Chat] = []

    def answer(chat: Chat) -> bytes:
        heard.append(chat)
        return written(
            [ReasoningDelta(text="h"), ReasoningDelta(text="m"), TextDelta(text="Gr"), TextDelta(text="üße"),
             TextDelta(text="", seal=Seal("gemini", "+/8=")), Counted(usage=Usage(5, 3)), Finished(finish="stop")]
        )  # fmt: skip

    talk = sdk(answer, "text/event-stream").chats.create(model="m")
    assert "".join(chunk.text or "" for chunk in talk.send_message_stream("hi")) == "Grüße"
    list(talk.send_message_stream("and?"))
    assert [turn.role for turn in heard[1].turns] == ["user", "assistant", "user"]
    assert heard[1].turns[1].parts == [Reasoning(text="hm"), Text(text="Grüße", seal=Seal("gemini", "+/8="))]


STORIES: list[tuple[list[Delta], list[Part]]] = [
    ([TextDelta(text="a"), TextDelta(text="b")], [Text(text="ab")]),
    (
        [TextDelta(text="a"), TextDelta(text="", seal=Seal("gemini", "czE="))],
        [Text(text="a", seal=Seal("gemini", "czE="))],
    ),
    (
        [ReasoningDelta(text="t"), ReasoningSealed(seal=Seal("anthropic", "x")), TextDelta(text="a")],
        [Reasoning(text="t", seal=Seal("anthropic", "x")), Text(text="a")],
    ),
    (
        [ReasoningDelta(text="t", id="rs_1"), ReasoningSealed(seal=Seal("openai", "y"), is_hidden=True, id="rs_2")],
        [Reasoning(text="t"), Reasoning(seal=Seal("openai", "y"), is_hidden=True, id="rs_2")],
    ),
    (
        [TextDelta(text="a"), ToolBegan(index=0, id="c", name="f"), ToolDelta(index=0, arguments='{"a":1}')],
        [Text(text="a"), ToolUse(id="c", name="f", arguments='{"a":1}')],
    ),
    ([RefusalDelta(text="no"), RefusalDelta(text="pe")], [Text(text="nope")]),
    (
        [MediaDelta(media=Media(kind="image", mime="image/png", data="QUJD"))],
        [Media(kind="image", mime="image/png", data="QUJD")],
    ),
    (
        [TextDelta(text="ü so"), Cited(citation=Citation(url="u", title="t", start=2, end=4))],
        [Text(text="ü so", citations=[Citation(url="u", title="t", start=2, end=4)])],
    ),
    (
        [TextDelta(text="a", logprobs=[Tokens(token="a", logprob=-1.0)])],
        [Text(text="a")],
    ),
]  # fmt: skip


def assembled(stream: bytes) -> list[types.Part]:
    """The parts of all events, pieces of one kind joined, as the SDK's users join them."""
    parts: list[types.Part] = []
    for event in events(stream):
        for part in parts_of(parse(event)):
            last = parts[-1] if parts else types.Part()
            if part.text is not None and last.text is not None and last.thought == part.thought:
                if last.thought_signature is None and not (part.thought_signature and part.thought):
                    last.text += part.text
                    last.thought_signature = part.thought_signature
                    continue
                if (
                    last.thought_signature is None
                    and not part.text
                    and b"hidden" not in (part.thought_signature or b"")
                ):
                    last.thought_signature = part.thought_signature
                    continue
            if part != types.Part(text=""):
                parts.append(part)
    return parts


@pytest.mark.parametrize(("deltas", "parts"), STORIES)
def test_what_a_stream_comes_to_is_the_whole_reply(deltas: list[Delta], parts: list[Part]) -> None:
    """The object assembled from the events equals the one that is answered at once."""
    finish = "tool" if any(isinstance(part, ToolUse) for part in parts) else "stop"
    stream = written([*deltas, Counted(usage=Usage(5, 3)), Finished(finish=finish)])  # type: ignore[arg-type]
    choice = Choice(parts=parts, finish=finish)  # type: ignore[arg-type]
    body = write_reply(
        ChatReply(id="r-1", model="x", created=1_700_000_000, choices=[choice], usage=Usage(5, 3)), asking()
    )
    whole = parse(body)
    assert assembled(stream) == parts_of(whole)
    last = parse(events(stream)[-1])
    assert last.usage_metadata == whole.usage_metadata
    assert last.candidates
    assert whole.candidates
    assert last.candidates[0].finish_reason == whole.candidates[0].finish_reason
    assert last.candidates[0].grounding_metadata == whole.candidates[0].grounding_metadata
    # And our own reader agrees on both.
    _, reader = feed(stream)
    assert reader.done
    assert read_reply(body, "").choices[0].finish == finish


@pytest.mark.parametrize(("deltas", "parts"), STORIES)
def test_an_array_has_the_same_elements_as_the_events(deltas: list[Delta], parts: list[Part]) -> None:
    """Without `alt=sse` the same objects stand in one JSON array."""
    del parts
    writer = ArrayWriter(asking(), "req-1")
    body = b"".join(writer.write([delta]) for delta in [BEGAN, *deltas, Finished(finish="stop")]) + writer.end()
    expected = events(written([*deltas, Finished(finish="stop")]))
    assert msgspec.json.decode(body) == [msgspec.json.decode(event) for event in expected]


@pytest.mark.parametrize("deltas", [[], [TextDelta(text="a")]])
def test_a_failed_array_ends_in_an_error_and_can_be_read(deltas: list[Delta]) -> None:
    """Its last element is the error, and none has a finish reason."""
    writer = ArrayWriter(asking(), "req-1")
    *before, last = msgspec.json.decode(writer.write([BEGAN, *deltas]) + writer.fail(UpstreamBroken("it broke"), "r"))
    assert len(before) == len(deltas)
    assert last["error"]["status"] == "UNAVAILABLE"


def test_choices_are_candidates() -> None:
    """Each by its index, finished together in the last event."""
    *texts, last = responses(
        [
            TextDelta(text="a"),
            TextDelta(text="b", choice=1),
            Finished(finish="stop"),
            Finished(finish="length", choice=1),
        ]
    )
    assert [candidate.index for each in texts for candidate in each.candidates or ()] == [0, 1]
    assert [candidate.finish_reason for candidate in last.candidates or ()] == ["STOP", "MAX_TOKENS"]


def test_events_do_not_depend_on_how_deltas_were_batched() -> None:
    """All at once, or one by one."""
    deltas: list[Delta] = list(itertools.chain.from_iterable(story for story, _ in STORIES))
    at_once = StreamWriter(asking(), "req-1")
    assert at_once.write([BEGAN, *deltas]) + at_once.end() == written(deltas)
