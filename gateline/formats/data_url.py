"""Data URLs (RFC 2397): how most formats carry bytes where they have room for an address only."""

from __future__ import annotations

import base64
import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from gateline.model.chat import Media

_HEAD = re.compile(r"data:([^;,]*)((?:;[^;,]*)*),", re.IGNORECASE)


class Held(NamedTuple):
    """`mime` without parameters, empty where the URL says none; `data` in base64."""

    mime: str
    data: str


def read_data_url(url: str) -> Held | None:
    """What `url` holds; None for any other URL."""
    match = _HEAD.match(url)
    if match is None:
        return None
    data = url[match.end() :]
    if not match[2].lower().endswith(";base64"):
        data = base64.b64encode(unquote_to_bytes(data)).decode()
    return Held(match[1].lower(), data)


def data_url(media: Media, mime: str) -> str:
    """The bytes of `media` as a URL; `mime` is their type where nobody said it."""
    return f"data:{media.mime or mime};base64,{media.data}"
