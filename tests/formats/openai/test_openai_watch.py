from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk

from gateline.formats.openai.watch import DONE, StreamCodec
from gateline.model.errors import UpstreamBroken
from gateline.model.usage import Usage
from gateline.wire.sse import EventSplitter, event_data, write_event

HEAD: dict[str, Any] = {"id": "c", "object": "chat.completion.chunk", "created": 7, "model": "m"}
USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7, "prompt_tokens_details": {"cached_tokens": 1}}
NONE: Any = object()  # the field is left out


def chunk(
    delta: object = NONE, finish: str | None = None, usage: object = NONE, index: int = 0, **more: object
) -> bytes:
    choices = [] if delta is NONE else [{"index": index, "delta": delta, "finish_reason": finish}]
    fields = {**HEAD, "choices": choices, **({} if usage is NONE else {"usage": usage}), **more}
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()


def event(data: bytes) -> bytes:
    return b"data: " + data + b"\n\n"


def chat(usage: object = NONE) -> list[bytes]:
    """A whole stream of an upstream that was asked for usage."""
    return [
        event(chunk({"role": "assistant", "content": ""}, usage=usage)),
        event(chunk({"content": 'he said "usage":null, \\ €'}, usage=usage)),
        event(chunk({"content": "x"}, usage=usage, index=1)),
        event(chunk({}, "stop", usage=usage)),
        event(chunk(usage=USAGE)),
        DONE,
    ]


def run(stream: bytes, cuts: list[int], include_usage: bool) -> tuple[bytes, StreamCodec]:
    codec = StreamCodec(include_usage)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    relayed = b"".join(codec.feed(stream[start:end]) for start, end in itertools.pairwise(edges))
    codec.end()
    return relayed, codec


def facts(codec: StreamCodec) -> tuple[object, ...]:
    return codec.visible, codec.finished, codec.done, codec.usage, codec.last, str(codec.error)


def datas(stream: bytes) -> list[Any]:
    return [json.loads(data) for raw in EventSplitter().feed(stream) if (data := event_data(raw)) is not None]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("usage", [NONE, None])
@pytest.mark.parametrize("include_usage", [True, False])
def test_every_cut_relays_the_same(end: bytes, usage: object, include_usage: bool) -> None:
    """A stream cut at any byte, or at all of them, relays the same bytes and learns the same."""
    stream = b"".join(chat(usage)).replace(b"\n", end)
    whole, codec = run(stream, [], include_usage)
    for cut in range(len(stream)):
        relayed, other = run(stream, [cut], include_usage)
        assert (relayed, facts(other)) == (whole, facts(codec))
    relayed, other = run(stream, list(range(len(stream))), include_usage)
    assert (relayed, facts(other)) == (whole, facts(codec))


def test_a_client_that_asked_gets_the_bytes_that_came() -> None:
    """With usage asked for, every byte but the held `[DONE]` passes as it came, and usage is known all the same."""
    events = chat(None)
    relayed, codec = run(b"".join(events), [], include_usage=True)
    assert relayed == b"".join(events[:-1])
    assert codec.usage == Usage(3, 4, 1)
    assert (codec.visible, codec.finished, codec.done, codec.last, codec.error) == (True, True, True, DONE, None)
    assert codec.end() is None


def test_a_client_that_did_not_ask_sees_no_usage() -> None:
    """Null usage is cut from each event and the usage event dropped: what is left is a stream without usage."""
    relayed, codec = run(b"".join(chat(None)), [], include_usage=False)
    assert relayed == b"".join(chat(NONE)[:-2])
    assert codec.usage == Usage(3, 4, 1)
    for data in datas(relayed):
        ChatCompletionChunk.model_validate(data)


@pytest.mark.parametrize(
    ("data", "written"),
    [
        (b'{"choices":[],"usage":null}', b'{"choices":[]}'),
        (b'{"choices":[],"usage":null,"obfuscation":"x"}', b'{"choices":[],"obfuscation":"x"}'),
        (b'{"usage":null,"choices":[]}', b'{"choices":[]}'),
        (b'{"usage":null}', b"{}"),
        (b'{"choices": [], "usage": null}', b'{"choices": []}'),
        (b'{"a": "\\"usage\\":null", "usage" : null , "b": 1}', b'{"a": "\\"usage\\":null", "b": 1}'),
        (b'{"a":"x,\\"usage","usage":null}', b'{"a":"x,\\"usage"}'),
        (b'{"a":"\\\\","usage":null}', b'{"a":"\\\\"}'),
        (b'{"a":{"b":1,"usage":null},"usage":null,"n":1.0}', b'{"a":{"b":1,"usage":null},"n":1.0}'),
        (b'{"a":{"b":1,"usage":null}}', b'{"a":{"b":1,"usage":null}}'),
        (b'{"a":{"b":1,"usage":null},"us\\u0061ge":null}', b'{"a":{"b":1,"usage":null}}'),
        (b'{"usage":{"prompt_tokens":1},"choices":[],"usage":null}', b'{"choices":[]}'),
        (b'{"a":"\\ud83d","usage":null}', b'{"a":"\\ud83d"}'),
        (b'{"a":"usage", "b":"\\u00e9", "usage": null}', b'{"a":"usage", "b":"\\u00e9"}'),
        (b'{"a":"\\u0075", "usage": null}', b'{"a":"\\u0075"}'),
    ],
)
def test_only_the_top_level_null_is_cut(data: bytes, written: bytes) -> None:
    """Wherever the null stands and whatever talks about usage, exactly the top-level member goes."""
    codec = StreamCodec(include_usage=False)
    assert codec.feed(event(data)) == event(written)
    assert codec.error is None
    assert StreamCodec(include_usage=True).feed(event(data)) == event(data)


JSON = st.recursive(
    st.none() | st.integers(0, 9) | st.text() | st.sampled_from(['"usage":null', ',"usage":null}', "usage"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text() | st.sampled_from(["usage", 'x"usage', "a\\"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(st.text() | st.sampled_from(['"usage', "usage\\"]), JSON, max_size=4),
    st.integers(0, 4),
    st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " : ")]),
    st.booleans(),
)
def test_the_cut_touches_nothing_else(
    fields: dict[str, Any], at: int, separators: tuple[str, str], escape: bool
) -> None:
    """For any event: what passes decodes to what came, less the top-level null usage."""
    for decided in ("usage", "choices", "error"):
        fields.pop(decided, None)
    members = list(fields.items())
    members.insert(at, ("usage", None))
    data = json.dumps(dict(members), separators=separators, ensure_ascii=escape).encode("utf-8")
    codec = StreamCodec(include_usage=False)
    relayed = codec.feed(event(data))
    assert codec.error is None
    assert [list(found.items()) for found in datas(relayed)] == [list(fields.items())]


@given(st.lists(st.tuples(st.text(), st.integers(0, 2)), max_size=8), st.lists(st.integers(0, 3000), max_size=10))
def test_the_answer_assembled_is_the_answer_sent(pieces: list[tuple[str, int]], cuts: list[int]) -> None:
    """For any texts, choices and cuts: what a client assembles from the relayed stream is what the upstream said."""
    sent: dict[int, str] = {}
    stream = b""
    for text, index in pieces:
        sent[index] = sent.get(index, "") + text
        stream += event(chunk({"content": text}, usage=None, index=index))
    stream += event(chunk({"content": ""}, "stop")) + event(chunk(usage=USAGE)) + DONE
    sent.setdefault(0, "")
    relayed, codec = run(stream, cuts, include_usage=False)
    assembled: dict[int, str] = {}
    for data in datas(relayed):
        assert "usage" not in data
        for choice in data["choices"]:
            assembled[choice["index"]] = assembled.get(choice["index"], "") + choice["delta"]["content"]
    assert assembled == sent
    assert codec.visible == any(text for text, _ in pieces)
    assert (codec.usage, codec.error) == (Usage(3, 4, 1), None)


CONTENTS = st.text(max_size=6) | st.sampled_from(['"', "\\", "\n", "", "a" * 300, '","usage":null', "}"])


@given(
    st.lists(CONTENTS, min_size=3, max_size=12),
    st.sampled_from([NONE, None]),
    st.booleans(),
    st.booleans(),
    st.none() | st.tuples(st.integers(0, 20), st.integers(0, 400), st.integers(0, 400), st.binary(max_size=3)),
)
def test_events_with_one_stencil_pass_as_if_each_was_read(
    contents: list[str], usage: object, include_usage: bool, escape: bool, damage: tuple[int, int, int, bytes] | None
) -> None:
    """A stream whose events differ in their text alone, read event by event, relays and learns what it does in one
    read; also when one of its events is damaged anywhere."""
    fields = [{**HEAD, "choices": [{"index": 0, "delta": {"content": text}}]} for text in ["a", "a", "b", *contents]]
    if usage is None:
        fields = [{**each, "usage": None} for each in fields]
    events = [event(json.dumps(each, separators=(",", ":"), ensure_ascii=escape).encode()) for each in fields]
    events += [event(chunk({}, "stop", usage=usage)), event(chunk(usage=USAGE)), DONE]
    if damage is not None:
        which, start, end, put = damage
        hurt = events[which % len(events)]
        events[which % len(events)] = hurt[:start] + put + hurt[end:]
    whole, codec = run(b"".join(events), [], include_usage)
    edges = list(itertools.accumulate(len(each) for each in events))
    relayed, other = run(b"".join(events), edges, include_usage)
    assert (relayed, facts(other)) == (whole, facts(codec))


@pytest.mark.parametrize("include_usage", [True, False])
def test_a_stencil_is_held_against_every_byte(include_usage: bool) -> None:
    """Behind events with one stencil, an event with any of its bytes changed or missing is judged on its own."""
    usual = event(chunk({"content": "abc"}, usage=None))
    for at in range(len(usual) - 2):
        for put in (b"", b'"', b"\\", b"\n", b"\x01", b"7", b"}"):
            last = usual[:at] + put + usual[at + 1 :]
            codec, fresh = StreamCodec(include_usage), StreamCodec(include_usage)
            for _ in range(3):
                codec.feed(usual)
            fresh.feed(usual)
            assert codec.feed(last) == fresh.feed(last), last
            assert codec.feed(DONE) == fresh.feed(DONE)
            assert facts(codec) == facts(fresh)


@pytest.mark.parametrize(
    ("choice", "visible"),
    [
        ({"delta": {"role": "assistant"}}, False),
        ({"delta": {"role": "assistant", "content": "", "refusal": None, "tool_calls": []}}, False),
        ({"delta": {}, "finish_reason": "stop"}, False),
        ({"delta": None}, False),
        ({"text": ""}, False),
        ({"text": "a"}, True),
        ({"delta": {"content": "a"}}, True),
        ({"delta": {"content": " "}}, True),
        ({"delta": {"content": [{"type": "text", "text": "a"}]}}, True),
        ({"delta": {"reasoning_content": "a"}}, True),
        ({"delta": {"reasoning": "a"}}, True),
        ({"delta": {"refusal": "no"}}, True),
        ({"delta": {"tool_calls": [{"index": 0, "function": {"name": "f"}}]}}, True),
        ({"delta": {"function_call": {"name": "f"}}}, True),
        ({"delta": {"audio": {"data": "x"}}}, True),
    ],
)
def test_visible_is_the_first_event_with_something_to_see(choice: dict[str, Any], visible: bool) -> None:
    """Content, tools, reasoning, refusals and text are visible; roles, empty strings and finish reasons are not."""
    codec = StreamCodec(include_usage=False)
    raw = event(json.dumps({"choices": [choice]}).encode())
    assert codec.feed(raw) == raw
    assert codec.visible is visible
    assert codec.finished is ("finish_reason" in choice)


@pytest.mark.parametrize("include_usage", [True, False])
def test_comments_and_foreign_events_pass(include_usage: bool) -> None:
    """Comments, empty data and objects that are no chunks pass untouched and are not visible."""
    for raw in (b": ping\n\n", b"event: ping\ndata:\n\n", b"id: 4\n\n", b'data: {"type":"x"}\n\n', b"\n\n"):
        codec = StreamCodec(include_usage)
        assert codec.feed(raw) == raw
        assert (codec.visible, codec.error) == (False, None)


@pytest.mark.parametrize(
    "data",
    [
        b'{"choices":[{"delta":{"content":"a"}', b"not json", b"[1]", b'"x"', b"7", b"null", b'{"a":NaN}', b"{} {}",
        b"[" * 50_000, b'{"a":' * 50_000,
    ],
)  # fmt: skip
@pytest.mark.parametrize("include_usage", [True, False])
def test_a_malformed_event_is_an_error(data: bytes, include_usage: bool) -> None:
    """An event that no client could read ends the stream; what came before it has passed, nothing after it does."""
    codec = StreamCodec(include_usage)
    good = event(chunk({"content": "a"}))
    assert codec.feed(good + event(data) + good + DONE) == good
    assert isinstance(codec.error, UpstreamBroken)
    assert not codec.done
    assert codec.feed(good) == b""
    assert codec.end() == str(codec.error)


@pytest.mark.parametrize(
    "raw",
    [
        b'data: {"error":{"message":"overloaded: sk-abcdefgh12345678","code":"busy"}}\n\n',
        b'event: error\ndata: {"message":"overloaded: sk-abcdefgh12345678","code":"busy"}\n\n',
        b'data: {"choices":5,"error":{"message":"overloaded: sk-abcdefgh12345678","code":"busy"}}\n\n',
    ],
)
def test_an_error_event_ends_the_stream(raw: bytes) -> None:
    """An upstream's in-band error is explained without its credential, and none of its own bytes pass."""
    codec = StreamCodec(include_usage=True)
    assert codec.feed(raw + DONE) == b""
    assert codec.error is not None
    assert str(codec.error) == "overloaded: [redacted]"
    assert codec.error.reason == "busy"
    assert not codec.done


def test_an_error_event_without_words_is_an_error_too() -> None:
    """`event: error` counts whatever its data is; `"error":null` in a chunk is none."""
    for raw in (b"event: error\ndata: [DONE]\n\n", b"event: error\n\n", b"event: error\ndata: oops\n\n"):
        codec = StreamCodec(include_usage=True)
        codec.feed(raw)
        assert codec.error is not None
        assert not codec.done
    codec = StreamCodec(include_usage=True)
    codec.feed(event(chunk({"content": "a"}, error=None)))
    assert codec.error is None


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 4, 5])
def test_an_end_without_done_is_a_truncation(cut: int) -> None:
    """A stream that ends before `[DONE]`, between events or inside one, is broken, finish reason or not."""
    events = chat(None)
    for stream in (b"".join(events[:cut]), b"".join(events[:cut]) + events[cut][:-3]):
        if not stream.endswith(b"data: [DONE"):
            codec = StreamCodec(include_usage=False)
            codec.feed(stream)
            assert codec.end() is not None
            assert isinstance(codec.error, UpstreamBroken)


@pytest.mark.parametrize("tail", [b"data: [DONE]", b"data: [DONE]\n", b"data:[DONE]\r\n", b"data: [DONE] \n\n"])
def test_sloppy_terminators_count(tail: bytes) -> None:
    """A `[DONE]` whose blank line never came, or with spaces, ends a stream; what is written then is a whole event."""
    relayed, codec = run(event(chunk({"content": "a"})) + tail, [], include_usage=False)
    assert relayed == event(chunk({"content": "a"}))
    assert (codec.done, codec.error) == (True, None)
    assert EventSplitter().feed(codec.last) == [codec.last]


def test_nothing_passes_after_done() -> None:
    """What an upstream sends behind `[DONE]` is nobody's answer."""
    codec = StreamCodec(include_usage=True)
    end = event(chunk({}, "stop"))
    assert codec.feed(end + DONE + event(chunk({"content": "a"}))) == end
    assert codec.feed(event(chunk({"content": "a"}))) == b""
    assert (codec.done, codec.visible) == (True, False)


@pytest.mark.parametrize("ahead", [b"", b": ping\n\n", event(chunk({"role": "assistant"})), event(chunk(usage=USAGE))])
@pytest.mark.parametrize("done", [DONE, DONE[:-2]])
def test_an_end_without_an_answer_is_none(ahead: bytes, done: bytes) -> None:
    """Neither content nor a finish reason came: another target may still answer."""
    codec = StreamCodec(include_usage=True)
    codec.feed(ahead + done)
    codec.end()
    assert isinstance(codec.error, UpstreamBroken)
    assert (codec.done, codec.last) == (False, b"")


def test_untyped_chunks_still_count() -> None:
    """A vendor that types fields its own way is relayed, and its usage is read where it can be."""
    codec = StreamCodec(include_usage=False)
    raw = event(b'{"choices":[{"delta":"hi","finish_reason":3}]}')
    assert codec.feed(raw) == raw
    assert (codec.visible, codec.finished) == (True, True)
    assert codec.feed(event(b'{"choices":{},"usage":{"prompt_tokens":1,"completion_tokens":2}}')) == b""
    assert codec.usage == Usage(1, 2)


def test_half_an_emoji_passes() -> None:
    """A surrogate pair that an upstream cut over two events is relayed: clients join the halves."""
    codec = StreamCodec(include_usage=False)
    for half in (b"\\ud83d", b"\\ude00"):
        raw = event(b'{"choices":[{"delta":{"content":"' + half + b'"}}]}')
        assert codec.feed(raw) == raw
    assert (codec.visible, codec.error) == (True, None)


def test_usage_in_a_choice_event_is_noted_and_stays() -> None:
    """Usage beside content is the vendor's own idea: the ledger takes it, nothing is cut."""
    codec = StreamCodec(include_usage=False)
    raw = event(chunk({"content": "a"}, "stop", usage=USAGE))
    assert codec.feed(raw) == raw
    assert codec.usage == Usage(3, 4, 1)


def test_an_event_of_several_lines_is_understood() -> None:
    """Data over several lines, and fields beside it, are read as one object; the cut keeps it one event."""
    data = b'{"choices":[{"delta":{"content":"a"}}],\n"usage":null}'
    codec = StreamCodec(include_usage=False)
    relayed = codec.feed(write_event(data))
    assert datas(relayed) == [{"choices": [{"delta": {"content": "a"}}]}]
    assert codec.visible


def test_an_endless_event_is_an_error() -> None:
    """An upstream that never ends an event costs at most 16 MiB."""
    codec = StreamCodec(include_usage=True)
    for _ in range(300):
        codec.feed(b"x" * 65536)
    assert isinstance(codec.error, UpstreamBroken)


def test_an_error_in_a_stream_does_not_show_the_credential() -> None:
    codec = StreamCodec(False, secret="zq7-key")
    codec.feed(b'data: {"error":{"message":"bad key zq7-key","code":"zq7-key"}}\n\n')
    assert codec.error is not None
    assert "zq7-key" not in f"{codec.error} {codec.error.reason}"
