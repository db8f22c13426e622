"""Media in Gemini's parts: bytes go inline, everything else by URI.

Since January 2026 the API fetches `fileUri`s from any public or signed URL itself (ai.google.dev/gemini-api/docs/
file-input-methods, "External HTTP / Signed URLs"), though not for Gemini 2.0; Vertex AI always did. Both want a type.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from gateline.formats.data_url import read_data_url
from gateline.formats.gemini.content import Blob, FileData, Part
from gateline.model.chat import Media, MediaKind

_TYPES = {
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp",
    "heic": "image/heic", "heif": "image/heif", "bmp": "image/bmp", "svg": "image/svg+xml",
    "mp3": "audio/mp3", "wav": "audio/wav", "ogg": "audio/ogg", "flac": "audio/flac", "aac": "audio/aac",
    "m4a": "audio/mp4", "mp4": "video/mp4", "mov": "video/quicktime", "webm": "video/webm", "mpeg": "video/mpeg",
    "pdf": "application/pdf", "txt": "text/plain", "md": "text/markdown", "csv": "text/csv", "html": "text/html",
    "json": "application/json",
}  # fmt: skip
_FALLBACK: dict[MediaKind, str] = {
    "image": "image/jpeg",
    "audio": "audio/mp3",
    "video": "video/mp4",
    "file": "application/pdf",
}
# How the base64 of well-known files begins.
_MAGIC = {
    "iVBORw0KGgo": "image/png",
    "/9j/": "image/jpeg",
    "R0lGOD": "image/gif",
    "UklGR": "image/webp",
    "JVBERi": "application/pdf",
}
_FILES = "https://generativelanguage.googleapis.com/"


def write_media(media: Media, *, fetches: bool = True) -> Part | None:
    """None for what Gemini cannot be given: a file that another vendor holds, or a URL that it does not fetch."""
    data, mime, url = media.data, media.mime, media.url
    held = read_data_url(url)
    if held is not None:
        mime, data = mime or held.mime, held.data
    if data:
        return Part(inline_data=Blob(mime or _type_of_data(data, media), data))
    if not url:
        return None
    if not fetches and not url.startswith((_FILES, "gs://")):
        return None
    return Part(file_data=FileData(url, mime or _type_of_name(url, media)))


def read_blob(blob: Blob) -> Media:
    mime = blob.mime_type or ""
    return Media(kind=_kind(mime), mime=mime, data=plain_base64(blob.data or ""))


def read_file(file: FileData) -> Media:
    uri = file.file_uri or ""
    mime = file.mime_type or _TYPES.get(_suffix(uri), "")
    return Media(kind=_kind(mime), mime=mime, url=uri)


def plain_base64(data: str) -> str:
    """The standard alphabet: Google's SDKs write bytes in the URL-safe one, which other vendors refuse."""
    if "-" in data or "_" in data:
        return data.replace("-", "+").replace("_", "/")
    return data


def _kind(mime: str) -> MediaKind:
    if mime.startswith("image/"):
        return "image"
    if mime.startswith("audio/"):
        return "audio"
    return "video" if mime.startswith("video/") else "file"


def _type_of_data(data: str, media: Media) -> str:
    for magic, mime in _MAGIC.items():
        if data.startswith(magic):
            return mime
    return _TYPES.get(_suffix(media.name), _FALLBACK[media.kind])


def _type_of_name(url: str, media: Media) -> str:
    return _TYPES.get(_suffix(media.name)) or _TYPES.get(_suffix(url), _FALLBACK[media.kind])


def _suffix(name: str) -> str:
    try:
        path = urlsplit(name).path
    except ValueError:
        return ""
    return path.rpartition(".")[2].lower()
