"""Images and text files in Cohere's content parts. It takes no other media."""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import unquote_to_bytes

from gateline.formats.cohere.message import Content, ImageUrl
from gateline.model.chat import Media

_DATA = re.compile(r"data:([^;,]*)((?:;[^;,]*)*),", re.IGNORECASE)
_TEXTS = frozenset({"application/json", "application/xml", "application/yaml", "application/x-yaml"})


def read_image(image: ImageUrl) -> Media:
    """What stands at the URL, or in it where it is a data URL."""
    match = _DATA.match(image.url)
    if match is None:
        return Media(kind="image", url=image.url, detail=image.detail or "")
    data = image.url[match.end() :]
    if not match[2].lower().endswith(";base64"):
        data = base64.b64encode(unquote_to_bytes(data)).decode()
    return Media(kind="image", mime=match[1].lower(), data=data, detail=image.detail or "")


def image_url(media: Media) -> ImageUrl | None:
    """None for what is no image, or lies with another vendor."""
    if media.kind != "image" and not media.mime.startswith("image/"):
        return None
    url = f"data:{media.mime or 'image/png'};base64,{media.data}" if media.data else media.url
    return ImageUrl(url, media.detail or None) if url else None


def write_media(media: Media) -> Content | None:
    """None where Cohere has no place for it. A text file is text."""
    image = image_url(media)
    if image is not None:
        return Content("image_url", image_url=image)
    mime = media.mime.partition(";")[0]
    if media.kind != "file" or not media.data or not (mime.startswith("text/") or mime in _TEXTS):
        return None
    try:
        text = base64.b64decode(media.data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return Content("text", text=text) if text.strip() else None
