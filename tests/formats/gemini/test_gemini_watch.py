"""Gemini's streams on their way through."""

from __future__ import annotations

import msgspec
import pytest

from gateline.formats.gemini.usage import usage_in_tail, usage_of_reply, write_usage
from gateline.formats.gemini.watch import StreamCodec, reported_reply
from gateline.model.call import Call
from gateline.model.errors import UpstreamBroken, UpstreamError
from gateline.model.usage import Usage
from tests.formats.gemini.rig import sse

FIRST = b'{"candidates": [{"content": {"parts": [{"text": "\xc3\xbc"}],"role": "model"},"index": 0}]}'
LAST = (
    b'{"candidates": [{"content": {"parts": [{"text": ""}]},"finishReason": "STOP","index": 0}],'
    b'"usageMetadata": {"promptTokenCount": 3,"candidatesTokenCount": 2,"totalTokenCount": 5}}'
)
LATE = b'{"usageMetadata": {"promptTokenCount": 4,"candidatesTokenCount": 2,"totalTokenCount": 6}}'
ERROR = b'{"error": {"code": 503,"message": "overloaded the-secret","status": "UNAVAILABLE"}}'
STREAM = b": hi\n\n" + sse(FIRST, FIRST, LAST)
ARRAY = b"[" + FIRST + b"\r\n,\r\n" + FIRST + b"\r\n,\r\n" + LAST + b"\r\n]"


def codec() -> StreamCodec:
    return StreamCodec(Call("generate_content", "m", {}, stream=True), "the-secret")


@pytest.mark.parametrize("size", [1, 2, 7, 10_000])
def test_events_pass_byte_for_byte(size: int) -> None:
    """However they were cut; the end of a whole stream is kept for last."""
    watched = codec()
    passed = b"".join(watched.feed(STREAM[at : at + size]) for at in range(0, len(STREAM), size))
    assert passed == STREAM.removesuffix(sse(LAST))
    assert not watched.done
    watched.end()
    assert watched.done
    assert watched.last == sse(LAST)
    assert watched.usage == Usage(3, 2)


@pytest.mark.parametrize("size", [1, 2, 7, 10_000])
def test_an_array_passes_by_its_elements(size: int) -> None:
    """The same for a client that did not ask for events: the objects are byte for byte, the array is closed last."""
    watched = codec()
    passed = b"".join(watched.feed(ARRAY[at : at + size]) for at in range(0, len(ARRAY), size))
    assert FIRST in passed
    assert LAST not in passed
    watched.end()
    assert watched.done
    assert passed.count(FIRST) == 2
    assert LAST in watched.last
    assert msgspec.json.decode(passed + watched.last) == msgspec.json.decode(ARRAY)


def test_what_follows_the_finish_passes_too() -> None:
    """What was held as the last is not, and the newest usage holds."""
    watched = codec()
    assert watched.feed(sse(LAST)) == b""
    assert watched.feed(sse(LATE)) == sse(LAST)
    watched.end()
    assert watched.last == sse(LATE)
    assert watched.usage == Usage(4, 2)


def test_visible_is_what_a_client_would_see() -> None:
    """An event without parts or with an empty text shows nothing; text does."""
    watched = codec()
    watched.feed(
        sse(b'{"candidates":[{"content":{"role":"model"}}]}', b'{"candidates":[{"content":{"parts":[{"text":""}]}}]}')
    )
    assert not watched.visible
    watched.feed(sse(FIRST))
    assert watched.visible


@pytest.mark.parametrize("whole", [STREAM, ARRAY])
def test_a_stream_that_is_cut_is_broken(whole: bytes) -> None:
    """Anywhere ahead of its end: there is no terminator, but there is the finish reason."""
    for end in range(len(whole) - 1):
        watched = codec()
        watched.feed(whole[:end])
        watched.end()
        assert isinstance(watched.error, UpstreamBroken)
        assert not watched.done
        assert watched.last == b""


@pytest.mark.parametrize("body", [sse(FIRST, ERROR, LAST), b"[" + FIRST + b",\r\n" + ERROR + b"]"])
def test_an_error_ends_the_stream(body: bytes) -> None:
    """It is told without the credential, and neither it nor what follows passes; the failure fits what came before."""
    watched = codec()
    passed = watched.feed(body)
    assert FIRST in passed
    assert b"overloaded" not in passed
    assert isinstance(watched.error, UpstreamError)
    assert "overloaded" in str(watched.error)
    assert "the-secret" not in str(watched.error)
    assert watched.feed(sse(LAST)) == b""
    failed = watched.fail(watched.error, "req-1")
    if body[:1] == b"[":
        assert msgspec.json.decode(passed + failed)[1]["error"]["status"] == "UNAVAILABLE"
    else:
        assert failed.startswith(b'data: {"error":')


@pytest.mark.parametrize("bad", [sse(b"{"), sse(b"7"), sse(b'{"candidates":7}'), b"[7]", b"[{]"])
def test_a_malformed_event_does_not_pass(bad: bytes) -> None:
    """It breaks the stream."""
    watched = codec()
    assert watched.feed(bad) == b""
    watched.end()
    assert isinstance(watched.error, UpstreamBroken)


def test_a_blocked_prompt_is_whole() -> None:
    """Its one event has no candidate, and is the last."""
    blocked = sse(b'{"promptFeedback": {"blockReason": "SAFETY"},"usageMetadata": {"promptTokenCount": 3}}')
    watched = codec()
    assert watched.feed(blocked) == b""
    watched.end()
    assert (watched.done, watched.last, watched.usage) == (True, blocked, Usage(3))


def test_usage_of_whole_replies_and_of_their_tails() -> None:
    """From a whole body, and from its last bytes alone; a text that speaks of usage is none."""
    body = (
        b'{"candidates":[{"content":{"parts":[{"text":"\\"usageMetadata\\": {\\"promptTokenCount\\": 9}"}]}}],%b}'
        % (LATE[1:-1])
    )
    assert usage_of_reply(body) == Usage(4, 2)
    assert usage_in_tail(body[40:]) == Usage(4, 2)
    assert usage_of_reply(b'{"usageMetadata":{"promptTokenCount":1},"candidates":[]}') == Usage(1)
    assert usage_in_tail(b'"x":{"usageMetadata":{"promptTokenCount":1}}}') is None
    assert usage_of_reply(b"{}") is None
    assert usage_of_reply(b"nonsense") is None


def test_cached_sound_is_told_apart() -> None:
    """Sound out of the prompt cache is neither paid as sound nor as cached text; clients are shown it again."""
    body = (
        b'{"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":1,"cachedContentTokenCount":9,'
        b'"promptTokensDetails":[{"modality":"TEXT","tokenCount":3},{"modality":"AUDIO","tokenCount":7}],'
        b'"cacheTokensDetails":[{"modality":"TEXT","tokenCount":3},{"modality":"AUDIO","tokenCount":6}]}}'
    )
    usage = usage_of_reply(body)
    assert usage == Usage(10, 1, 9, input_audio=7, cached_audio=6)
    assert write_usage(usage).counts() == usage


def test_an_error_in_a_success_is_found() -> None:
    """And a reply without one has none."""
    failed = reported_reply(ERROR, "the-secret")
    assert failed is not None
    assert failed.reason == "UNAVAILABLE"
    assert reported_reply(LAST, "") is None
