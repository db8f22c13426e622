"""What is written for Gemini reads back as it was: calls and replies, whatever is in them."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from gateline.formats.dialect import PLAIN
from gateline.formats.gemini.answer import write_reply
from gateline.formats.gemini.reply import read_reply
from gateline.formats.gemini.vendor_request import write_chat
from gateline.model.chat import (
    Chat,
    Choice,
    Media,
    Output,
    Part,
    Reasoning,
    Seal,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
    Turn,
)
from gateline.model.chatreply import ChatReply
from gateline.model.usage import Usage
from tests.formats.gemini.rig import asking, parse, read

words = st.text(min_size=1, max_size=20)
names = st.from_regex(r"[a-z_]{1,12}", fullmatch=True)
base64s = st.binary(min_size=1, max_size=30).map(lambda data: msgspec.json.decode(msgspec.json.encode(data)))
seals = st.builds(lambda data: Seal("gemini", data), base64s.filter(lambda data: not data.startswith("Z2F0ZWxpbmUu")))
maybe_sealed = st.none() | seals
objects = st.dictionaries(words, st.none() | st.integers(-9, 9) | words, max_size=3)
arguments = objects.map(lambda found: msgspec.json.encode(found).decode())
media = st.builds(
    lambda kind, data: Media(kind=kind[0], mime=kind[1], data=data),
    st.sampled_from([("image", "image/png"), ("audio", "audio/wav"), ("file", "application/pdf")]),
    base64s,
) | st.builds(lambda name: Media(kind="image", mime="image/png", url=f"https://x/{name}.png"), names)
texts = st.builds(lambda text: Text(text=text), words)
sealed_texts = st.builds(lambda text, seal: Text(text=text, seal=seal), words, maybe_sealed)
thoughts = st.builds(lambda text, seal: Reasoning(text=text, seal=seal), words, seals)
uses = st.builds(
    lambda name, args, seal: ToolUse(id="", name=name, arguments=args, seal=seal), names, arguments, maybe_sealed
)


@st.composite
def exchanges(draw: st.DrawFn) -> list[Turn]:
    """A question, what the model did, and what its tools answered."""
    turns = [Turn(role="user", parts=draw(st.lists(texts | media, min_size=1, max_size=3)))]
    answer: list[Part] = list(draw(st.lists(thoughts, max_size=1)))
    answer += draw(st.lists(sealed_texts, max_size=1))
    calls = draw(st.lists(uses, max_size=3))
    for at, use in enumerate(calls):
        use.id = f"id_{at}_{draw(names)}"
    answer += calls
    if answer:
        turns.append(Turn(role="assistant", parts=answer))
    if calls:
        turns.append(Turn(role="user", parts=[draw(results(use)) for use in calls]))
    return turns


@st.composite
def results(draw: st.DrawFn, use: ToolUse) -> ToolResult:
    text = draw(words | arguments)
    images = draw(
        st.lists(st.builds(lambda data: Media(kind="image", mime="image/png", data=data), base64s), max_size=1)
    )
    return ToolResult(id=use.id, name=use.name, parts=[Text(text=text), *images], is_error=draw(st.booleans()))


schemas = st.just(msgspec.Raw(b'{"type":"object","properties":{"top_k":{"type":"string"}}}'))
small = st.none() | st.integers(1, 100)
floats = st.none() | st.floats(0, 1)
tools = st.builds(Tool, name=names, description=st.text(max_size=5), schema=schemas)
outputs = (
    st.none() | st.builds(Output, kind=st.just("json")) | st.builds(Output, kind=st.just("schema"), schema=schemas)
)
efforts = st.sampled_from(["low", "medium", "high"])
chats = st.builds(
    Chat,
    model=st.just("the-model"),
    turns=st.builds(
        lambda system, exchange: [Turn(role="system", parts=[Text(text=system)])] * bool(system) + exchange,
        st.text(max_size=5),
        exchanges(),
    ),
    include_usage=st.just(True),
    tools=st.lists(tools, min_size=1, max_size=2),
    tool_choice=st.none() | st.builds(ToolChoice, mode=st.sampled_from(["auto", "none", "required"])),
    output=outputs,
    thinking=st.none() | st.builds(Thinking, effort=efforts, is_shown=st.none() | st.just(True)),
    max_tokens=small,
    temperature=floats,
    top_p=floats,
    top_k=small,
    frequency_penalty=floats,
    presence_penalty=floats,
    seed=small,
    stop=st.lists(words, max_size=5),
    n=st.none() | st.integers(2, 4),
    service_tier=st.sampled_from(["", "default", "flex", "priority"]),
)  # fmt: skip


@given(chats)
def test_a_call_reads_back_as_it_was(chat: Chat) -> None:
    """Everything that the format carries, and nothing is said to have been dropped."""
    written = write_chat(chat, "gemini-3-flash-preview", PLAIN)
    assert list(written.dropped) == []
    body = written.body.replace(b',"thoughtSignature":"skip_thought_signature_validator"', b"")
    assert read(body) == chat


@given(
    st.lists(
        st.builds(
            Choice,
            parts=exchanges().map(lambda turns: turns[1].parts if len(turns) > 1 else []),
            finish=st.sampled_from(["stop", "length"]),
        ),
        min_size=1,
        max_size=3,
    ),
    st.none() | st.builds(lambda n, out, part: Usage(n, out + part, min(n, part), part), *[st.integers(0, 1000)] * 3),
    st.sampled_from([0, 1_700_000_000]),
)
def test_a_reply_reads_back_as_it_was(choices: list[Choice], usage: Usage | None, created: int) -> None:
    """Parts, finish, usage, times; and Google's SDK takes it, strictly."""
    for choice in choices:
        if choice.finish == "stop" and any(isinstance(part, ToolUse) for part in choice.parts):
            choice.finish = "tool"
    reply = ChatReply(id="r-1", model="the-model", choices=choices, usage=usage, created=created)
    body = write_reply(reply, asking())
    parse(body)
    assert read_reply(body, "") == reply
