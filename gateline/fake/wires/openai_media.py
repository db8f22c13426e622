"""OpenAI's endpoints for moderation, pictures and sound (platform.openai.com/docs/api-reference)."""

from __future__ import annotations

import hashlib
import re
import struct
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from gateline.fake.answer import pick_words, text_tokens
from gateline.fake.multipart import Part, read_form
from gateline.fake.objects import CREATED, OPENAI, event
from gateline.fake.reply import Piece, Reply, whole
from gateline.fake.request import Request
from gateline.fake.turn import Memory, Route, Setting, Turn
from gateline.fake.wires.openai import AZURE, proves_azure
from gateline.fake.wires.openai_chat_read import bad, read_object
from gateline.model.usage import Usage

_CATEGORIES = """harassment harassment/threatening hate hate/threatening illicit illicit/violent self-harm
self-harm/instructions self-harm/intent sexual sexual/minors violence violence/graphic""".split
_SOUNDS = {
    "mp3": "audio/mpeg",
    "opus": "audio/opus",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
_TEXTS = {"json", "text", "verbose_json", "srt", "vtt", "diarized_json"}
_HEARD = 8  # words in a transcript
_IMAGE_TOKENS = 272
_SPEECH_CHUNK = 1024
_BLOCKED = "violent"  # a text with this word in it is flagged


# --- moderation ------------------------------------------------------------------------------------------------------


def _moderations(request: Request, match: re.Match[str], memory: Memory) -> Turn:
    fields = _object(request, "omni-moderation-latest")
    given = fields.get("input")
    if isinstance(given, str):
        texts = [given]
    elif isinstance(given, list) and given and all(isinstance(item, str) for item in given):
        texts = given
    elif isinstance(given, list) and given:
        texts = [" ".join(str(item.get("text", "")) for item in given)]  # parts of one input, pictures among them
    else:
        raise bad("Missing required parameter: 'input'.", "input", "missing_required_parameter")

    def play(setting: Setting) -> Reply:
        known = hashlib.blake2b(request.raw("input"), digest_size=12).hexdigest()
        made = {"id": f"modr-{known}", "model": setting.model, "results": [_moderated(text) for text in texts]}
        return whole(200, msgspec.json.encode(made))

    return Turn(fields["model"], play)


def _moderated(text: str) -> dict[str, Any]:
    names = _CATEGORIES()
    flagged = {name: name == "violence" and _BLOCKED in text.lower() for name in names}
    scores = {name: 0.9 if flagged[name] else 0.001 for name in names}
    applied = {name: ["text"] for name in names}
    told = {"categories": flagged, "category_scores": scores, "category_applied_input_types": applied}
    return {"flagged": any(flagged.values()), **told}


# --- pictures --------------------------------------------------------------------------------------------------------


def _images(request: Request, match: re.Match[str], memory: Memory) -> Turn:
    fields = _object(request, "gpt-image-1")
    prompt = fields.get("prompt")
    if not isinstance(prompt, str) or not prompt:
        raise bad("Missing required parameter: 'prompt'.", "prompt", "missing_required_parameter")
    return _pictured(fields, prompt, 0, "image_generation")


def _edits(request: Request, match: re.Match[str], memory: Memory) -> Turn:
    parts = _form(request)
    images = [part for part in parts if part.name in {"image", "image[]"}]
    if not images:
        raise bad("Missing required parameter: 'image'.", "image", "missing_required_parameter")
    for part in images:
        if part.content_type not in {"image/png", "image/jpeg", "image/webp"}:
            told = (
                f"unsupported mimetype ('{part.content_type}'). Supported file formats are 'image/jpeg', 'image/png',"
            )
            raise bad(f"Invalid file 'image': {told} and 'image/webp'.", "image", "unsupported_file_mimetype")
    fields: dict[str, Any] = {part.name: part.data.decode("utf-8", "replace") for part in parts if not part.filename}
    if not fields.get("prompt"):
        raise bad("Missing required parameter: 'prompt'.", "prompt", "missing_required_parameter")
    count = fields.get("n", "1")
    given = {**fields, "n": int(count), "partial_images": int(fields.get("partial_images", "0"))}
    return _pictured({"model": "gpt-image-1", **given}, fields["prompt"], len(images), "image_edit")


def _pictured(fields: dict[str, Any], prompt: str, images: int, task: str) -> Turn:
    count = fields.get("n") or 1
    stream = fields.get("stream") in {True, "true"}
    if stream and count != 1:
        raise bad("The fake provider streams one picture: n must be 1.", "n")
    if not 1 <= count <= 10:
        raise bad("Invalid 'n': integer above maximum value. Expected a value <= 10.", "n", "integer_above_max_value")
    wants_url = fields.get("response_format") == "url" or str(fields["model"]).startswith("dall-e")
    if str(fields["model"]).startswith("gpt-image") and fields.get("response_format"):
        raise bad("Unknown parameter: 'response_format'.", "response_format", "unknown_parameter")

    def play(setting: Setting) -> Reply:
        pictures = [_png(f"{prompt}{at}") for at in range(count)]
        if wants_url and fields.get("response_format") != "b64_json":
            data = [{"url": f"https://example.com/{zlib.crc32(png):08x}.png"} for png in pictures]
            return whole(200, msgspec.json.encode({"created": CREATED, "data": data}))
        text, pixels, made = text_tokens(prompt.encode()), 100 * images, _IMAGE_TOKENS * count
        usage = {
            "input_tokens": text + pixels,
            "input_tokens_details": {"text_tokens": text, "image_tokens": pixels},
            "output_tokens": made,
            "total_tokens": text + pixels + made,
        }
        body = {"created": CREATED, "data": [{"b64_json": b64encode(png).decode()} for png in pictures]}
        told = Usage(input=text + pixels, output=made, input_image=pixels, output_image=made)
        rest = {"background": "opaque", "output_format": "png", "quality": "low", "size": "1024x1024"}
        if setting.stream:
            shown = {"b64_json": b64encode(pictures[0]).decode(), "created_at": CREATED, **rest}
            pieces = _drawn(shown, usage, task, fields.get("partial_images") or 0)
            return Reply(200, pieces, None, content_type="text/event-stream", stream=True, usage=told)
        return whole(200, msgspec.json.encode({**body, **rest, "usage": usage}), usage=told)

    return Turn(str(fields["model"]), play, stream)


def _drawn(shown: dict[str, Any], usage: dict[str, Any], task: str, partial: int) -> Iterator[Piece]:
    for at in range(partial):
        yield Piece(event({"type": f"{task}.partial_image", "partial_image_index": at, **shown}))
    yield Piece(event({"type": f"{task}.completed", "usage": usage, **shown}), usage=True, done=True)


def _png(seed: str) -> bytes:
    """A picture of one pixel, whose colour hangs on `seed`."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    colour = hashlib.blake2b(seed.encode(errors="replace"), digest_size=3).digest()
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" + colour)) + chunk(b"IEND", b"")


# --- sound -----------------------------------------------------------------------------------------------------------


def _transcribe(request: Request, match: re.Match[str], memory: Memory) -> Turn:
    """Transcriptions, and translations, which always come in English."""
    parts = _form(request)
    files = [part for part in parts if part.name == "file" and part.filename]
    if len(files) != 1:
        raise bad("Missing required parameter: 'file'.", "file", "missing_required_parameter")
    fields = {part.name: part.data.decode("utf-8", "replace") for part in parts if not part.filename}
    if not fields.get("model"):
        raise bad("you must provide a model parameter", "model")
    form = fields.get("response_format", "json")
    if form not in _TEXTS:
        raise bad(f"response_format '{form}' is not compatible with model '{fields['model']}'.", "response_format")
    words = pick_words(hashlib.shake_128(files[0].data).digest(_HEARD))
    sound = max(len(files[0].data) // 1000, 1)
    usage = Usage(input=sound, output=_HEARD, input_audio=sound)

    def play(setting: Setting) -> Reply:
        if setting.stream:
            pieces = _heard(words, usage)
            return Reply(200, pieces, None, content_type="text/event-stream", stream=True, usage=usage)
        return _told(form, words, usage, task="translate" if match["task"] == "translations" else "transcribe")

    return Turn(fields["model"], play, stream=fields.get("stream") == "true")


def _told(form: str, words: list[str], usage: Usage, *, task: str) -> Reply:
    text = "".join(words)
    if form in {"text", "srt", "vtt"}:
        cues = {"text": f"{text}\n", "srt": f"1\n00:00:00,000 --> 00:00:04,000\n{text}\n\n"}
        plain = cues.get(form, f"WEBVTT\n\n00:00:00.000 --> 00:00:04.000\n{text}\n\n").encode()
        return whole(200, plain)._replace(content_type="text/plain; charset=utf-8")
    if form == "verbose_json":
        segment = {"id": 0, "seek": 0, "start": 0.0, "end": 4.0, "text": text, "tokens": [1], "temperature": 0.0}
        scores = {"avg_logprob": -0.1, "compression_ratio": 1.0, "no_speech_prob": 0.0}
        head = {"task": task, "language": "english", "duration": 4.0, "text": text, "segments": [{**segment, **scores}]}
        return whole(200, msgspec.json.encode({**head, "usage": {"type": "duration", "seconds": 4}}))
    return whole(200, msgspec.json.encode({"text": text, "usage": _audio_usage(usage)}), usage=usage)


def _heard(words: list[str], usage: Usage) -> Iterator[Piece]:
    for word in words:
        yield Piece(event({"type": "transcript.text.delta", "delta": word}), 1)
    done = {"type": "transcript.text.done", "text": "".join(words), "usage": _audio_usage(usage)}
    yield Piece(event(done), usage=True, done=True)


def _audio_usage(usage: Usage) -> dict[str, Any]:
    return {
        "type": "tokens",
        "input_tokens": usage.input,
        "input_token_details": {"text_tokens": 0, "audio_tokens": usage.input_audio},
        "output_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
    }


def _speech(request: Request, match: re.Match[str], memory: Memory) -> Turn:
    """Sound that is none: bytes that hang on the text, chunked, a kilobyte for every word; or the same in events, which
    alone tell their usage."""
    fields = read_object(request)
    text = fields.get("input")
    if not isinstance(text, str) or not text:
        raise bad("Missing required parameter: 'input'.", "input", "missing_required_parameter")
    if not fields.get("voice"):
        raise bad("Missing required parameter: 'voice'.", "voice", "missing_required_parameter")
    form = fields.get("response_format") or "mp3"
    if form not in _SOUNDS:
        told = ", ".join(f"'{name}'" for name in _SOUNDS)
        raise bad(f"Invalid value: '{form}'. Supported values are: {told}.", "response_format", "invalid_value")

    def play(setting: Setting) -> Reply:
        chunks = [
            hashlib.shake_128(f"{at}{word}".encode()).digest(_SPEECH_CHUNK) for at, word in enumerate(text.split())
        ]
        if setting.stream:
            usage = Usage(input=text_tokens(text.encode()), output=len(chunks), output_audio=len(chunks))
            pieces = _spoken(chunks, usage)
            return Reply(200, pieces, None, content_type="text/event-stream", stream=True, usage=usage)
        return Reply(200, map(Piece, chunks), None, content_type=_SOUNDS[form], stream=True)

    return Turn(fields["model"], play, stream=fields.get("stream_format") == "sse")


def _spoken(chunks: list[bytes], usage: Usage) -> Iterator[Piece]:
    for chunk in chunks:
        yield Piece(event({"type": "speech.audio.delta", "audio": b64encode(chunk).decode()}), 1)
    told = {
        "input_tokens": usage.input,
        "output_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
    }
    yield Piece(event({"type": "speech.audio.done", "usage": told}), usage=True, done=True)


# --- both ------------------------------------------------------------------------------------------------------------


def _object(request: Request, model: str) -> dict[str, Any]:
    """The body; `model` where it names none. Raises Refusal."""
    try:
        return {"model": model, **request.json()}
    except ValueError as error:
        raise bad(f"We could not parse the JSON body of your request: {error}") from error


def _form(request: Request) -> list[Part]:
    try:
        return read_form(request)
    except ValueError as error:
        raise bad(f"Could not parse multipart form: {error}") from error


def _routes() -> Iterator[Route]:
    endpoints: list[tuple[str, Callable[[Request, re.Match[str], Memory], Turn]]] = [
        ("/moderations", _moderations),
        ("/images/generations", _images),
        ("/images/edits", _edits),
        ("/audio/(?P<task>transcriptions|translations)", _transcribe),
        ("/audio/speech", _speech),
    ]
    for path, read in endpoints:
        yield Route("POST", re.compile("/v1" + path), OPENAI, Request.has_bearer, read)
        yield Route("POST", re.compile("/openai/v1" + path), AZURE, proves_azure, read)


ROUTES = list(_routes())
