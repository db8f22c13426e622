from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.formats.openai.answer import write_reply
from gateline.formats.openai.chat_writer import ChatWriter
from gateline.formats.openai.reply import read_reply
from gateline.model.chat import (
    Choice,
    Citation,
    Finish,
    Media,
    Part,
    Reasoning,
    Refusal,
    Seal,
    Text,
    Tokens,
    ToolUse,
)
from gateline.model.chatreply import Began, ChatReply, Delta, Finished, MediaDelta, TextDelta, ToolBegan, ToolDelta
from gateline.model.errors import UpstreamBroken
from gateline.model.usage import Usage
from tests.formats.openai.chats import (
    USAGE,
    asked,
    assembled,
    chunks,
    deltas_of,
    folded,
    plain,
    read_stream,
    streamed,
    whole,
)

ANTHROPIC = Seal("anthropic", "c2lnbmF0dXJl+/==")
GEMINI = Seal("gemini", "dGhvdWdodA==")
OPENAI = Seal("openai", "gAAAAABencrypted")


def reply(*parts: Part, finish: Finish = "stop", **fields: Any) -> ChatReply:
    made = ChatReply(id="chatcmpl-1", model="gpt", choices=[Choice(parts=list(parts), finish=finish)], created=7)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


REPLIES = {
    "text": reply(Text(text="Grüße 😀")),
    "nothing": reply(),
    "length": reply(Text(text="once upon"), finish="length"),
    "filter": reply(finish="filter"),
    "refusal": reply(Refusal(text="I will not."), finish="refusal"),
    "tool": reply(ToolUse(id="call_1", name="f", arguments='{"a": 1}'), finish="tool"),
    "text and tool": reply(Text(text="ok"), ToolUse(id="call_1", name="f", arguments='{"a":1}'), finish="tool"),
    "parallel tools": reply(
        ToolUse(id="call_1", name="f", arguments='{"a":"1"}'),
        ToolUse(id="call_2", name="g", arguments='{"b":"2"}'),
        finish="tool",
    ),
    "plain reasoning": reply(Reasoning(text="hm, so"), Text(text="4")),
    "signed reasoning": reply(Reasoning(text="hm, so", seal=ANTHROPIC), Text(text="4")),
    "several blocks": reply(
        Reasoning(text="first", seal=ANTHROPIC),
        Reasoning(text="second", seal=Seal("anthropic", "b")),
        Reasoning(seal=Seal("anthropic", "redacted"), is_hidden=True),
        Text(text="4"),
    ),
    "encrypted reasoning": reply(Reasoning(text="a summary", seal=OPENAI, id="rs_1"), Text(text="4")),
    "hidden reasoning": reply(Reasoning(seal=OPENAI, id="rs_1", is_hidden=True), Text(text="4")),
    "sealed tool": reply(
        Reasoning(text="let me"), ToolUse(id="call_1", name="f", arguments='{"a":1}', seal=GEMINI), finish="tool"
    ),
    "cited": reply(
        Text(text="Rain [1].", citations=[Citation(url="https://a.example", title="A", start=0, end=4)]),
    ),
    "spoken": reply(Media(kind="audio", file_id="audio_1", data="AAAA", transcript="hi")),
    "counted": reply(Text(text="4"), usage=USAGE, fingerprint="fp_1"),
}


@pytest.mark.parametrize("name", REPLIES)
def test_a_reply_is_the_vendors_own(name: str) -> None:
    """The official type takes every reply, strictly, and it reads back as what was written."""
    made = REPLIES[name]
    body = write_reply(made, plain(model="mine"))
    found = whole(body)
    assert (found["id"], found["object"], found["model"]) == ("chatcmpl-1", "chat.completion", "mine")
    read = read_reply(body, "")
    read.model = made.model
    assert read == made


@pytest.mark.parametrize("name", REPLIES)
@pytest.mark.parametrize("include_usage", [True, False])
def test_a_stream_assembles_to_the_reply(name: str, include_usage: bool) -> None:
    """What the official SDK puts together from the stream is the whole reply, field for field."""
    made = REPLIES[name]
    chat = plain(stream=True, include_usage=include_usage)
    found = assembled(streamed(deltas_of(made), chat))
    expected = whole(write_reply(made, chat))
    if not include_usage:
        expected.pop("usage", None)
    for choice in [*found["choices"], *expected["choices"]]:
        choice["message"].pop("parsed", None)
        if not choice["message"].get("content"):  # empty or null, the SDK's stream cannot tell
            choice["message"].pop("content", None)
        for call in choice["message"].get("tool_calls", ()):
            call.pop("index", None)
            call["function"].pop("parsed_arguments", None)
        for image in choice["message"].get("images", ()):
            image.pop("index", None)
    assert found == expected


@pytest.mark.parametrize("name", REPLIES)
def test_a_stream_reads_back(name: str) -> None:
    """A gateway in front of a gateway: the deltas of the written stream are the deltas that were written."""
    made = REPLIES[name]
    deltas, reader = read_stream(streamed(deltas_of(made), plain(stream=True, include_usage=True)))
    assert (reader.done, reader.error) == (True, None)
    read = folded(deltas)
    read.model = made.model
    assert read == made


@pytest.mark.parametrize("name", REPLIES)
def test_the_next_turn_brings_everything_back(name: str) -> None:
    """A client that sends the SDK's dump of the message back sends what the model said, seals byte for byte."""
    made = REPLIES[name]
    for found in (
        whole(write_reply(made, plain())),
        assembled(streamed(deltas_of(made), plain(stream=True))),
    ):
        message = found["choices"][0]["message"]
        message.pop("parsed", None)
        if not message.get("content"):
            message.pop("content", None)
        for call in message.get("tool_calls", ()):
            call["function"].pop("parsed_arguments", None)
        parts = made.choices[0].parts
        chat = asked(messages=[{"role": "user", "content": "hi"}, message])
        assert [part for turn in chat.turns[1:] for part in turn.parts] == parts


def test_the_seal_of_a_text_comes_back() -> None:
    """Gemini signs text too: the signature is carried beside the message and found again on its text."""
    made = reply(Text(text="4", seal=GEMINI))
    for found in (
        whole(write_reply(made, plain())),
        assembled(streamed(deltas_of(made), plain(stream=True))),
    ):
        message = found["choices"][0]["message"]
        assert message["content"] == "4"
        message.pop("parsed", None)
        assert asked(messages=[message]).turns[0].parts == made.choices[0].parts


def test_thoughts_are_shown_as_reasoning_content() -> None:
    """Blocks of visible reasoning are paragraphs of `reasoning_content`; hidden ones are not in it."""
    made = REPLIES["several blocks"]
    message = whole(write_reply(made, plain()))["choices"][0]["message"]
    assert message["reasoning_content"] == "first\n\nsecond"
    assert [each["format"] for each in message["reasoning_details"]] == ["anthropic-claude-v1"] * 3


def test_the_role_comes_first() -> None:
    """The first chunk of every choice names the role, and nobody's usage is sent unasked."""
    made = reply(Text(text="4"), usage=USAGE)
    made.choices.append(Choice(parts=[Text(text="5")], finish="stop"))
    found = chunks(streamed(deltas_of(made), plain(stream=True)))
    seen: set[int] = set()
    for chunk in found:
        for choice in chunk.choices:
            assert (choice.delta.role == "assistant") == (choice.index not in seen)
            seen.add(choice.index)
    assert seen == {0, 1}
    assert all(chunk.usage is None and chunk.choices for chunk in found)


def test_usage_that_was_asked_for_trails() -> None:
    """The last chunk has the usage and no choices; its counts stand in OpenAI's own fields."""
    usage = Usage(input=100, output=50, cached=60, reasoning=20, cache_write=7, input_audio=3, output_audio=4)
    last = chunks(streamed(deltas_of(reply(Text(text="4"), usage=usage)), plain(stream=True, include_usage=True)))[-1]
    assert last.choices == []
    assert last.usage is not None
    assert (last.usage.prompt_tokens, last.usage.completion_tokens, last.usage.total_tokens) == (100, 50, 150)
    before, after = last.usage.prompt_tokens_details, last.usage.completion_tokens_details
    assert before is not None
    assert after is not None
    assert (before.cached_tokens, before.audio_tokens, after.reasoning_tokens, after.audio_tokens) == (60, 3, 20, 4)
    read = read_reply(write_reply(reply(Text(text="4"), usage=usage), plain()), "")
    assert read.usage == usage


def test_interleaved_tools_keep_apart() -> None:
    """Pieces of several tools' arguments, mixed, are put together by index; a tool without any gets an empty object."""
    deltas: list[Delta] = [
        Began(id="", model=""),
        ToolBegan(index=0, id="a", name="f"),
        ToolBegan(index=1, id="b", name="g"),
        ToolBegan(index=2, id="c", name="h"),
        ToolDelta(index=1, arguments='{"y":'),
        ToolDelta(index=0, arguments='{"x":1'),
        ToolDelta(index=1, arguments="2}"),
        ToolDelta(index=0, arguments="}"),
        Finished(finish="tool"),
    ]
    found = assembled(streamed(deltas, plain(stream=True)))
    calls = found["choices"][0]["message"]["tool_calls"]
    assert [(call["id"], call["function"]["arguments"]) for call in calls] == [
        ("a", '{"x":1}'), ("b", '{"y":2}'), ("c", "{}"),
    ]  # fmt: skip
    assert found["id"] == "chatcmpl-req-1"


def test_a_tool_without_arguments_gets_an_empty_object() -> None:
    body = write_reply(reply(ToolUse(id="a", name="f"), finish="tool"), plain())
    assert whole(body)["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] == "{}"


def test_pieces_of_sound_are_one_sound() -> None:
    """Base64 of any lengths, put end to end by the client, is the sound that was said."""
    deltas: list[Delta] = [
        Began(id="", model=""),
        *(MediaDelta(media=Media(kind="audio", data=data)) for data in ("YQ==", "YmM=", "ZGVm", "Zw==")),
        Finished(finish="stop"),
    ]
    found = assembled(streamed(deltas, plain(stream=True)))
    assert found["choices"][0]["message"]["audio"]["data"] == "YWJjZGVmZw=="


def test_pictures_are_handed_over() -> None:
    """A picture stands in `images`, whole and in streams, and is read from there."""
    made = reply(Media(kind="image", mime="image/png", data="AAAA"))
    url = "data:image/png;base64,AAAA"
    for found in (
        whole(write_reply(made, plain())),
        assembled(streamed(deltas_of(made), plain(stream=True))),
    ):
        assert found["choices"][0]["message"]["images"][0]["image_url"]["url"] == url
    assert read_reply(write_reply(made, plain()), "").choices[0].parts == made.choices[0].parts


def test_log_probabilities_pass() -> None:
    tokens = [Tokens(token="4", logprob=-0.5, bytes=[52], top=[Tokens(token="5", logprob=-2.0, bytes=None)])]
    made = ChatReply(id="chatcmpl-1", model="m", choices=[Choice(parts=[Text(text="4")], finish="stop")])
    made.choices[0].logprobs = tokens
    assert read_reply(write_reply(made, plain()), "").choices[0].logprobs == tokens
    stream = streamed(
        [Began(id="", model=""), TextDelta(text="4", logprobs=tokens), Finished(finish="stop")], plain(stream=True)
    )
    assert chunks(stream)[1].choices[0].logprobs is not None
    assert folded(read_stream(stream)[0]).choices[0].logprobs == tokens


def test_a_broken_stream_ends_in_an_error() -> None:
    """The event of a failure is OpenAI's error object, and no `[DONE]` follows it."""
    writer = ChatWriter(plain(stream=True), "req-1")
    written = writer.write(deltas_of(REPLIES["text"])[:2]) + writer.fail(UpstreamBroken("it broke"), "req-1")
    assert b"[DONE]" not in written
    assert written.endswith(b'"code":"upstream_broken"}}\n\n')


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
SEALS = (
    st.builds(Seal, st.sampled_from(["anthropic", "gemini"]), st.text("abcXYZ+/=", min_size=1, max_size=6)) | st.none()
)
TOOLS = st.lists(
    st.builds(
        lambda name, arguments, seal: (name, arguments, seal),
        st.text("fgh", min_size=1, max_size=3),
        st.sampled_from(["{}", '{"a": "é"}', '{"a":[1,2]}']),
        st.none() | st.just(GEMINI),
    ),
    max_size=3,
)


@given(st.lists(st.tuples(TEXTS, SEALS), max_size=3), st.none() | TEXTS, TOOLS)
def test_any_answer_is_the_same_whole_and_in_pieces(
    thoughts: list[tuple[str, Seal | None]], text: str | None, tools: list[tuple[str, str, Seal | None]]
) -> None:
    """Reasoning with or without seals, text, tools: written whole or streamed, what is read back is what was said."""
    parts: list[Part] = [Reasoning(text=said, seal=seal) for said, seal in thoughts]
    if text is not None:
        parts.append(Text(text=text))
    parts += [
        ToolUse(id=f"call_{at}", name=name, arguments=arguments, seal=seal)
        for at, (name, arguments, seal) in enumerate(tools)
    ]
    made = reply(*parts, finish="tool" if tools else "stop")
    assert read_reply(write_reply(made, plain(model="gpt")), "") == made
    assert folded(read_stream(streamed(deltas_of(made), plain(model="gpt", stream=True)))[0]) == made
