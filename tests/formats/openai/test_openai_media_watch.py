"""Streams of pictures, transcripts and speech that pass: whole, cut anywhere, broken, and with an error in them."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import httpx2
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import ImageGenStreamEvent
from openai.types.audio import TranscriptionStreamEvent
from pydantic import TypeAdapter

from gateline.formats.contract import Codec
from gateline.formats.openai.media_usage import MediaUsage, UsageObject
from gateline.formats.openai.media_watch import MediaCodec
from gateline.model.errors import UpstreamBroken, UpstreamError
from gateline.model.usage import Usage
from gateline.wire.bound import MAX_EVENT

PICTURE = {"b64_json": "aGk=", "background": "opaque", "created_at": 1, "output_format": "png", "quality": "low"}
SIZED = {**PICTURE, "size": "1024x1024"}
PICTURED = {
    "input_tokens": 5,
    "input_tokens_details": {"image_tokens": 0, "text_tokens": 5},
    "output_tokens": 7,
    "total_tokens": 12,
}
HEARD = {"type": "tokens", "input_tokens": 5, "output_tokens": 7, "total_tokens": 12}
SPOKEN = {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12}
STREAMS: dict[str, list[dict[str, Any]]] = {
    "picture": [
        {"type": "image_generation.partial_image", "partial_image_index": 0, **SIZED},
        {"type": "image_generation.completed", "usage": PICTURED, **SIZED},
    ],
    "edit": [{"type": "image_edit.completed", "usage": PICTURED, **SIZED}],
    "transcript": [
        {"type": "transcript.text.delta", "delta": "caf\u00e9 "},
        {"type": "transcript.text.delta", "delta": "\U0001f600"},
        {"type": "transcript.text.done", "text": "caf\u00e9 \U0001f600", "usage": HEARD},
    ],
    "speech": [
        {"type": "speech.audio.delta", "audio": "aGk="},
        {"type": "speech.audio.done", "usage": SPOKEN},
    ],
}


def wire(*events: dict[str, Any], named: bool = False, end: str = "\n") -> bytes:
    lines = [
        (f"event: {event['type']}{end}" if named else "") + f"data: {json.dumps(event, ensure_ascii=False)}{end}{end}"
        for event in events
    ]
    return "".join(lines).encode()


def codec(results: int = 1) -> MediaCodec:
    return MediaCodec(MediaUsage(UsageObject.counts), "sk-secret", results)


def passed(made: Codec, *pieces: bytes) -> bytes:
    """What the client gets of a stream that then ends."""
    relayed = b"".join([made.feed(piece) for piece in pieces])
    made.end()
    return relayed + made.last


def test_the_events_are_those_of_the_official_types() -> None:
    """What these tests play is what the SDK parses; of speech it has no types."""
    for event in STREAMS["picture"]:
        TypeAdapter(ImageGenStreamEvent).validate_python(event)
    for event in STREAMS["transcript"]:
        TypeAdapter(TranscriptionStreamEvent).validate_python(event)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_passes_byte_for_byte_wherever_it_is_cut(name: str, named: bool, end: str) -> None:
    """Cut at every byte: the same bytes, the same usage, and the last event held for the end."""
    stream = wire(*STREAMS[name], named=named, end=end)
    for at in range(len(stream) + 1):
        made = codec()
        assert passed(made, stream[:at], stream[at:]) == stream
        assert made.done
        assert (made.usage, made.error) == (Usage(input=5, output=7), None)
        assert json.loads(made.last.split(b"data: ")[1])["type"] == STREAMS[name][-1]["type"]


@given(st.data())
def test_a_stream_in_many_pieces_is_the_same_stream(data: st.DataObject) -> None:
    """Inside of characters too."""
    stream = wire(*STREAMS["transcript"], named=True)
    places = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[start:stop] for start, stop in pairwise([0, *places, len(stream)])]
    assert passed(codec(), *pieces) == stream


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_that_ends_early_is_broken(name: str) -> None:
    """Wherever it ends before its last event is whole."""
    stream = wire(*STREAMS[name])
    for at in range(len(stream) - 1):
        made = codec()
        assert passed(made, stream[:at]) == stream[: stream.rfind(b"\n\n", 0, at) + 2 if b"\n\n" in stream[:at] else 0]
        assert isinstance(made.error, UpstreamBroken)
        assert not made.done


def test_the_first_event_is_visible() -> None:
    """There is nothing before it that another target could still take back."""
    made = codec()
    made.feed(b": ping\n\n")
    assert not made.visible
    made.feed(wire(STREAMS["speech"][0]))
    assert made.visible


def test_several_pictures_have_as_many_ends() -> None:
    """The stream is over with the last; one that ends in good order after fewer is whole too."""
    one = wire(STREAMS["edit"][0])
    made = codec(2)
    assert made.feed(one) == one
    assert not made.done
    assert made.feed(one) == b""
    assert (made.done, made.last) == (True, one)
    made = codec(2)
    assert passed(made, one) == one
    assert (made.done, made.error) == (True, None)


def test_the_end_of_other_servers_is_one_too() -> None:
    """vLLM streams transcripts as chunks of a chat, with a chat's usage, up to `[DONE]`."""
    chunks = b'data: {"object":"transcription.chunk","choices":[{"delta":{"content":"hi"}}]}\n\n'
    usage = b'data: {"object":"transcription.chunk","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7}}\n\n'
    made = codec()
    assert passed(made, chunks + usage + b"data: [DONE]\n\n") == chunks + usage + b"data: [DONE]\n\n"
    assert (made.done, made.usage) == (True, Usage(input=5, output=7))


@pytest.mark.parametrize(
    "event",
    [
        b'data: {"error":{"message":"no sk-secret","type":"t","code":"moderation_blocked"}}\n\n',
        b'event: error\ndata: {"type":"error","error":{"message":"no sk-secret","code":"moderation_blocked"}}\n\n',
        b'data: {"type":"error","message":"no sk-secret","code":"moderation_blocked"}\n\n',
    ],
)
def test_an_error_in_the_stream_is_its_end(event: bytes) -> None:
    """Nothing of it passes, and no credential that it quotes."""
    made = codec()
    first = wire(STREAMS["picture"][0])
    assert made.feed(first + event + wire(STREAMS["picture"][1])) == first
    assert isinstance(made.error, UpstreamError)
    assert made.error.reason == "moderation_blocked"
    assert str(made.error).startswith("no ")
    assert "sk-secret" not in str(made.error)
    assert made.feed(first) == b""


@pytest.mark.parametrize("event", [b"data: {oops\n\n", b"data: [1]\n\n", b"data: \xff\n\n"])
def test_a_malformed_event_breaks_the_stream(event: bytes) -> None:
    """None of it passes for an answer."""
    made = codec()
    assert made.feed(event) == b""
    assert isinstance(made.error, UpstreamBroken)


def test_an_event_has_a_bound() -> None:
    """A picture that never ends is not collected for ever."""
    made = codec()
    piece = b"x" * 1_048_576
    made.feed(b'data: {"b64_json":"')
    for _ in range(MAX_EVENT // len(piece) + 1):
        made.feed(piece)
    assert isinstance(made.error, UpstreamBroken)


def test_a_failure_is_an_error_to_the_sdk() -> None:
    """In OpenAI's shape, behind what had passed; nothing that says the answer is whole."""
    made = codec()
    stream = made.feed(wire(STREAMS["transcript"][0])) + made.fail(UpstreamBroken("it broke"), "req_1")

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=stream, headers={"content-type": "text/event-stream"})

    with (
        httpx2.Client(transport=httpx2.MockTransport(answer)) as http,
        openai.OpenAI(api_key="k", http_client=http, max_retries=0) as client,
    ):
        events = client.audio.transcriptions.create(model="m", file=b"x", stream=True)
        assert next(events).type == "transcript.text.delta"
        with pytest.raises(openai.APIError, match=r"it broke.*req_1"):
            next(events)
