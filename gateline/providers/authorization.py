"""The header line that shows a provider's credential."""

from __future__ import annotations

import re

from gateline.providers.row import AuthStyle

_PRINTABLE = re.compile(rb"[!-~]+")
_NAMES: dict[AuthStyle, bytes] = {
    "bearer": b"Authorization: Bearer ",
    "x-api-key": b"x-api-key: ",
    "api-key": b"api-key: ",
    "x-goog-api-key": b"x-goog-api-key: ",
}


def authorization(style: AuthStyle, key: str, provider: str) -> bytes:
    """With its line end; empty when there is none to send. Raises ValueError when the key could not be a header value.
    The message does not show it."""
    start = _NAMES.get(style)
    if start is None or not key:
        return b""
    value = key.encode("utf-8")
    if _PRINTABLE.fullmatch(value) is None:
        raise ValueError(f"the api_key of provider {provider!r} has characters that no key has")
    return start + value + b"\r\n"
