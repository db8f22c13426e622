"""What the format carries comes back as it was: from the client's side to the server's, and answers the other way."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from gateline.formats.call import read_call
from gateline.formats.dialect import PLAIN
from gateline.formats.moment import EPOCH, rfc3339
from gateline.formats.ollama.reply import name_of
from gateline.formats.ollama.sides import CHAT_CLIENT, CHAT_SERVER
from gateline.formats.tool_turns import told_apart
from gateline.model.chat import Chat, Choice, Output, Part, Reasoning, Text, Tokens, Tool, ToolResult, ToolUse, Turn
from gateline.model.chatreply import ChatReply
from gateline.model.usage import Usage
from tests.formats.ollama.rig import asked, assemble, deltas_for, deltas_of, image, streamed, whole_reply

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=10)
names = st.text("abcdefg_", min_size=1, max_size=6)
numbers = st.floats(0, 2)
objects = st.dictionaries(texts, st.integers(-9, 9), max_size=2).map(json.dumps)
schemas = st.just(Raw(b'{"type":"object"}'))
tools = st.lists(st.builds(Tool, name=names, description=st.just("") | texts, schema=schemas), max_size=3)
outputs = st.none() | st.just(Output(kind="json")) | st.builds(lambda raw: Output(kind="schema", schema=raw), schemas)


@st.composite
def answers(draw: st.DrawFn) -> list[Part]:
    """In the order that a message implies: thinking, text, calls."""
    parts: list[Part] = []
    if draw(st.booleans()):
        parts.append(Reasoning(text=draw(texts)))
    if draw(st.booleans()):
        parts.append(Text(text=draw(texts)))
    ids = draw(st.lists(names, unique=True, max_size=3))
    parts += [ToolUse(id=each, name=draw(names), arguments=draw(objects)) for each in ids]
    return parts or [Text(text=draw(texts))]


@st.composite
def turns(draw: st.DrawFn) -> list[Turn]:
    made = [Turn(role="system", parts=[Text(text=draw(texts))])] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(0, 2))):
        said: list[Part] = [Text(text=draw(texts)), *([image()] if draw(st.booleans()) else [])]
        answer = draw(answers())
        made += [Turn(role="user", parts=said), Turn(role="assistant", parts=answer)]
        results: list[Part] = [
            ToolResult(id=part.id, name=part.name, parts=[Text(text=draw(texts))])
            for part in answer
            if isinstance(part, ToolUse)
        ]
        if results:
            made.append(Turn(role="user", parts=results))
    made.append(Turn(role="user", parts=[Text(text=draw(texts))]))
    return made


chats = st.builds(
    Chat,
    model=st.just("m"),
    turns=turns().map(told_apart),
    stream=st.booleans(),
    include_usage=st.just(True),
    tools=tools,
    output=outputs,
    max_tokens=st.none() | st.integers(1, 99),
    temperature=st.none() | numbers,
    top_p=st.none() | numbers,
    top_k=st.none() | st.integers(1, 99),
    frequency_penalty=st.none() | numbers,
    presence_penalty=st.none() | numbers,
    seed=st.none() | st.integers(0, 99),
    stop=st.lists(texts, max_size=2),
)


@given(chats)
def test_a_call_written_and_read_is_the_same(chat: Chat) -> None:
    written = CHAT_CLIENT.write(chat, "m", PLAIN)
    assert written.dropped == []
    found: Any = CHAT_SERVER.read(read_call(written.body, "ollama.chat"), written.body)
    assert msgspec.json.encode(found) == msgspec.json.encode(chat)


tokens = st.builds(
    Tokens,
    token=texts,
    logprob=st.floats(-9, 0),
    bytes=st.none() | st.lists(st.integers(0, 255), max_size=2),
    top=st.lists(st.builds(Tokens, token=texts, logprob=st.floats(-9, 0)), max_size=2),
)
replies = st.builds(
    lambda parts, is_cut, usage, created, probed: ChatReply(
        id=name_of(rfc3339(created) or EPOCH),
        model="m",
        choices=[Choice(parts=parts, finish=finish_of(parts, is_cut), logprobs=probed or None)],
        created=created,
        usage=usage,
    ),
    answers(),
    st.booleans(),
    st.none() | st.builds(Usage, input=st.integers(0, 99), output=st.integers(0, 99), cached=st.integers(0, 9)),
    st.integers(0, 2_000_000_000),
    st.lists(tokens, max_size=2),
)


def finish_of(parts: list[Part], is_cut: bool) -> Any:
    return "length" if is_cut else "tool" if any(isinstance(part, ToolUse) for part in parts) else "stop"


@given(replies)
def test_an_answer_written_and_read_is_the_same(reply: ChatReply) -> None:
    found = CHAT_CLIENT.read_reply(CHAT_SERVER.write_reply(reply, asked()), "")
    assert msgspec.json.encode(found) == msgspec.json.encode(reply)


@given(replies, st.data())
def test_a_stream_read_and_written_is_the_answer(reply: ChatReply, data: st.DataObject) -> None:
    """Wherever it was cut, and log probabilities aside, which stand beside texts in a stream."""
    reply.choices[0].logprobs = None
    stream = streamed(deltas_for(reply))
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=5))
    deltas, reader = deltas_of(stream, cuts)
    assert reader.error is None
    assert assemble(streamed(deltas)) == whole_reply(reply)
