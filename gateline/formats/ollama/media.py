"""Pictures in Ollama's messages: base64 without a word on what they are."""

from __future__ import annotations

import base64

from gateline.formats.data_url import read_data_url
from gateline.model.chat import Media

# How the base64 of pictures begins.
_BEGINNINGS = {"/9j/": "image/jpeg", "iVBORw0K": "image/png", "UklGR": "image/webp", "R0lGOD": "image/gif"}
_TAKEN = frozenset({"image/jpeg", "image/jpg", "image/png", "image/webp"})


def read_image(data: str) -> Media:
    """Some clients send a data URL, which says what it is."""
    mime, data = read_data_url(data) or ("", data)
    return Media(kind="image", mime=mime or _type(data), data=data)


def write_image(media: Media) -> str | None:
    """None for what Ollama cannot be given: it fetches nothing, and reads three kinds of pictures."""
    if media.kind != "image":
        return None
    if media.data and (media.mime or _type(media.data)) in _TAKEN | {""}:
        return media.data
    return None


def file_text(media: Media) -> str | None:
    """What a text file says; None for any other file."""
    if media.kind != "file" or not media.mime.startswith("text/") or not media.data:
        return None
    try:
        return base64.b64decode(media.data, validate=True).decode()
    except ValueError:  # no base64, not even ASCII, or no text
        return None


def _type(data: str) -> str:
    return next((mime for beginning, mime in _BEGINNINGS.items() if data.startswith(beginning)), "")
