"""Token counts of pictures, transcripts and speech: what is read, and what stays unknown."""

from __future__ import annotations

import json

import pytest
from openai.types import ImagesResponse
from openai.types.audio import Transcription, TranscriptionVerbose

from gateline.formats.openai.media_usage import MediaUsage, UsageObject
from gateline.model.usage import Usage

PICTURES = MediaUsage(UsageObject.picture_counts)
TRANSCRIPTS = MediaUsage(UsageObject.counts)
SPEECH = MediaUsage(UsageObject.speech_counts)

PICTURE = {
    "created": 1,
    "data": [{"b64_json": "iVBORw0KGgo="}],
    "usage": {
        "input_tokens": 150,
        "input_tokens_details": {"image_tokens": 100, "text_tokens": 50},
        "output_tokens": 272,
        "total_tokens": 422,
    },
}
TRANSCRIPT = {
    "text": "hi",
    "usage": {
        "type": "tokens",
        "input_tokens": 14,
        "input_token_details": {"text_tokens": 4, "audio_tokens": 10},
        "output_tokens": 5,
        "total_tokens": 19,
    },
}


def test_a_picture_is_made_of_picture_tokens() -> None:
    """Of what was read the pictures are told apart; what was made is the picture, as the vendor's reference says."""
    ImagesResponse.model_validate(PICTURE)
    assert PICTURES.of_reply(json.dumps(PICTURE).encode()) == Usage(
        input=150, output=272, input_image=100, output_image=272
    )


def test_a_picture_that_says_which_tokens_were_text_is_believed() -> None:
    """Models that think while they draw."""
    usage = {**PICTURE["usage"], "output_tokens_details": {"image_tokens": 200, "text_tokens": 72}}  # type: ignore[dict-item]
    told = PICTURES.of_reply(json.dumps({**PICTURE, "usage": usage}).encode())
    assert told == Usage(input=150, output=272, input_image=100, output_image=200)


def test_a_transcript_is_made_of_sound() -> None:
    """Sound read, text written."""
    Transcription.model_validate(TRANSCRIPT)
    assert TRANSCRIPTS.of_reply(json.dumps(TRANSCRIPT).encode()) == Usage(input=14, output=5, input_audio=10)


def test_speech_is_sound() -> None:
    """Text read, sound made."""
    event = {"type": "speech.audio.done", "usage": {"input_tokens": 3, "output_tokens": 9, "total_tokens": 12}}
    assert SPEECH.read(json.dumps(event).encode()) == Usage(input=3, output=9, output_audio=9)


def test_what_is_paid_by_the_second_has_no_tokens() -> None:
    """Nor has what is paid by the picture: unknown, not zero."""
    verbose = {"duration": 4.0, "language": "english", "text": "hi", "usage": {"type": "duration", "seconds": 4}}
    TranscriptionVerbose.model_validate(verbose)
    assert TRANSCRIPTS.of_reply(json.dumps(verbose).encode()) is None
    assert PICTURES.of_reply(b'{"created":1,"data":[{"url":"https://a/b.png"}]}') is None
    assert TRANSCRIPTS.of_reply(b'{"usage":{"input_tokens":3}}') is None


def test_a_missing_part_follows_from_the_total() -> None:
    """Output is what the total has over the input."""
    assert TRANSCRIPTS.of_reply(b'{"usage":{"input_tokens":3,"total_tokens":5}}') == Usage(input=3, output=2)


@pytest.mark.parametrize("size", [0, 100, 70_000])
def test_usage_is_found_at_the_end_of_what_is_large(size: int) -> None:
    """Of a reply whose beginning is gone; a picture's own bytes may hold the word."""
    body = json.dumps(
        {"data": [{"b64_json": "x" * size, "revised_prompt": ', "usage": {"input_tokens": 9}'}], **PICTURE}
    )
    assert PICTURES.in_tail(body.encode()[-65_536:]) == PICTURES.read(body.encode())


def test_words_in_a_transcript_are_not_its_usage() -> None:
    """What somebody said is not what the vendor counted."""
    said = json.dumps({"text": '{"usage":{"input_tokens":1,"output_tokens":1}}, "usage":{"input_tokens":1}'}).encode()
    assert TRANSCRIPTS.of_reply(said) is None
    assert TRANSCRIPTS.in_tail(said) is None


def test_cached_sound_is_told_apart() -> None:
    """Of what a transcript was made from, sound out of the prompt cache has a price of its own."""
    details = {"audio_tokens": 10, "cached_tokens": 7, "cached_tokens_details": {"audio_tokens": 6, "text_tokens": 1}}
    usage = {"input_tokens": 14, "output_tokens": 5, "input_token_details": details}
    read = TRANSCRIPTS.of_reply(json.dumps({"usage": usage}).encode())
    assert read == Usage(input=14, output=5, cached=7, input_audio=10, cached_audio=6)
