"""Images and documents in Anthropic's blocks.

What the vendor takes (platform.claude.com/docs, "Vision" and "PDF support"): images of four types, PDFs, plain text;
each inline, and images and PDFs at a URL or as a file that was uploaded to it.
"""

from __future__ import annotations

import base64

from gateline.formats.anthropic.block import (
    Block,
    DocumentBlock,
    ImageBlock,
    Source,
    read_cache,
    write_cache,
)
from gateline.model.chat import Media

_IMAGES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
# The first bytes of an image in base64, for one whose type nobody said.
_BEGINNINGS = {"/9j/": "image/jpeg", "iVBORw0K": "image/png", "R0lGOD": "image/gif", "UklGR": "image/webp"}
_PDF = "application/pdf"
_TEXTS = frozenset({"application/json", "application/xml", "application/yaml", "application/x-yaml"})
_OWN_FILE = "file_"  # how the vendor's own names of files begin


def read_media(block: Block) -> Media | None:
    """The image or document in `block`; None where its source is of a kind nobody knows."""
    source = block.source
    if not isinstance(source, Source):
        return None
    media = Media(
        kind="image" if block.type == "image" else "file",
        mime=source.media_type or "",
        name=block.title or "",
        cache=read_cache(block.cache_control),
    )
    if source.type == "url" and source.url:
        media.url = source.url
    elif source.type == "file" and source.file_id:
        media.file_id = source.file_id
    elif source.type == "base64" and source.data:
        media.data = source.data
    elif source.type == "text" and source.data is not None:
        _put_text(media, source.data)
    elif source.type == "content" and source.content is not None:
        _put_text(media, _joined(source.content))
    else:
        return None
    return media


def _put_text(media: Media, text: str) -> None:
    media.mime = media.mime or "text/plain"
    media.data = base64.b64encode(text.encode("utf-8", "replace")).decode()


def _joined(content: str | list[Block]) -> str:
    return content if isinstance(content, str) else "\n\n".join(block.text for block in content if block.text)


def write_media(media: Media) -> ImageBlock | DocumentBlock | None:
    """None where the vendor would answer 400: it takes neither such a type nor another vendor's file."""
    if media.kind == "image" or (media.kind == "file" and media.mime.startswith("image/")):
        image = _image(media)
        return None if image is None else ImageBlock(image, write_cache(media.cache))
    if media.kind != "file":
        return None
    document = _document(media)
    return None if document is None else DocumentBlock(document, media.name or None, write_cache(media.cache))


def _image(media: Media) -> Source | None:
    if not media.data:
        return _elsewhere(media)
    mime = media.mime or next((mime for start, mime in _BEGINNINGS.items() if media.data.startswith(start)), "")
    mime = "image/jpeg" if mime == "image/jpg" else mime
    return Source("base64", mime, media.data) if mime in _IMAGES else None


def _document(media: Media) -> Source | None:
    mime = media.mime.partition(";")[0].strip()
    if not media.data:
        return _elsewhere(media) if mime in {"", _PDF} or media.file_id else None
    if mime == _PDF or (not mime and media.data.startswith("JVBER")):
        return Source("base64", _PDF, media.data)
    if not mime.startswith("text/") and mime not in _TEXTS:
        return None
    try:
        text = base64.b64decode(media.data).decode()
    except ValueError:  # no base64, not even ASCII, or no text
        return None
    return Source("text", "text/plain", text) if text.strip() else None


def _elsewhere(media: Media) -> Source | None:
    if media.file_id:
        return Source("file", file_id=media.file_id) if media.file_id.startswith(_OWN_FILE) else None
    return Source("url", url=media.url) if media.url.startswith(("https://", "http://")) else None
