from __future__ import annotations

import itertools
import json
from collections.abc import Iterable

import pytest

from gateline.formats.anthropic.sides import COUNT_WATCH, MESSAGES_WATCH
from gateline.formats.anthropic.watch import StreamCodec
from gateline.formats.contract import Codec
from gateline.model.call import Call
from gateline.model.errors import UpstreamBroken, UpstreamError
from gateline.model.usage import Usage
from tests.formats.anthropic.stream import event, finish, start, text, tool

AFTER = Usage(18, 7, cached=3, cache_write=5, cache_write_1h=4)
STOP = event("message_stop")
WHOLE = b"".join(
    [
        start(),
        event("ping"),
        text(0, "caf", "é 🎉"),
        tool(1, "f", '{"a"', ":1}"),
        b": comment\n\n",
        event("brand_new"),
        finish(),
    ]
)


def run(stream: bytes, cuts: Iterable[int] = ()) -> tuple[bytes, Codec]:
    assert MESSAGES_WATCH.codec is not None
    codec = MESSAGES_WATCH.codec(Call("messages", "m", {}), "sk-secret-0123456789")
    edges = [0, *sorted(cuts), len(stream)]
    relayed = b"".join(codec.feed(stream[begin:end]) for begin, end in itertools.pairwise(edges))
    codec.end()
    return relayed, codec


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_bytes_pass_as_they_came(end: bytes) -> None:
    """Whatever the cuts, every byte but the last event passes, and that is kept."""
    stream, stop = WHOLE.replace(b"\n", end), STOP.replace(b"\n", end)
    for cuts in [(), *((cut,) for cut in range(len(stream))), range(len(stream))]:
        relayed, codec = run(stream, cuts)
        assert relayed + codec.last == stream
        assert codec.last == stop
        assert (codec.done, codec.visible, codec.usage, codec.error) == (True, True, AFTER, None)


@pytest.mark.parametrize(
    ("first", "visible"),
    [
        (start(), False),
        (event("ping"), False),
        (event("content_block_start", index=0, content_block={"type": "text", "text": ""}), False),
        (event("content_block_delta", index=0, delta={"type": "text_delta", "text": ""}), False),
        (event("content_block_delta", index=0, delta={"type": "signature_delta", "signature": "S"}), False),
        (event("content_block_delta", index=0, delta={"type": "text_delta", "text": "a"}), True),
        (event("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "a"}), True),
        (event("content_block_delta", index=0, delta={"type": "input_json_delta", "partial_json": "{"}), True),
        (event("content_block_delta", index=0, delta={"type": "citations_delta", "citation": {}}), True),
        (
            event(
                "content_block_start", index=0, content_block={"type": "tool_use", "id": "1", "name": "f", "input": {}}
            ),
            True,
        ),
        (event("content_block_start", index=0, content_block={"type": "server_tool_use", "name": "web_search"}), True),
    ],
)
def test_visible_is_what_a_client_would_see(first: bytes, visible: bool) -> None:
    """The frame, pings and empty blocks can still be taken back; the first word, thought or tool cannot."""
    codec = StreamCodec()
    assert codec.feed(first) == first
    assert codec.visible is visible


def test_usage_is_the_last_that_is_known() -> None:
    """The beginning counts the prompt, the end what was written; a cut stream keeps what it knew."""
    codec = StreamCodec()
    codec.feed(start())
    assert codec.usage == Usage(18, 1, cached=3, cache_write=5, cache_write_1h=4)
    codec.feed(text(0, "a"))
    codec.feed(finish(input_tokens=61))
    assert codec.usage == Usage(69, 7, cached=3, cache_write=5, cache_write_1h=4)
    for odd in (None, 7, {"input_tokens": -1}, {"input_tokens": 10**12}):
        codec = StreamCodec()
        assert codec.feed(start(odd) + text(0, "a")) == start(odd) + text(0, "a")
        assert (codec.usage, codec.error) == (None, None)


def test_an_error_event_stops_the_relay() -> None:
    """The vendor's error does not pass as it is: its credential is cut out, and our own event ends the stream."""
    error = {"type": "overloaded_error", "message": "Overloaded sk-secret-0123456789"}
    relayed, codec = run(start() + text(0, "a") + event("error", error=error) + finish())
    assert relayed == start() + text(0, "a")
    assert isinstance(codec.error, UpstreamError)
    assert (codec.done, codec.last, codec.error.reason) == (False, b"", "overloaded_error")
    failed = codec.fail(codec.error, "req")
    assert failed.startswith(b"event: error\ndata: ")
    assert b"sk-secret" not in failed
    assert json.loads(failed[19:])["error"]["type"] == "overloaded_error"
    assert codec.feed(finish()) == b""


@pytest.mark.parametrize("bad", [b"data: {\n\n", b"event: x\ndata: nope\n\n", b'data: {"type":7}\n\n'])
@pytest.mark.parametrize("ahead", [b"", start() + text(0, "a")])
def test_what_is_not_the_format_is_broken(bad: bytes, ahead: bytes) -> None:
    """A malformed event ends the stream instead of passing for an answer."""
    relayed, codec = run(ahead + bad + finish())
    assert relayed == ahead
    assert isinstance(codec.error, UpstreamBroken)
    assert not codec.done


def test_a_stream_without_its_end_is_broken() -> None:
    """Cut anywhere ahead of its last event, a stream is an error; the last blank line may be missing."""
    for cut in range(WHOLE.index(STOP)):
        codec = run(WHOLE[:cut])[1]
        assert isinstance(codec.error, UpstreamBroken), cut
        assert not codec.done
    codec = run(WHOLE.rstrip())[1]
    assert (codec.done, codec.error, codec.last.rstrip()) == (True, None, STOP.rstrip())


def test_usage_of_whole_replies() -> None:
    """Found wherever it stands, in the tail of a big one too, and not mistaken for what a text says."""
    usage = {"input_tokens": 3, "output_tokens": 4, "cache_read_input_tokens": 5}
    said = {"type": "text", "text": 'he said "usage":{"input_tokens":9}'}
    last = json.dumps({"content": [said], "usage": usage}).encode()
    first = json.dumps({"usage": usage, "content": [said], "stop_details": None}).encode()
    assert MESSAGES_WATCH.usage(last) == MESSAGES_WATCH.usage(first) == Usage(8, 4, cached=5)
    assert MESSAGES_WATCH.usage_in_tail(last[-120:]) == Usage(8, 4, cached=5)
    assert MESSAGES_WATCH.usage_in_tail(b'"usage"' * 100) is None
    for body in (b"{}", b"", b"<html>", b'{"usage":null}', b'{"usage":{"output_tokens":3}}'):
        assert MESSAGES_WATCH.usage(body) is None
    assert COUNT_WATCH.usage(b'{"input_tokens": 3}') is None
    assert COUNT_WATCH.codec is None


def test_an_error_that_calls_itself_a_success_is_one() -> None:
    """A reply of status 200 with an error in it is reported; one that only mentions the word is not."""
    assert MESSAGES_WATCH.reported is not None
    failed = MESSAGES_WATCH.reported(b'{"type":"error","error":{"type":"api_error","message":"no"}}', "")
    assert failed is not None
    assert (str(failed), failed.reason) == ("no", "api_error")
    assert MESSAGES_WATCH.reported(b'{"content":[{"type":"text","text":"\\"error\\""}]}', "") is None
