"""Pictures, transcripts and speech through a whole worker: forms in, sound and text out, whole and as they come."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateline.model.snapshot import Provider, Retry, Snapshot
from gateline.model.usage import Usage
from tests.gateway.rig import LAST, TOKEN, Gate, chunk, error, model, reply, snapshot, status
from tests.net.transport import on_loop

MIB = 1_048_576
FORM = "multipart/form-data; boundary=xyz"
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
SOUND = b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nTransfer-Encoding: chunked\r\n\r\n"
DONE = (
    b'data: {"type":"transcript.text.done","text":"hi","usage":'
    b'{"type":"tokens","input_tokens":2,"output_tokens":3,"total_tokens":5}}\n\n'
)


def openai(name: str) -> Provider:
    return Provider(name, "openai", "http", "127.0.0.1", 9000, "/v1", f"sk-of-{name}")


def serving(*names: str) -> Snapshot:
    return snapshot(
        *[
            model("m" if not at else f"m{at}", openai(name), fallbacks=("m1",) if not at and names[1:] else ())
            for at, name in enumerate(names)
        ],
        retry=Retry(attempts=1),
    )


def post(path: str, body: bytes, kind: str = "application/json") -> bytes:
    head = [f"POST /v1/{path} HTTP/1.1", "Host: a", f"Authorization: Bearer {TOKEN}", f"Content-Type: {kind}"]
    return "\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]).encode() + body


def form(**fields: str) -> bytes:
    texts = [
        f'--xyz\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in fields.items()
    ]
    file = b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n\x00\xff\r\n'
    return file + "".join(texts).encode() + b"--xyz--\r\n"


def transcription(**fields: str) -> bytes:
    return post("audio/transcriptions", form(model="m", **fields), FORM)


def speech(**fields: str) -> bytes:
    return post("audio/speech", json.dumps({"model": "m", "input": "hi", "voice": "alloy", **fields}).encode())


@on_loop
async def test_a_form_goes_on_with_the_targets_model(tmp_path: Path) -> None:
    """With the client's boundary in its type; all else is as it came. The reply's usage is noted."""
    gate = Gate(tmp_path, serving("up"))
    client, upstream = await gate.asked(transcription(language="en"))
    head, _, body = upstream.transport.out.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/audio/transcriptions HTTP/1.1\r\n")
    assert f"content-type: {FORM}\r\n".encode() in head.lower()
    assert body == form(model="m-there", language="en")
    answer = b'{"text":"hi","usage":{"type":"tokens","input_tokens":2,"output_tokens":3,"total_tokens":5}}'
    upstream.reply(reply(answer))
    await gate.settle()
    assert client.out.endswith(answer)
    assert (gate.record.operation, gate.record.usage) == ("audio.transcriptions", Usage(input=2, output=3))


@on_loop
async def test_a_fallback_gets_the_form_too(tmp_path: Path) -> None:
    """Written anew for each target, from the one body that came."""
    gate = Gate(tmp_path, serving("one", "two"))
    _, upstream = await gate.asked(transcription())
    upstream.reply(reply(b"{}", status="500 No"))
    await gate.settle()
    other = gate.connector.opened[-1]
    assert other.provider == "two"
    assert other.transport.out.endswith(form(model="m1-there"))


@on_loop
async def test_what_is_wrong_with_a_form_is_said_with_the_fields_name(tmp_path: Path) -> None:
    """And no upstream hears of it."""
    gate = Gate(tmp_path, serving("up"))
    refused = await gate.ask(post("audio/transcriptions", form(language="en"), FORM))
    assert (status(refused), error(refused)["param"]) == (400, "model")
    refused = await gate.ask(post("images/edits", form(model="m", Model="other"), FORM))
    assert (status(refused), error(refused)["param"]) == (400, "model")
    refused = await gate.ask(post("audio/transcriptions", b"hello", "text/plain"))
    assert (status(refused), error(refused)["code"]) == (400, "invalid_multipart")
    assert not gate.connector.opened


@on_loop
async def test_an_edit_may_come_as_json(tmp_path: Path) -> None:
    """OpenAI takes pictures by reference too."""
    gate = Gate(tmp_path, serving("up"))
    _, upstream = await gate.asked(post("images/edits", b'{"model":"m","images":[{"image_url":"https://a/b"}]}'))
    body = upstream.transport.out.partition(b"\r\n\r\n")[2]
    assert json.loads(body) == {"model": "m-there", "images": [{"image_url": "https://a/b"}]}


@pytest.mark.parametrize("wanted", ["text", "srt", "vtt"])
@on_loop
async def test_a_transcript_may_be_plain_text(tmp_path: Path, wanted: str) -> None:
    """It is no broken reply, and what was said in it is not the vendor's count."""
    gate = Gate(tmp_path, serving("up"))
    client, upstream = await gate.asked(transcription(response_format=wanted))
    text = b'he said, "usage":{"input_tokens":1,"output_tokens":1}}'
    upstream.reply(reply(text).replace(b"application/json", b"text/plain; charset=utf-8"))
    await gate.settle()
    assert client.out.endswith(text)
    assert b"content-type: text/plain; charset=utf-8\r\n" in client.out
    assert (gate.record.status, gate.record.usage) == (200, None)


@on_loop
async def test_a_large_transcript_may_be_plain_text(tmp_path: Path) -> None:
    """It passes as it comes."""
    gate = Gate(tmp_path, serving("up"))
    client, upstream = await gate.asked(transcription(response_format="text"))
    text = b"word " * MIB + b'"usage":{"input_tokens":1,"output_tokens":1}}'
    wire = reply(text).replace(b"application/json", b"text/plain")
    for at in range(0, len(wire), 65_536):
        upstream.reply(wire[at : at + 65_536])
        await gate.settle()
    assert client.out.endswith(text)
    assert (gate.record.status, gate.record.usage) == (200, None)


@pytest.mark.parametrize("body", [b"<html>busy</html>", b"[1]"])
@on_loop
async def test_a_transcript_that_should_be_an_object_must_be_one(tmp_path: Path, body: bytes) -> None:
    """The page of some proxy is no transcript."""
    gate = Gate(tmp_path, serving("up"))
    client, upstream = await gate.asked(transcription(response_format="verbose_json"))
    upstream.reply(reply(body))
    await gate.settle()
    assert (status(client), error(client)["code"]) == (502, "upstream_broken")


@on_loop
async def test_a_streamed_transcript_is_noted_with_its_usage(tmp_path: Path) -> None:
    """Its last event leaves once the record is noted."""
    gate = Gate(tmp_path, serving("up"))
    client, upstream = await gate.asked(transcription(stream="true"))
    delta = b'data: {"type":"transcript.text.delta","delta":"hi"}\n\n'
    upstream.reply(STREAM + chunk(delta) + chunk(DONE) + LAST)
    await gate.settle()
    assert chunk(delta) + chunk(DONE) + LAST in client.out
    assert (gate.record.stream, gate.record.usage) == (True, Usage(input=2, output=3))


@on_loop
async def test_a_stream_without_its_end_is_an_error(tmp_path: Path) -> None:
    """In the client's stream, and on record; what was seen stays seen."""
    gate = Gate(tmp_path, serving("up"))
    client, upstream = await gate.asked(transcription(stream="true"))
    upstream.reply(STREAM + chunk(b'data: {"type":"transcript.text.delta","delta":"hi"}\n\n') + LAST)
    await gate.settle()
    assert b'event: error\ndata: {"type":"error","error":{' in client.out
    assert (gate.record.error, gate.record.status) == ("upstream_broken", 200)


@on_loop
async def test_a_wish_for_a_stream_may_be_ignored(tmp_path: Path) -> None:
    """As whisper-1 does: the client gets the transcript that the vendor made, and not an error."""
    gate = Gate(tmp_path, serving("up"))
    client, upstream = await gate.asked(transcription(stream="true"))
    upstream.reply(reply(b'{"text":"hi"}'))
    await gate.settle()
    assert (status(client), client.out[-13:]) == (200, b'{"text":"hi"}')
    assert gate.record.error == ""


@on_loop
async def test_a_picture_that_was_to_be_streamed_must_be(tmp_path: Path) -> None:
    """A client's library would read a stream without a picture from it."""
    gate = Gate(tmp_path, serving("up"))
    client, upstream = await gate.asked(post("images/generations", b'{"model":"m","prompt":"p","stream":true}'))
    upstream.reply(reply(b'{"created":1,"data":[]}'))
    await gate.settle()
    assert (status(client), error(client)["code"]) == (502, "upstream_broken")


@on_loop
async def test_sound_is_heard_while_it_comes(tmp_path: Path) -> None:
    """Its first bytes leave before the next have come; nothing in them is taken for anything else."""
    gate = Gate(tmp_path, serving("up"))
    client, upstream = await gate.asked(speech())
    upstream.reply(SOUND)
    await gate.settle()
    assert not client.out  # another target could still answer
    first, second = b'\xff\xfb,"usage":{"input_tokens":1,"output_tokens":1}}', b"\x00" * 100
    upstream.reply(chunk(first))
    await gate.settle()
    assert client.out.endswith(chunk(first))
    upstream.reply(chunk(second) + LAST)
    await gate.settle()
    assert client.out.endswith(chunk(second) + LAST)
    assert b"content-type: audio/mpeg\r\n" in client.out
    assert (gate.record.status, gate.record.usage, gate.record.stream) == (200, None, False)


@on_loop
async def test_sound_of_known_length_keeps_it(tmp_path: Path) -> None:
    gate = Gate(tmp_path, serving("up"))
    client, upstream = await gate.asked(speech())
    sound = bytes(range(256)) * 40
    upstream.reply(
        reply(sound[:5_000], status="200 OK").replace(b"5000", b"10240").replace(b"application/json", b"audio/wav")
    )
    await gate.settle()
    upstream.reply(sound[5_000:])
    await gate.settle()
    assert client.out.endswith(sound)
    assert b"content-length: 10240\r\n" in client.out
    assert gate.record.error == ""


@on_loop
async def test_another_target_answers_before_the_first_sound(tmp_path: Path) -> None:
    """A head alone is nothing that anybody has heard."""
    gate = Gate(tmp_path, serving("one", "two"))
    client, upstream = await gate.asked(speech())
    upstream.reply(SOUND)
    await gate.settle()
    upstream.lose()
    await gate.settle()
    other = gate.connector.opened[-1]
    assert other.provider == "two"
    other.reply(SOUND + chunk(b"\x01") + LAST)
    await gate.settle()
    assert (status(client), client.out[-1:]) == (200, b"\x01")
    assert gate.record.target == "two/m1-there"


@on_loop
async def test_sound_that_breaks_off_is_not_whole(tmp_path: Path) -> None:
    """The client's connection is reset: nothing else can say so in the midst of a sound."""
    gate = Gate(tmp_path, serving("up"))
    client, upstream = await gate.asked(speech())
    upstream.reply(SOUND + chunk(b"\x01" * 100))
    await gate.settle()
    upstream.lose()
    await gate.settle()
    assert "abort" in client.events
    assert gate.record.error == "upstream_broken"


@on_loop
async def test_much_sound_waits_for_the_client(tmp_path: Path) -> None:
    """A client that takes nothing stops the upstream."""
    gate = Gate(tmp_path, serving("up"))
    client, upstream = await gate.asked(speech())
    upstream.reply(SOUND + chunk(b"\x01" * 1_000))
    await gate.settle()
    client._protocol.pause_writing()
    sent = 0
    while not upstream.connection.is_paused:
        upstream.reply(chunk(b"\x02" * 16_384))
        sent += 16_384
        assert sent <= 2 * 65_536
    client._protocol.resume_writing()
    await gate.settle()
    assert not upstream.connection.is_paused
    upstream.reply(LAST)
    await gate.settle()
    assert client.out.count(b"\x02" * 16_384) == sent // 16_384


@on_loop
async def test_speech_in_events_is_a_stream(tmp_path: Path) -> None:
    """Asked for by `stream_format`; its usage is noted."""
    gate = Gate(tmp_path, serving("up"))
    client, upstream = await gate.asked(speech(stream_format="sse"))
    events = (
        b'data: {"type":"speech.audio.delta","audio":"aGk="}\n\n',
        (b'data: {"type":"speech.audio.done","usage":{"input_tokens":2,"output_tokens":3,"total_tokens":5}}\n\n'),
    )
    upstream.reply(STREAM + chunk(events[0]) + chunk(events[1]) + LAST)
    await gate.settle()
    assert chunk(events[0]) + chunk(events[1]) + LAST in client.out
    assert (gate.record.stream, gate.record.usage) == (True, Usage(input=2, output=3, output_audio=3))


@on_loop
async def test_a_moderation_has_no_usage(tmp_path: Path) -> None:
    """It costs nothing, and unknown is not zero."""
    gate = Gate(tmp_path, serving("up"))
    client, upstream = await gate.asked(post("moderations", b'{"model":"m","input":"hi"}'))
    upstream.reply(reply(b'{"id":"modr-1","model":"omni","results":[]}'))
    await gate.settle()
    assert status(client) == 200
    assert (gate.record.operation, gate.record.usage, gate.record.usage_source) == ("moderations", None, "none")


@on_loop
async def test_a_vendor_without_the_endpoint_is_not_asked(tmp_path: Path) -> None:
    """Nothing stands in for it: the call says what cannot be."""
    gate = Gate(tmp_path)
    refused = await gate.ask(speech())
    assert (status(refused), error(refused)["code"]) == (400, "unsupported_operation")
