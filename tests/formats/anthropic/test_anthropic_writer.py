from __future__ import annotations

import json
from typing import Any

import anthropic
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.formats.anthropic.reply import write_reply
from gateline.formats.anthropic.sides import MESSAGES
from gateline.formats.anthropic.writer import StreamWriter
from gateline.formats.call import read_call
from gateline.model.chat import (
    Chat,
    Choice,
    Citation,
    Finish,
    Media,
    Part,
    Reasoning,
    Refusal,
    Seal,
    Text,
    ToolUse,
)
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
from tests.formats.anthropic.stream import assemble, parse

ASKED = Chat(model="alias", turns=[])
USAGE = Usage(18, 7, cached=3, reasoning=2, cache_write=5, cache_write_1h=4)
BEGAN = Began(id="msg_1", model="m")


def stream(*deltas: Delta, end: bool = True) -> bytes:
    """Each delta written by itself."""
    writer = StreamWriter(ASKED, "req")
    written = b"".join(writer.write([delta]) for delta in deltas)
    return written + writer.end() if end else written


def kinds(*deltas: Delta) -> list[str]:
    """The events in order, each with the index of its block where it has one."""
    found = [(event.type, getattr(event, "index", "")) for event in parse(stream(*deltas))]
    return [f"{kind.removeprefix('content_block_')}{index}" for kind, index in found]


def whole(*parts: Part, finish: Finish = "stop", usage: Usage | None = None) -> dict[str, Any]:
    """The same answer as it comes whole, without fields that are null."""
    reply = ChatReply(id="msg_1", model="m", choices=[Choice(parts=list(parts), finish=finish)], usage=usage)
    body = json.loads(write_reply(reply, ASKED))
    return {key: value for key, value in body.items() if value is not None}


def test_everything_streamed_is_what_comes_whole() -> None:
    """The SDK puts together from the stream what the whole reply holds."""
    deltas: list[Delta] = [
        BEGAN,
        Counted(usage=USAGE),
        ReasoningDelta(text="hm "),
        ReasoningDelta(text="so"),
        ReasoningSealed(seal=Seal("anthropic", "S")),
        ReasoningSealed(seal=Seal("openai", "H"), is_hidden=True, id="rs_1"),
        TextDelta(text="a\n"),
        TextDelta(text='"é🎉'),
        Cited(citation=Citation(url="https://x", title="T", quote="q")),
        TextDelta(text="b", is_new=True),
        TextDelta(text="", seal=Seal("gemini", "G")),
        ToolBegan(index=0, id="1", name="f", seal=Seal("gemini", "C")),
        ToolDelta(index=0, arguments='{"a'),
        ToolDelta(index=0, arguments='": 1}'),
        ToolBegan(index=1, id="2", name="g"),
        Finished(finish="tool"),
        Counted(usage=USAGE),
    ]
    parts: list[Part] = [
        Reasoning(text="hm so", seal=Seal("anthropic", "S")),
        Reasoning(seal=Seal("openai", "H"), is_hidden=True, id="rs_1"),
        Text(text='a\n"é🎉', citations=[Citation(url="https://x", title="T", quote="q")]),
        Text(text="b", seal=Seal("gemini", "G")),
        ToolUse(id="1", name="f", arguments='{"a": 1}', seal=Seal("gemini", "C")),
        ToolUse(id="2", name="g"),
    ]
    assert assemble(stream(*deltas)) == whole(*parts, finish="tool", usage=USAGE)
    writer = StreamWriter(ASKED, "req")
    assert writer.write(deltas) + writer.end() == stream(*deltas)


def test_events_come_in_the_vendors_order() -> None:
    """One block after the other, and the usual frame."""
    assert kinds(
        BEGAN,
        TextDelta(text="a"),
        ToolBegan(index=0, id="1", name="f"),
        ToolDelta(index=0, arguments="{}"),
        ToolBegan(index=1, id="2", name="g"),
        ToolDelta(index=1, arguments="{}"),
        Finished(finish="tool"),
    ) == [
        "message_start",
        "start0",
        "delta0",
        "stop0",
        "start1",
        "delta1",
        "stop1",
        "start2",
        "delta2",
        "stop2",
        "message_delta",
        "message_stop",
    ]
    assert kinds(BEGAN, Finished(finish="stop")) == ["message_start", "message_delta", "message_stop"]
    assert kinds() == ["message_start", "message_delta", "message_stop"]


def test_interleaved_tools_stay_open() -> None:
    """A tool whose arguments are not whole is not closed, and what comes later still goes out with its own index."""
    deltas: list[Delta] = [
        BEGAN,
        ToolBegan(index=0, id="1", name="f"),
        ToolBegan(index=1, id="2", name="g"),
        ToolDelta(index=0, arguments='{"a":'),
        ToolDelta(index=1, arguments='{"b":'),
        ToolDelta(index=0, arguments="1}"),
        ToolDelta(index=1, arguments="2}"),
        Finished(finish="tool"),
    ]
    assert kinds(*deltas)[1:-2] == [
        "start0",
        "start1",
        "delta0",
        "delta1",
        "delta0",
        "delta1",
        "stop0",
        "stop1",
    ]
    assert [part["input"] for part in assemble(stream(*deltas))["content"]] == [{"a": 1}, {"b": 2}]


def test_usage_known_at_the_end_is_shown_there() -> None:
    """Most vendors count last: the frame has zeros at first, since SDKs require numbers, and the counts at its end."""
    message = assemble(stream(BEGAN, TextDelta(text="a"), Finished(finish="stop"), Counted(usage=USAGE)))
    usage = whole(usage=USAGE)["usage"]
    del usage["cache_creation"]  # of these streams, no field at the end holds it
    assert message["usage"] == usage
    assert assemble(stream(BEGAN))["usage"] == {"input_tokens": 0, "output_tokens": 0}


def test_names_are_the_clients() -> None:
    """The model as it was asked for; an id of the format's shape, from the request's where the vendor gave none."""
    message = assemble(stream(Began(id="chatcmpl-1", model="gpt")))
    assert (message["id"], message["model"]) == ("msg_chatcmpl-1", "alias")
    assert assemble(stream(Began(id="", model="")))["id"] == "msg_req"


def test_paragraphs_of_a_summary_are_one_block() -> None:
    """New reasoning under the same name is another paragraph; under none it is another block."""
    named = stream(BEGAN, *(ReasoningDelta(text=text, is_new=True, id="rs") for text in "ab"))
    assert [part["thinking"] for part in assemble(named)["content"]] == ["a\n\nb"]
    unnamed = stream(BEGAN, *(ReasoningDelta(text=text, is_new=True) for text in "ab"))
    assert [part["thinking"] for part in assemble(unnamed)["content"]] == ["a", "b"]


def test_a_seal_on_no_text_is_carried_alone() -> None:
    """Gemini seals texts that are empty: the seal still reaches the client, and comes back."""
    deltas: list[Delta] = [BEGAN, TextDelta(text="", seal=Seal("gemini", "G")), Finished(finish="stop")]
    content = assemble(stream(*deltas))["content"]
    assert content == [{"type": "redacted_thinking", "data": "behind:gateline.gemini.G"}]
    body = json.dumps({"model": "m", "messages": [{"role": "assistant", "content": content}]}).encode()
    chat = MESSAGES.read(read_call(body, "messages"), body)
    assert chat.turns[0].parts == [Text(text="", seal=Seal("gemini", "G"))]


def test_refusals_and_spoken_words_are_text() -> None:
    """A refusal is shown as text and said by the reason; of other answers than the first nothing is written."""
    deltas: list[Delta] = [
        BEGAN,
        MediaDelta(media=Media(kind="audio", data="AA", transcript="hi")),
        RefusalDelta(text="I "),
        RefusalDelta(text="will not"),
        TextDelta(text="other", choice=1),
        Finished(finish="length", choice=1),
        Finished(finish="stop"),
    ]
    message = assemble(stream(*deltas))
    assert [part["text"] for part in message["content"]] == ["hi", "I will not"]
    assert (message["stop_reason"], message["stop_details"]) == ("refusal", {"type": "refusal"})


@pytest.mark.parametrize(
    ("finished", "reason", "sequence"),
    [
        (Finished(finish="stop"), "end_turn", None),
        (Finished(finish="stop", stopped_by="END"), "stop_sequence", "END"),
        (Finished(finish="length"), "max_tokens", None),
        (Finished(finish="filter"), "refusal", None),
        (Finished(finish="pause"), "pause_turn", None),
    ],
)
def test_reasons_are_written(finished: Finished, reason: str, sequence: str | None) -> None:
    """Why the answer ended stands in the last event but one."""
    message = assemble(stream(BEGAN, finished))
    assert (message["stop_reason"], message.get("stop_sequence")) == (reason, sequence)


def test_a_broken_stream_ends_in_an_error() -> None:
    """The error is the last event, in the format's shape, and nothing says that the answer is whole."""
    writer = StreamWriter(ASKED, "req")
    written = writer.write([BEGAN, TextDelta(text="a")]) + writer.fail(UpstreamBroken("it broke"), "req")
    name, data = written.rstrip().rsplit(b"\n\n", 1)[-1].split(b"\n")
    assert name == b"event: error"
    assert json.loads(data.removeprefix(b"data: ")) == {
        "type": "error",
        "error": {"type": "api_error", "message": "it broke (request id req)"},
        "request_id": "req",
    }
    assert b"message_stop" not in written


def test_the_official_client_streams_it() -> None:
    """`messages.stream` yields the text as it comes and the message at its end; a broken stream raises."""
    deltas: list[Delta] = [
        BEGAN,
        TextDelta(text="Hel"),
        TextDelta(text="lo"),
        Finished(finish="stop"),
        Counted(usage=USAGE),
    ]
    writer = StreamWriter(ASKED, "req")
    broken = writer.write(deltas[:2]) + writer.fail(UpstreamBroken("it broke"), "req")
    answers = iter([stream(*deltas), broken])
    headers = {"content-type": "text/event-stream"}
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, headers=headers, content=next(answers)))
    with anthropic.Anthropic(api_key="k", max_retries=0, http_client=httpx2.Client(transport=transport)) as client:
        with client.messages.stream(model="m", max_tokens=1, messages=[{"role": "user", "content": "x"}]) as streamed:
            assert list(streamed.text_stream) == ["Hel", "lo"]
            message = streamed.get_final_message()
        assert (message.stop_reason, message.usage.output_tokens, message.usage.input_tokens) == ("end_turn", 7, 10)
        with (
            pytest.raises(anthropic.APIStatusError, match="it broke"),
            client.messages.stream(model="m", max_tokens=1, messages=[{"role": "user", "content": "x"}]) as streamed,
        ):
            streamed.until_done()


texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
thoughts = st.builds(
    lambda text, seal: [ReasoningDelta(text=text, is_new=True), ReasoningSealed(seal=Seal("anthropic", seal))],
    texts,
    texts,
)
hidden = st.builds(lambda data: [ReasoningSealed(seal=Seal("anthropic", data), is_hidden=True)], texts)
said = st.builds(
    lambda pieces: [TextDelta(text=piece, is_new=not at) for at, piece in enumerate(pieces)],
    st.lists(texts, min_size=1, max_size=3),
)
called = st.builds(lambda name, pieces: (name, pieces), texts, st.sampled_from([[], ['{"a":1}'], ["{", '"b"', ":[]}"]]))


@given(blocks=st.lists(st.one_of(thoughts, hidden, said, called), max_size=6))
def test_any_stream_is_what_comes_whole(blocks: list[Any]) -> None:
    """Whatever the order of blocks, the SDK puts together what the whole reply holds."""
    deltas: list[Delta] = [BEGAN, Counted(usage=USAGE)]
    parts: list[Part] = []
    tools = 0
    for found in blocks:
        if isinstance(found, tuple):
            name, pieces = found
            deltas += [
                ToolBegan(index=tools, id="i", name=name),
                *(ToolDelta(index=tools, arguments=piece) for piece in pieces),
            ]
            parts.append(ToolUse(id="i", name=name, arguments="".join(pieces)))
            tools += 1
            continue
        deltas += found
        first = found[0]
        if isinstance(first, TextDelta):
            parts.append(Text(text="".join(delta.text for delta in found)))
        elif isinstance(first, ReasoningDelta):
            parts.append(Reasoning(text=first.text, seal=found[1].seal))
        else:
            parts.append(Reasoning(seal=first.seal, is_hidden=True))
    assert assemble(stream(*deltas, Finished(finish="stop"))) == whole(*parts, usage=USAGE)


def test_refused_parts_say_so_whole_too() -> None:
    """A refusal that comes whole has the reason of one that is streamed."""
    assert whole(Refusal(text="no"))["stop_reason"] == "refusal"
