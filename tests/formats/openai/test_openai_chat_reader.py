from __future__ import annotations

import json
from typing import Any

import pytest

from gateline.formats.openai.chat_reader import ChatReader
from gateline.formats.openai.reply import read_reply
from gateline.model.chat import Citation, Finish, Media, Part, Reasoning, Seal, Text, ToolUse
from gateline.model.chatreply import ChatReply, Counted
from gateline.model.errors import UpstreamBroken, UpstreamError
from gateline.model.usage import Usage
from tests.formats.openai.chats import folded, piece, read_stream, sse

WEATHER = '{"city": "Zürich"}'
CLAUDE = {"type": "reasoning.text", "format": "anthropic-claude-v1", "index": 0}
OPENAI = {"format": "openai-responses-v1", "index": 0}
GEMINI = {"format": "google-gemini-v1", "index": 0}
SEALED = {"type": "reasoning.encrypted", "data": "x", **GEMINI}


def call(at: int | None, name: str | None, arguments: Any, **more: Any) -> dict[str, Any]:
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return {"function": function, **({} if at is None else {"index": at}), **more}


def said(*deltas: dict[str, Any], finish: str | None = "stop", **more: Any) -> ChatReply:
    """The reply in a stream of these deltas."""
    events = [piece(delta) for delta in deltas]
    events[-1]["choices"][0]["finish_reason"] = finish
    events[-1].update(more)
    read, reader = read_stream(sse(*events))
    assert reader.error is None
    return folded(read)


STREAM = (
    b": a comment\r\n\r\n"
    + sse(
        piece({"role": "assistant", "content": "", "refusal": None}, usage=None),
        piece({"reasoning_content": "hm"}),
        piece({"content": "Grüße 😀\n"}),
        piece({"tool_calls": [call(0, "f", "", id="a", type="function"), call(1, "g", "", id="b")]}),
        piece({"tool_calls": [call(1, None, '{"y"')]}),
        piece({"tool_calls": [call(0, None, WEATHER)]}),
        piece({"tool_calls": [call(1, None, ":2}")]}),
        piece({}, "tool_calls"),
        {"id": "chatcmpl-1", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}},
    ).replace(b"\n\n", b"\r\n\r\n", 2)
    + b"data: never read\n\n"
)


def test_a_stream_is_the_same_however_it_is_cut() -> None:
    """Cut at every byte, and into single bytes, with CRLF and characters of several bytes: the same deltas."""
    deltas, reader = read_stream(STREAM)
    assert (reader.done, reader.error) == (True, None)
    for cut in range(1, len(STREAM)):
        assert read_stream(STREAM, [cut])[0] == deltas
    assert read_stream(STREAM, range(1, len(STREAM)))[0] == deltas
    reply = folded(deltas)
    assert reply.usage == Usage(3, 4)
    assert reply.choices[0].finish == "tool"
    assert reply.choices[0].parts == [
        Reasoning(text="hm"),
        Text(text="Grüße 😀\n"),
        ToolUse(id="a", name="f", arguments=WEATHER),
        ToolUse(id="b", name="g", arguments='{"y":2}'),
    ]


@pytest.mark.parametrize("cut", range(8))
def test_a_stream_without_its_end_is_broken(cut: int) -> None:
    """Between any two events, finish reason or not: only `[DONE]` makes an answer whole."""
    events = STREAM.split(b"\n\n")
    _, reader = read_stream(b"\n\n".join(events[:cut]) + b"\n\n")
    assert isinstance(reader.error, UpstreamBroken)
    assert not reader.done


@pytest.mark.parametrize("tail", [b"data: [DONE]", b"data: [DONE]\n", b"data:[DONE]\r\n", b"data: [DONE] \n\n"])
def test_sloppy_terminators_count(tail: bytes) -> None:
    """A `[DONE]` whose blank line never came ends the stream, however it is cut."""
    stream = sse(piece({"content": "a"}, "stop")).replace(b"data: [DONE]\n\n", tail)
    for cut in range(len(stream) - len(tail), len(stream)):
        deltas, reader = read_stream(stream, [cut])
        assert (reader.done, reader.error) == (True, None)
        assert folded(deltas).choices[0].parts == [Text(text="a")]


@pytest.mark.parametrize(
    "event",
    [
        b'data: {"error":{"message":"overloaded: sk-abcdefgh12345678","code":"busy"}}\n\n',
        b'event: error\ndata: {"message":"overloaded: sk-abcdefgh12345678","code":"busy"}\n\n',
        b'data: {"choices":[{"error":{"message":"overloaded: sk-abcdefgh12345678","code":"busy"}}]}\n\n',
    ],
)
def test_an_error_in_a_stream_ends_it(event: bytes) -> None:
    """In each way vendors put it; what came before it is told, and the credential is not."""
    stream = sse(piece({"content": "a"})).replace(b"data: [DONE]\n\n", event)
    deltas, reader = read_stream(stream)
    assert folded(deltas).choices[0].parts == [Text(text="a")]
    assert reader.error is not None
    assert (str(reader.error), reader.error.reason) == ("overloaded: [redacted]", "busy")
    assert not reader.done


def test_the_secret_that_was_sent_is_not_shown() -> None:
    reader = ChatReader("zq7-key")
    reader.feed(b'data: {"error":{"message":"bad key zq7-key"}}\n\n')
    assert "zq7-key" not in str(reader.error)


@pytest.mark.parametrize("reason", ["error", "insufficient_system_resource", "network_error", "abort"])
def test_an_answer_given_up_is_an_error(reason: str) -> None:
    """A finish reason that says the vendor gave up is no end of an answer, whole or streamed."""
    _, reader = read_stream(sse(piece({"content": "a"}, reason)))
    assert isinstance(reader.error, UpstreamError)
    assert not reader.done
    with pytest.raises(UpstreamError):
        read_reply(json.dumps({"choices": [{"message": {"content": "a"}, "finish_reason": reason}]}).encode(), "")


@pytest.mark.parametrize(
    "data", [b"not json", b"[1]", b"7", b'{"choices":5}', b'{"choices":[{"delta":{"content":7}}]}']
)
def test_a_malformed_event_is_an_error(data: bytes) -> None:
    deltas, reader = read_stream(b"data: " + data + b"\n\ndata: [DONE]\n\n")
    assert deltas == []
    assert isinstance(reader.error, UpstreamBroken)


def test_foreign_events_are_skipped() -> None:
    """Events that are no chunks, and the filter results that Azure sends ahead, say nothing."""
    stream = sse(
        {"choices": [], "id": "", "model": "", "prompt_filter_results": []},
        {"type": "ping"},
        piece({"content": "a"}, "stop"),
    )
    deltas, reader = read_stream(b"event: ping\ndata:\n\n" + stream)
    assert reader.error is None
    assert folded(deltas).id == "chatcmpl-1"


def test_an_endless_event_is_an_error() -> None:
    """An upstream that never ends an event costs at most 16 MiB."""
    reader = ChatReader("")
    for _ in range(300):
        reader.feed(b"x" * 65536)
    assert isinstance(reader.error, UpstreamBroken)


@pytest.mark.parametrize(
    "delta",
    [
        {"tool_calls": [call(0, None, "x" * 65536)]},
        {"tool_calls": [call(None, "f", "") for _ in range(100)]},
        {"reasoning_details": [{**SEALED, "id": str(at)} for at in range(2000)]},
    ],
)  # fmt: skip
def test_what_a_stream_holds_back_is_bounded(delta: dict[str, Any]) -> None:
    """Arguments of a tool that is never named, tools without end, seals for none: more than any answer has."""
    reader = ChatReader("")
    for _ in range(20):
        reader.feed(sse(piece(delta))[: -len(b"data: [DONE]\n\n")])
    assert isinstance(reader.error, UpstreamBroken)


def test_half_an_emoji_waits_for_the_other() -> None:
    """A surrogate pair that a vendor cut over two events is one character; a lone half is a replacement."""
    halves = sse(piece({"content": "a"}), piece({"content": "b"}), piece({"content": "c"}, "stop"))
    stream = halves.replace(b'"a"', rb'"x\ud83d"').replace(b'"b"', rb'"\ude00y"').replace(b'"c"', rb'"\ude00"')
    deltas, reader = read_stream(stream)
    assert reader.error is None
    assert folded(deltas).choices[0].parts == [Text(text="x😀y\N{REPLACEMENT CHARACTER}")]


F = ToolUse(id="a", name="f", arguments=WEATHER)
G = ToolUse(id="b", name="g", arguments='{"y":2}')


@pytest.mark.parametrize(
    ("deltas", "uses"),
    [
        # all at once
        ([{"tool_calls": [call(0, "f", WEATHER, id="a"), call(1, "g", '{"y":2}', id="b")]}], [F, G]),
        # without index (Mistral)
        ([{"tool_calls": [call(None, "f", WEATHER, id="a"), call(None, "g", '{"y":2}', id="b")]}], [F, G]),
        # one index for all (Gemini's endpoint)
        ([{"tool_calls": [call(0, "f", WEATHER, id="a")]}, {"tool_calls": [call(0, "g", '{"y":2}', id="b")]}], [F, G]),
        # no index, in pieces
        (
            [{"tool_calls": [call(None, "f", '{"city":', id="a")]}, {"tool_calls": [call(None, None, ' "Zürich"}')]}],
            [F],
        ),
        # id and name repeated, or empty, in later pieces (Qwen)
        ([{"tool_calls": [call(0, "f", '{"city":', id="a")]}, {"tool_calls": [call(0, "", ' "Zürich"}', id="")]}], [F]),
        (
            [{"tool_calls": [call(0, "f", '{"city":', id="a")]}, {"tool_calls": [call(0, "f", ' "Zürich"}', id="a")]}],
            [F],
        ),
        # the name comes late
        ([{"tool_calls": [call(0, None, '{"city":', id="a")]}, {"tool_calls": [call(0, "f", ' "Zürich"}')]}], [F]),
        # no arguments, and empty ones
        ([{"tool_calls": [call(0, "f", None, id="a")]}], [ToolUse(id="a", name="f")]),
        ([{"tool_calls": [call(0, "f", "", id="a")]}], [ToolUse(id="a", name="f")]),
        # arguments as an object
        ([{"tool_calls": [call(0, "f", {"y": 2}, id="a")]}], [ToolUse(id="a", name="f", arguments='{"y":2}')]),
        # without id: one is made
        (
            [{"tool_calls": [call(None, "f", "{}"), call(None, "f", "{}", id="")]}],
            [ToolUse(id="call_1_0", name="f", arguments="{}"), ToolUse(id="call_1_1", name="f", arguments="{}")],
        ),
        # the way before tools
        (
            [{"function_call": {"name": "f", "arguments": ""}}, {"function_call": {"arguments": "{}"}}],
            [ToolUse(id="call_1_0", name="f", arguments="{}")],
        ),
    ],
)
def test_tool_calls_in_every_way_vendors_send_them(deltas: list[dict[str, Any]], uses: list[ToolUse]) -> None:
    """However a call comes, it is one call with the arguments that were sent, and a `stop` behind it means the call."""
    reply = said(*deltas)
    assert reply.choices[0].parts == uses
    assert reply.choices[0].finish == "tool"


def test_json_that_was_asked_for_may_come_as_json() -> None:
    """A vendor that sends the object and not its text (Cloudflare) has said the text."""
    body = b'{"choices":[{"message":{"content":{"title":"A","n":1}},"finish_reason":"stop"}]}'
    assert read_reply(body, "").choices[0].parts == [Text(text='{"title":"A","n":1}')]
    assert said({"content": {"title": "A", "n": 1}}).choices[0].parts == [Text(text='{"title":"A","n":1}')]


def test_a_signed_call_of_googles_endpoint() -> None:
    """Google's signature on a tool call is its seal, whole and streamed."""
    signed = call(0, "f", "{}", id="a", extra_content={"google": {"thought_signature": "c2ln"}})
    use = ToolUse(id="a", name="f", arguments="{}", seal=Seal("gemini", "c2ln"))
    assert said({"tool_calls": [signed]}).choices[0].parts == [use]
    body = json.dumps({"choices": [{"message": {"content": None, "tool_calls": [signed]}}]}).encode()
    assert read_reply(body, "").choices[0].parts == [use]


@pytest.mark.parametrize(
    ("deltas", "parts"),
    [
        ([{"reasoning": "so"}, {"content": "4"}], [Reasoning(text="so"), Text(text="4")]),
        ([{"reasoning_content": "so", "content": None}, {"content": "4"}], [Reasoning(text="so"), Text(text="4")]),
        (
            [
                {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "s"}]}]},
                {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "o"}]}]},
                {"content": [{"type": "text", "text": "4"}]},
            ],
            [Reasoning(text="so"), Text(text="4")],
        ),
        (
            [
                {"content": "", "reasoning": "s", "reasoning_details": [{**CLAUDE, "text": "s"}]},
                {"content": "", "reasoning": "o", "reasoning_details": [{**CLAUDE, "text": "o"}]},
                {"content": "", "reasoning_details": [{**CLAUDE, "signature": "c2ln"}]},
                {"content": "4"},
            ],
            [Reasoning(text="so", seal=Seal("anthropic", "c2ln")), Text(text="4")],
        ),
        (
            [
                {"reasoning_details": [
                    {"type": "reasoning.summary", "summary": "so", **OPENAI},
                ]},
                {"reasoning_details": [
                    {"type": "reasoning.encrypted", "data": "gAA", "id": "rs_1", **OPENAI},
                ]},
            ],
            [Reasoning(text="so", seal=Seal("openrouter", "gAA"), id="rs_1")],
        ),
        (
            [
                {"reasoning_details": [
                    {"type": "reasoning.encrypted", "data": "c2ln", "id": "a", **GEMINI},
                ]},
                {"tool_calls": [call(0, "f", "{}", id="a")]},
            ],
            [ToolUse(id="a", name="f", arguments="{}", seal=Seal("gemini", "c2ln"))],
        ),
        (
            [{"reasoning_details": [{"type": "reasoning.encrypted", "data": "zz", "format": "xai-responses-v1"}]}],
            [],
        ),
    ],
)  # fmt: skip
def test_reasoning_in_every_way_vendors_send_it(deltas: list[dict[str, Any]], parts: list[Part]) -> None:
    """DeepSeek's and OpenRouter's fields, Mistral's parts, and `reasoning_details` with the seals of each maker; the
    seal of a maker that nobody here knows is left out."""
    assert said(*deltas).choices[0].parts == parts


def test_sources_beside_the_answer() -> None:
    """Perplexity's list, repeated in every event, is told once; OpenAI's annotations with their places."""
    events = [piece({"content": each}, citations=["https://a.example", "https://b.example"]) for each in "ab"]
    events[1]["choices"][0]["finish_reason"] = "stop"
    text = folded(read_stream(sse(*events))[0]).choices[0].parts[0]
    assert text == Text(text="ab", citations=[Citation(url="https://a.example"), Citation(url="https://b.example")])
    cited = {"url": "https://a.example", "title": "A", "start_index": 0, "end_index": 2}
    found = said({"content": "ab"}, {"annotations": [{"type": "url_citation", "url_citation": cited}]})
    assert found.choices[0].parts == [
        Text(text="ab", citations=[Citation(url="https://a.example", title="A", start=0, end=2)])
    ]


def test_usage_wherever_it_stands() -> None:
    """On every chunk, on the last with choices, inside a choice, behind the finish, or null: the last one counts."""
    usage = {"prompt_tokens": 3, "completion_tokens": 4}
    each = [piece({"content": "a"}, usage={"prompt_tokens": 3, "completion_tokens": at}) for at in (1, 4)]
    inside = piece({"content": "a"}, "stop")
    inside["choices"][0]["usage"] = usage
    for stream in (
        sse(*each),
        sse(piece({"content": "a"}, usage=None), piece({}, "stop", usage=usage)),
        sse(inside),
        sse(piece({"content": "a"}, "stop"), {"id": "x", "choices": [], "usage": usage}),
    ):
        counted = [delta.usage for delta in read_stream(stream)[0] if isinstance(delta, Counted)]
        assert counted[-1] == Usage(3, 4)
    assert said({"content": "a"}, usage={"prompt_tokens": -5}).usage is None


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 4, "cached_tokens": 5}, Usage(9, 4, cached=5)),
        ({"prompt_tokens": 9, "completion_tokens": 4, "prompt_cache_hit_tokens": 5}, Usage(9, 4, cached=5)),
        (
            {"prompt_tokens": 12, "completion_tokens": 2, "total_tokens": 354,
             "completion_tokens_details": {"reasoning_tokens": 340}},
            Usage(12, 342, reasoning=340),
        ),
        (
            {"prompt_tokens": 12, "completion_tokens": 9, "total_tokens": 21,
             "prompt_tokens_details": {"audio_tokens": 2, "cache_write_tokens": 6, "image_tokens": 1},
             "completion_tokens_details": {"reasoning_tokens": 3, "audio_tokens": 4, "image_tokens": 5}},
            Usage(12, 9, reasoning=3, cache_write=6, input_audio=2, output_audio=4, input_image=1, output_image=5),
        ),
    ],
)  # fmt: skip
def test_counts_in_the_words_of_each_vendor(usage: dict[str, Any], counts: Usage) -> None:
    """Moonshot's and DeepSeek's names of cached tokens; xAI's reasoning, counted beside the answer, is in the total."""
    assert said({"content": "a"}, usage=usage).usage == counts


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("stop", "stop"), ("length", "length"), ("model_length", "length"), ("content_filter", "filter"),
        ("sensitive", "filter"), ("function_call", "tool"), ("something new", "stop"), (None, "stop"),
    ],
)  # fmt: skip
def test_ends_in_the_words_of_each_vendor(reason: str | None, finish: Finish) -> None:
    assert said({"content": "a"}, finish=reason).choices[0].finish == finish


def test_several_choices_keep_apart() -> None:
    events = [piece({"content": text}, "stop") for text in ("a", "b")]
    events[1]["choices"][0]["index"] = 1
    reply = folded(read_stream(sse(*events))[0])
    assert [choice.parts for choice in reply.choices] == [[Text(text="a")], [Text(text="b")]]


def test_sound_and_pictures_are_told() -> None:
    audio = {"id": "audio_1", "data": "AAAA", "transcript": "hi", "expires_at": 1}
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}, "index": 0}
    assert said({"audio": audio}, {"images": [picture]}).choices[0].parts == [
        Media(kind="audio", file_id="audio_1", data="AAAA", transcript="hi"),
        Media(kind="image", mime="image/png", data="AAAA"),
    ]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"choices":[]}', b'{"choices":[{}]}', b'{"choices":5}', b"<html>", b"\xff"]
)
def test_what_is_no_reply_is_broken(body: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        read_reply(body, "")


def test_an_error_that_calls_itself_a_success() -> None:
    """Whole replies of status 200 with an error in them, also inside a choice, are errors; without the credential."""
    for body in (
        b'{"error":{"message":"no zq7-key","code":"busy"}}',
        b'{"choices":[{"error":{"message":"no zq7-key"}}]}',
    ):
        with pytest.raises(UpstreamError) as caught:
            read_reply(body, "zq7-key")
        assert "no " in str(caught.value)
        assert "zq7" not in str(caught.value)
