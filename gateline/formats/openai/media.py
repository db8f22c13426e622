"""Images, sound and files as content parts: data URLs and names of formats <-> MIME types."""

from __future__ import annotations

import base64

from gateline.formats.data_url import data_url, read_data_url
from gateline.formats.openai.message import ContentPart, File, InputAudio, MediaUrl
from gateline.model.chat import Media, MediaKind

_AUDIO = {"wav": "audio/wav", "mp3": "audio/mpeg"}
_AUDIO_FORMATS = {
    "audio/wav": "wav", "audio/x-wav": "wav", "audio/wave": "wav", "audio/mpeg": "mp3", "audio/mp3": "mp3",
}  # fmt: skip
_SUFFIXES = {"application/pdf": ".pdf", "application/json": ".json", "text/plain": ".txt"}


def read_url(kind: MediaKind, url: str, *, detail: str = "", name: str = "") -> Media:
    """What stands at `url`, or in it where it is a data URL."""
    held = read_data_url(url)
    if held is None:
        return Media(kind=kind, url=url, detail=detail, name=name)
    return Media(kind=kind, mime=held.mime or "text/plain", data=held.data, detail=detail, name=name)


def read_audio(audio: InputAudio) -> Media:
    return Media(kind="audio", mime=_AUDIO.get(audio.format, f"audio/{audio.format}"), data=audio.data)


def read_file(file: File) -> Media:
    name = file.filename or ""
    if file.file_id:
        return Media(kind="file", file_id=file.file_id, name=name)
    held = file.file_data or ""
    if held[:8].lower().startswith(("data:", "https://", "http://")):
        return read_url("file", held, name=name)
    return Media(kind="file", mime="application/pdf", data=held, name=name)  # bare base64: OpenAI's docs send PDFs so


def write_media(media: Media) -> ContentPart | None:
    """The content part for `media`; None where a chat message has no place for it."""
    if media.kind == "image":
        url = data_url(media, "image/png") if media.data else media.url
        return ContentPart("image_url", image_url=MediaUrl(url, media.detail or None)) if url else None
    if media.kind == "audio":
        form = _AUDIO_FORMATS.get(media.mime)
        return ContentPart("input_audio", input_audio=InputAudio(media.data, form)) if form and media.data else None
    if media.kind == "file":
        return _write_file(media)
    return None


def _write_file(media: Media) -> ContentPart | None:
    """A text file is text: not every vendor that reads text reads files."""
    if media.file_id:
        return ContentPart("file", file=File(file_id=media.file_id))
    if not media.data:
        return None
    if media.mime.startswith("text/"):
        text = _decoded(media.data)
        if text is not None:
            return ContentPart("text", text=text)
    name = media.name or "file" + _SUFFIXES.get(media.mime, "")
    return ContentPart("file", file=File(file_data=data_url(media, "application/pdf"), filename=name))


def _decoded(data: str) -> str | None:
    try:
        return base64.b64decode(data, validate=True).decode()
    except ValueError:  # no base64, not even ASCII, or no text
        return None
