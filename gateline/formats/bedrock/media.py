"""Images, documents, videos and sound in Converse's blocks: its words for formats <-> MIME types.

Whatever is not inline must lie in S3 (docs.aws.amazon.com, "ImageSource", "DocumentSource", "VideoSource"): there is
nothing that fetches a URL.
"""

from __future__ import annotations

import base64
import re

from gateline.formats.bedrock.block import Block, Held, S3Location, Source
from gateline.model.chat import Media, MediaKind

_DOCX = "application/vnd.openxmlformats-officedocument"
_IMAGES = {"png": "image/png", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"}
_DOCUMENTS = {
    "pdf": "application/pdf", "csv": "text/csv", "doc": "application/msword",
    "docx": f"{_DOCX}.wordprocessingml.document", "xls": "application/vnd.ms-excel",
    "xlsx": f"{_DOCX}.spreadsheetml.sheet", "html": "text/html", "txt": "text/plain", "md": "text/markdown",
}  # fmt: skip
_VIDEOS = {
    "mkv": "video/x-matroska", "mov": "video/quicktime", "mp4": "video/mp4", "webm": "video/webm",
    "flv": "video/x-flv", "mpeg": "video/mpeg", "mpg": "video/mpg", "wmv": "video/x-ms-wmv", "three_gp": "video/3gpp",
}  # fmt: skip
_SOUNDS = {
    "mp3": "audio/mpeg", "wav": "audio/wav", "opus": "audio/opus", "aac": "audio/aac", "flac": "audio/flac",
    "ogg": "audio/ogg", "mp4": "audio/mp4", "m4a": "audio/x-m4a", "webm": "audio/webm", "pcm": "audio/pcm",
}  # fmt: skip
_MIMES: dict[MediaKind, dict[str, str]] = {"image": _IMAGES, "file": _DOCUMENTS, "video": _VIDEOS, "audio": _SOUNDS}
_ALIASES = {
    "image/jpg": "jpeg", "application/json": "txt", "application/xml": "txt", "application/yaml": "txt",
    "application/x-yaml": "txt", "text/x-markdown": "md", "audio/mp3": "mp3", "audio/x-wav": "wav", "audio/wave": "wav",
    "video/3gp": "three_gp",
}  # fmt: skip
_FORMATS: dict[str, str] = {
    **{mime: form for mimes in _MIMES.values() for form, mime in mimes.items()},
    **_ALIASES,
}
# The first bytes of an image in base64, for one whose type nobody said.
_BEGINNINGS = {"/9j/": "jpeg", "iVBORw0K": "png", "R0lGOD": "gif", "UklGR": "webp"}
_UNFIT = re.compile(r"[^A-Za-z0-9\s()\[\]-]+")
_SPACE = re.compile(r"\s+")
_LONGEST_NAME = 180  # of 200 characters: a number may follow


def read_media(block: Block) -> Media | None:
    """What the block holds; None where that lies elsewhere, and only the vendor can get it."""
    if block.image is not None:
        return _read("image", block.image)
    if block.document is not None:
        return _read("file", block.document)
    if block.video is not None:
        return _read("video", block.video)
    return None if block.audio is None else _read("audio", block.audio)


def _read(kind: MediaKind, held: Held) -> Media | None:
    source = held.source
    mime = _MIMES[kind].get(held.format, "")
    if source.bytes:
        return Media(kind=kind, mime=mime, data=source.bytes, name=held.name)
    text = source.text
    if text is None and source.content is not None:
        text = "\n\n".join(piece.text for piece in source.content if piece.text)
    if text is None:
        return None
    return Media(kind=kind, mime=mime or "text/plain", data=base64.b64encode(text.encode()).decode(), name=held.name)


def write_media(media: Media, names: set[str]) -> Block | None:
    """None where the vendor would answer 400. `names` are those of the documents so far: no two may be alike."""
    kind: MediaKind = "image" if media.kind == "file" and media.mime.startswith("image/") else media.kind
    form = _form(kind, media)
    if media.data:
        source = Source(bytes=media.data)
    elif media.url.startswith("s3://"):
        source = Source(s3_location=S3Location(media.url))
    else:
        return None
    if not form:
        return None
    if kind == "image":
        return Block(image=Held(source, form))
    if kind == "video":
        return Block(video=Held(source, form))
    if kind == "audio":
        return Block(audio=Held(source, form))
    return Block(document=Held(source, form, _fit_name(media.name, names)))


def _form(kind: MediaKind, media: Media) -> str:
    mime = media.mime.partition(";")[0].strip().lower()
    form = _FORMATS.get(mime, "")
    if not form and kind == "image":
        form = next((form for start, form in _BEGINNINGS.items() if media.data.startswith(start)), "")
    elif not form and kind == "file":
        ending = media.name.rpartition(".")[2].lower()
        form = ending if ending in _DOCUMENTS else "txt" if mime.startswith("text/") else ""
        if not form and not mime and media.data.startswith("JVBER"):
            form = "pdf"
    return form if form in _MIMES[kind] else ""


def _fit_name(name: str, names: set[str]) -> str:
    """In the characters that the vendor allows; the format is said beside it."""
    stem, dot, ending = name.rpartition(".")
    if dot and ending.lower() in _DOCUMENTS:
        name = stem
    plain = _SPACE.sub(" ", _UNFIT.sub("-", name)).strip()[:_LONGEST_NAME] or "document"
    fit, number = plain, 1
    while fit in names:
        number += 1
        fit = f"{plain} {number}"
    names.add(fit)
    return fit
