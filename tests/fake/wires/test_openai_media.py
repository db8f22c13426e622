"""The fake's endpoints for moderation, pictures and sound, by OpenAI's own client."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

import openai
import pytest

from gateline.fake.script import Script
from gateline.fake.server import FakeProvider
from tests.fake.wires.stage import play, post

WAV = ("a.wav", b"RIFF\r\n--x\r\n" + bytes(3000), "audio/wav")


def client(fake: FakeProvider, key: str = "sk-any") -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(api_key=key, base_url=fake.url, max_retries=0)


def test_moderations() -> None:
    """Each text has its result; the model has a default."""

    async def story(fake: FakeProvider) -> None:
        async with client(fake) as api:
            made = await api.moderations.create(input=["kind words", "violent words"])
            assert [result.flagged for result in made.results] == [False, True]
            assert made.results[1].categories.violence
            parts: Any = [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "http://x"}}]
            assert len((await api.moderations.create(input=parts)).results) == 1

    play(story)


def test_pictures_are_made_and_edited() -> None:
    """As many as asked for, each a PNG, with the tokens that the invoice has; dall-e gives addresses."""

    async def story(fake: FakeProvider) -> None:
        async with client(fake) as api:
            made = await api.images.generate(model="gpt-image-1", prompt="a train", n=2)
            assert made.data is not None
            assert made.usage is not None
            assert [b64decode(one.b64_json or "")[:4] for one in made.data] == [b"\x89PNG"] * 2
            edited = await api.images.edit(model="gpt-image-1", prompt="red", image=("a.png", b"\x89PNG", "image/png"))
            assert edited.usage is not None
            assert edited.usage.input_tokens_details.image_tokens == 100
            older = await api.images.generate(model="dall-e-3", prompt="a train")
            assert older.data is not None
            assert older.data[0].url
            with pytest.raises(openai.BadRequestError, match="unsupported mimetype"):
                await api.images.edit(model="gpt-image-1", prompt="red", image=("a.txt", b"x", "text/plain"))
        first, second, third, _ = fake.invoice.lines()
        assert first.reported is not None
        assert second.reported is not None
        assert (first.reported.output_image, second.reported.input_image) == (made.usage.output_tokens, 100)
        assert third.reported is None

    play(story)


def test_sound_is_heard_in_every_form() -> None:
    """JSON with tokens, plain text, verbose JSON with the task, a stream; the bytes of the file decide the words."""

    async def story(fake: FakeProvider) -> None:
        async with client(fake) as api:
            heard = await api.audio.transcriptions.create(model="gpt-4o-transcribe", file=WAV)
            text = await api.audio.transcriptions.create(model="whisper-1", file=WAV, response_format="text")
            assert str(text).strip() == heard.text
            with pytest.warns(DeprecationWarning, match="deprecated"):  # by the vendor, whose API still has it
                verbose = await api.audio.translations.create(
                    model="whisper-1", file=WAV, response_format="verbose_json"
                )
            assert (verbose.text, verbose.duration, getattr(verbose, "task")) == (heard.text, 4.0, "translate")  # noqa: B009
            stream = await api.audio.transcriptions.create(model="gpt-4o-transcribe", file=WAV, stream=True)
            events = [event async for event in stream]
            assert "".join(event.delta for event in events if event.type == "transcript.text.delta") == heard.text
            other = await api.audio.transcriptions.create(model="gpt-4o-transcribe", file=("b.wav", b"y", "audio/wav"))
            assert other.text != heard.text
            with pytest.raises(openai.RateLimitError):
                await api.audio.transcriptions.create(model="whisper-1@status=429", file=WAV)
        assert fake.invoice.lines()[0].reported == fake.invoice.lines()[3].reported is not None

    play(story)


def test_speech_comes_in_chunks() -> None:
    """A kilobyte for each word, under the type of the form asked for; a fault cuts it."""

    async def story(fake: FakeProvider) -> None:
        async with client(fake) as api:
            made = await api.audio.speech.create(model="tts-1", voice="alloy", input="one two three")
            assert (made.response.headers["content-type"], len(made.content)) == ("audio/mpeg", 3072)
            assert "content-length" not in made.response.headers
            with pytest.raises(openai.BadRequestError, match="Supported values"):
                await api.audio.speech.create(model="tts-1", voice="alloy", input="a", response_format="midi")  # type: ignore[arg-type]
        _, _, cut = await post(fake, "/v1/audio/speech", {"model": "m@cut,after=1", "voice": "a", "input": "one two"})
        assert len(cut) < 2048

    play(story)


def test_pictures_and_speech_come_in_events() -> None:
    """A picture in parts and whole, speech in pieces that are the same sound; the last event has the usage."""

    async def story(fake: FakeProvider) -> None:
        async with client(fake) as api:
            drawn = [
                event
                async for event in await api.images.generate(
                    model="gpt-image-1", prompt="a train", stream=True, partial_images=2
                )
            ]
            assert [event.type for event in drawn] == ["image_generation.partial_image"] * 2 + [
                "image_generation.completed"
            ]
            sound = await api.audio.speech.create(model="tts-1", voice="alloy", input="one two")
        speech = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": "one two", "stream_format": "sse"}
        _, _, body = await post(fake, "/v1/audio/speech", speech)
        *deltas, done = [json.loads(line[6:]) for line in body.decode().split("\n\n") if line]
        assert b"".join(b64decode(delta["audio"]) for delta in deltas) == sound.content
        picture, _, spoken = fake.invoice.lines()
        assert picture.reported is not None
        assert spoken.reported is not None
        assert done["usage"]["output_tokens"] == spoken.reported.output_audio == 2
        assert picture.reported.output_image > 0

    play(story)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=b", b'--b\r\ncontent-disposition: form-data; name="file"\r\n\r\nx'),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\nx\r\n--b--\r\n"),
        ("multipart/form-data; boundary=b", b"--b\r\na: b" + b"\r\n--b--\r\n"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx' * 70 + b"\r\n--b--",
        ),
    ],
)
def test_what_is_no_form_is_refused(kind: str, body: bytes) -> None:
    """400, however it is broken."""

    async def story(fake: FakeProvider) -> None:
        status, _, answer = await post(fake, "/v1/audio/transcriptions", body, content_type=kind)
        assert (status, json.loads(answer)["error"]["type"]) == (400, "invalid_request_error")

    play(story)


def test_these_too_want_the_scripts_key() -> None:
    """A wrong key is 401 here as everywhere."""

    async def story(fake: FakeProvider) -> None:
        async with client(fake, "sk-wrong") as api:
            with pytest.raises(openai.AuthenticationError):
                await api.moderations.create(input="a")

    play(story, Script(api_key="sk-right"))
