"""Images and text files in Cohere's content parts. It takes no other media."""

from __future__ import annotations

import base64

from gateline.formats.cohere.message import Content, ImageUrl
from gateline.formats.data_url import data_url, read_data_url
from gateline.model.chat import Media

_TEXTS = frozenset({"application/json", "application/xml", "application/yaml", "application/x-yaml"})


def read_image(image: ImageUrl) -> Media:
    """What stands at the URL, or in it where it is a data URL."""
    held = read_data_url(image.url)
    if held is None:
        return Media(kind="image", url=image.url, detail=image.detail or "")
    return Media(kind="image", mime=held.mime, data=held.data, detail=image.detail or "")


def image_url(media: Media) -> ImageUrl | None:
    """None for what is no image, or lies with another vendor."""
    if media.kind != "image" and not media.mime.startswith("image/"):
        return None
    url = data_url(media, "image/png") if media.data else media.url
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
    except ValueError:  # no base64, not even ASCII, or no text
        return None
    return Content("text", text=text) if text.strip() else None
