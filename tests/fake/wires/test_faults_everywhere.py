"""Every fault, in every format: what is sent differs from the well-behaved reply in the one way that was asked for."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any, NamedTuple

import pytest
from botocore.eventstream import EventStreamBuffer

from gateline.fake.cue import FAULTS, parse_cue
from gateline.fake.script import Rule, Script
from gateline.fake.server import FakeProvider
from tests.fake.wires.stage import play, post

HI = [{"role": "user", "content": "hi"}]
GOOGLE = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
AWS = {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}


class Format(NamedTuple):
    """Where a stream and a whole answer are asked for, how, and the place of an error's message."""

    stream: tuple[str, dict[str, Any]]
    whole: tuple[str, dict[str, Any]]
    headers: dict[str, str]
    message: tuple[str, ...]


def same_path(path: str, body: dict[str, Any], *message: str, **headers: str) -> Format:
    return Format((path, {**body, "stream": True}), (path, {**body, "stream": False}), headers, message)


ANTHROPIC = {"model": "m", "max_tokens": 64, "messages": HI}
FORMATS = {
    "chat": same_path("/v1/chat/completions", {"model": "m", "messages": HI}, "error", "message"),
    "responses": same_path("/v1/responses", {"model": "m", "input": "hi"}, "error", "message"),
    "anthropic": same_path("/v1/messages", ANTHROPIC, "error", "message", anthropic_version="2023-06-01"),
    "gemini": Format(
        ("/v1beta/models/m:streamGenerateContent?alt=sse", GOOGLE),
        ("/v1beta/models/m:generateContent", GOOGLE),
        {},
        ("error", "message"),
    ),
    "gemini array": Format(
        ("/v1/models/m:streamGenerateContent", GOOGLE),
        ("/v1/models/m:generateContent", GOOGLE),
        {},
        ("error", "message"),
    ),
    "bedrock": Format(
        ("/model/m/converse-stream", AWS), ("/model/m/converse", AWS), {"authorization": "Bearer x"}, ("message",)
    ),
    "cohere": same_path("/v2/chat", {"model": "m", "messages": HI}, "message"),
    "ollama": same_path("/api/chat", {"model": "m", "messages": HI}, "error"),
}


async def ask(fake: FakeProvider, name: str, cue: str, *, stream: bool) -> tuple[int, dict[str, str], bytes]:
    made = FORMATS[name]
    path, body = made.stream if stream else made.whole
    fake.follow(Script(rules=[Rule(cue=cue)] if cue else []))
    return await post(fake, path, body, **made.headers)


def message_of(name: str, body: bytes) -> str:
    found = json.loads(body)
    for step in FORMATS[name].message:
        found = found[step]
    return str(found)


@pytest.mark.parametrize("name", FORMATS)
def test_streams_go_wrong_as_they_are_told(name: str) -> None:
    """A prefix of the good stream where it breaks off, all of it where only its form is odd."""

    async def story(fake: FakeProvider) -> None:
        _, plain_headers, plain = await ask(fake, name, "", stream=True)
        for cue in ("cut,after=3", "close,after=3", "no_done", "cut,after=9999"):
            _, _, body = await ask(fake, name, cue, stream=True)
            assert plain.startswith(body), cue
            assert 0 < len(body) < len(plain), cue
        _, _, body = await ask(fake, name, "error_event,after=3", stream=True)
        assert b"told to fail" in body
        assert body[:200] == plain[:200]
        _, _, body = await ask(fake, name, "bad_json,after=3", stream=True)
        assert b"unfinis" in body or name in {"gemini array", "anthropic", "cohere"}
        assert len(body) > len(plain)
        assert body.endswith(plain[-40:])
        _, headers, body = await ask(fake, name, "gzip", stream=True)
        assert (headers["content-encoding"], gzip.decompress(body)) == ("gzip", plain)
        _, headers, body = await ask(fake, name, "false_type", stream=True)
        assert (headers["content-type"] != plain_headers["content-type"], body) == (True, plain)
        _, _, body = await ask(fake, name, "huge=50000", stream=True)
        assert len(body) >= len(plain) + 50000
        _, headers, body = await ask(fake, name, "wrong_type", stream=True)
        assert (headers["content-type"], body) == ("application/json", (await ask(fake, name, "", stream=False))[2])
        assert (await ask(fake, name, "stall=0,after=3", stream=True))[2] == plain
        with pytest.raises(ConnectionResetError):
            await ask(fake, name, "reset,after=3", stream=True)
        assert {line.outcome for line in fake.invoice.lines()} <= {"finished", "faulted", "cancelled"}

    play(story)


@pytest.mark.parametrize("name", FORMATS)
def test_whole_answers_go_wrong_as_they_are_told(name: str) -> None:
    """Cut, not JSON, an error under 200, far too long, coded, of the other kind."""

    async def story(fake: FakeProvider) -> None:
        _, _, plain = await ask(fake, name, "", stream=False)
        json.loads(plain)
        _, _, body = await ask(fake, name, "cut,after=1", stream=False)
        assert plain.startswith(body)
        assert len(body) < len(plain)
        _, _, body = await ask(fake, name, "bad_json", stream=False)
        with pytest.raises(json.JSONDecodeError):
            json.loads(body)
        status, _, body = await ask(fake, name, "error_event", stream=False)
        assert (status, "told to fail" in message_of(name, body)) == (200, True)
        _, _, body = await ask(fake, name, "huge=50000", stream=False)
        assert len(body) >= 50000
        assert json.loads(body) == json.loads(plain)
        assert gzip.decompress((await ask(fake, name, "gzip", stream=False))[2]) == plain
        _, headers, body = await ask(fake, name, "wrong_type", stream=False)
        _, wanted, streamed = await ask(fake, name.removesuffix(" array"), "", stream=True)
        assert (headers["content-type"], body) == (wanted["content-type"], streamed)

    play(story)


@pytest.mark.parametrize("name", FORMATS)
def test_every_status_has_the_vendors_body(name: str) -> None:
    """Streaming or not: the same status, the message where this vendor puts it, and when to come back."""

    async def story(fake: FakeProvider) -> None:
        for status in (400, 401, 403, 404, 408, 413, 429, 500, 503, 529):
            for stream in (False, True):
                got, headers, body = await ask(fake, name, f"status={status},retry_after=7", stream=stream)
                assert got == status
                assert headers["content-type"] == "application/json"
                assert f"told to answer {status}" in message_of(name, body)
                if name.startswith("gemini"):
                    assert json.loads(body)["error"]["details"][-1]["retryDelay"] == "7s"
                else:
                    assert headers["retry-after"] == "7"

    play(story)


@pytest.mark.parametrize("name", FORMATS)
def test_no_fault_breaks_the_fake(name: str) -> None:
    """Each fault there is, in each format, whole and streamed: a reply or an end, and the next request is served."""
    values = {"status": "=503", "huge": "=1000", "length": "=10", "stall": "=0"}

    async def story(fake: FakeProvider) -> None:
        for fault in sorted(FAULTS - {"endless", "drip"}):
            for stream in (False, True):
                cue = f"{fault}{values.get(fault, '')}"
                assert parse_cue(cue).fault == fault
                try:
                    await ask(fake, name, cue, stream=stream)
                except (ConnectionError, ValueError):
                    assert fault in {"reset", "close", "garbage", "interim"}
        assert (await ask(fake, name, "", stream=False))[0] == 200

    play(story)


@pytest.mark.parametrize("name", FORMATS)
def test_a_character_of_four_bytes_comes_in_every_format(name: str) -> None:
    """As UTF-8 and not as an escape, so that there is something to be cut."""

    async def story(fake: FakeProvider) -> None:
        assert "\N{STEAM LOCOMOTIVE}".encode() in (await ask(fake, name, "split", stream=True))[2]

    play(story)


@pytest.mark.parametrize("name", ["bedrock", "ollama", "gemini array"])
def test_a_stream_that_drips_is_the_same_stream(name: str) -> None:
    """A byte at a time, whatever its framing."""

    async def story(fake: FakeProvider) -> None:
        _, _, plain = await ask(fake, name, "tokens=1", stream=True)
        assert (await ask(fake, name, "tokens=1,drip=0.0001", stream=True))[2] == plain

    play(story)


def test_bedrocks_events_keep_their_checksums_whatever_the_fault() -> None:
    """A bad event is bad JSON in a sound frame; an error is an exception's frame."""

    async def story(fake: FakeProvider) -> None:
        for cue, kind in (("bad_json,after=3", "event"), ("error_event,after=3", "exception")):
            _, _, body = await ask(fake, "bedrock", cue, stream=True)
            buffer = EventStreamBuffer()
            buffer.add_data(body)
            messages = list(buffer)
            assert messages[3].headers[":message-type"] == kind

    play(story)


def test_a_gzipped_stream_can_be_read_as_it_comes() -> None:
    """Each piece is flushed, in the binary format too."""

    async def story(fake: FakeProvider) -> None:
        _, _, body = await ask(fake, "bedrock", "gzip", stream=True)
        assert zlib.decompressobj(31).decompress(body[: len(body) // 2])

    play(story)
