"""State that must come back: through Google's own SDK and two turns, byte for byte to whoever made it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.formats.dialect import PLAIN
from gateline.formats.gemini.answer import write_reply
from gateline.formats.gemini.signature import read_reasoning, read_signature, write_signature
from gateline.formats.gemini.vendor_request import write_chat
from gateline.formats.gemini.writer import StreamWriter
from gateline.model.chat import Chat, Choice, Part, Reasoning, Seal, Text, ToolUse
from gateline.model.chatreply import (
    ChatReply,
    Delta,
    Finished,
    ReasoningDelta,
    ReasoningSealed,
    TextDelta,
    ToolBegan,
    ToolDelta,
)
from tests.formats.gemini.rig import feed, sdk, sse

ANSWERS: list[list[Part]] = [
    [Reasoning(text="hm", seal=Seal("anthropic", "Er+/=.x")), ToolUse(id="c", name="f", arguments='{"a": 1}')],
    [Reasoning(seal=Seal("anthropic", "redacted"), is_hidden=True), Text(text="x")],
    [Reasoning(text="", seal=Seal("anthropic", "not shown")), Text(text="x")],
    [Reasoning(text="sum", seal=Seal("openai", "gAAAA-_=="), id="rs_1"), Text(text="x")],
    [Reasoning(seal=Seal("openai", "gAAAA"), is_hidden=True, id="rs_2"), ToolUse(id="c", name="f", arguments="{}")],
    [Text(text="x", seal=Seal("gemini", "Eq+/AA=="))],
    [
        ToolUse(id="c", name="f", arguments="{}", seal=Seal("gemini", "Eq+/AA==")),
        ToolUse(id="d", name="g", arguments="{}"),
    ],
    [
        Text(text="x"),
        ToolUse(id="c", name="f", arguments="{}"),
        Reasoning(seal=Seal("gemini", "Eq+/AA=="), is_hidden=True),
    ],
]


@pytest.mark.parametrize("parts", ANSWERS)
def test_a_seal_comes_back_through_the_sdk(parts: list[Part]) -> None:
    """Whole replies: the SDK's chat says back what it was told, with each seal its maker's, byte for byte."""
    heard: list[Chat] = []

    def answer(chat: Chat) -> bytes:
        heard.append(chat)
        return write_reply(ChatReply(id="r", model="m", choices=[Choice(parts=parts, finish="stop")]), chat)

    talk = sdk(answer).chats.create(model="m")
    talk.send_message("hi")
    talk.send_message("and?")
    assert heard[1].turns[1].parts == parts


@pytest.mark.parametrize("parts", ANSWERS)
def test_a_seal_comes_back_from_a_stream(parts: list[Part]) -> None:
    """Streams: the same of an answer in pieces."""
    heard: list[Chat] = []

    def answer(chat: Chat) -> bytes:
        heard.append(chat)
        writer = StreamWriter(chat, "r")
        return writer.write([*_deltas(parts), Finished(finish="stop")]) + writer.end()

    talk = sdk(answer, "text/event-stream").chats.create(model="m")
    list(talk.send_message_stream("hi"))
    list(talk.send_message_stream("and?"))
    assert heard[1].turns[1].parts == parts


def test_geminis_own_signatures_go_back_to_gemini() -> None:
    """What a Gemini stream sealed reaches Gemini again in its own place, in the standard alphabet."""
    upstream = (
        b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{}},"thoughtSignature":"Eq+/AA=="}]},'
        b'"finishReason":"STOP"}]}'
    )
    heard: list[Chat] = []

    def answer(chat: Chat) -> bytes:
        heard.append(chat)
        writer = StreamWriter(chat, "r")
        return writer.write(feed(sse(upstream))[0]) + writer.end()

    talk = sdk(answer, "text/event-stream").chats.create(model="m")
    list(talk.send_message_stream("hi"))
    list(talk.send_message_stream("and?"))
    assert b'"thoughtSignature":"Eq+/AA=="' in write_chat(heard[1], "gemini-3-flash", PLAIN).body


@given(
    st.sampled_from(["anthropic", "gemini", "openai"]),
    st.text(st.characters(codec="ascii", categories=["L", "N"], include_characters="+/=._-"), min_size=1),
    st.text(st.characters(codec="ascii", categories=["L", "N"], include_characters="_-")),
    st.booleans(),
)
def test_a_signature_says_all_that_was_written(maker: str, data: str, id_: str, is_hidden: bool) -> None:
    """Maker, data, and of another maker's reasoning its id and whether it is hidden."""
    seal = Seal(maker, data)
    signature = write_signature(seal, id=id_, is_hidden=is_hidden)
    if maker == "gemini":
        assert signature == data
        assert read_signature(signature) == Seal("gemini", data.replace("-", "+").replace("_", "/"))
    else:
        assert read_reasoning("t", signature) == Reasoning(text="t", seal=seal, id=id_, is_hidden=is_hidden)


@pytest.mark.parametrize("signature", ["Z2F0ZWxpbmUu!!!", "Z2F0ZWxpbmUu", "Z2F0ZWxpbmUu/w==", "Z2F0ZWxpbmUuaGk="])
def test_a_mark_that_is_none_is_geminis(signature: str) -> None:
    """What only looks like our mark goes where an unmarked signature goes."""
    assert read_signature(signature).maker == "gemini"


def _deltas(parts: list[Part]) -> list[Delta]:
    deltas: list[Delta] = []
    calls = 0
    for part in parts:
        if isinstance(part, Text):
            deltas += [TextDelta(text=part.text), TextDelta(text="", seal=part.seal)]
        elif isinstance(part, Reasoning):
            deltas += [ReasoningDelta(text=piece) for piece in part.text]
            if part.seal is not None:
                deltas.append(ReasoningSealed(seal=part.seal, is_hidden=part.is_hidden, id=part.id))
        elif isinstance(part, ToolUse):
            deltas.append(ToolBegan(index=calls, id=part.id, name=part.name, seal=part.seal))
            if part.arguments:
                deltas.append(ToolDelta(index=calls, arguments=part.arguments))
            calls += 1
    return deltas
