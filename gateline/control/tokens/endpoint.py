"""Asks an endpoint that hands out tokens, and reads its answer. Repeats nothing of it but names of errors."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from gateline.control.tokens.source import NoToken
from gateline.formats.redact import redact
from gateline.model.token import Bearer

_SECONDS = 15.0  # for a whole exchange
_MAX_REPLY = 65_536
_UNSAID_LIFE = (
    300.0  # seconds; a token whose life nobody told is renewed soon (RFC 6749, 5.1: expires_in may be missing)
)
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_ENTRA_CODE = re.compile(r"\bAADSTS[0-9]{3,8}\b")
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


async def ask(
    method: str,
    url: str,
    *,
    form: Mapping[str, str] | None = None,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    on_host: bool = False,
) -> dict[str, Any]:
    """The JSON object that comes back. `form` or `body` (JSON) is sent. `on_host`: the endpoint belongs to the machine
    (a metadata server), so it is asked in plain and past any proxy. Raises NoToken."""
    place = _checked(url, on_host)
    try:
        async with (
            asyncio.timeout(_SECONDS),
            httpx.AsyncClient(trust_env=not on_host, timeout=_SECONDS) as client,
            client.stream(method, url, data=form, json=body, headers=headers) as reply,
        ):
            raw = await _read(reply, place)
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        raise NoToken(f"{place} cannot be asked ({type(error).__name__})") from None
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        found = None
    if reply.status_code != 200:
        raise NoToken(f"{place} answered {reply.status_code}{_error_name(found)}")
    if not isinstance(found, dict):
        raise NoToken(f"{place} answered something else than a JSON object")
    return found


def _checked(url: str, on_host: bool) -> str:
    """The endpoint's host. A secret goes out over TLS, or stays on this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise NoToken("the token endpoint's address is no URL") from None
    if parts.scheme != "https" and not (parts.scheme == "http" and (on_host or host in _LOOPBACK)):
        raise NoToken(f"the token endpoint {host} must be asked over https")
    return host


async def _read(reply: httpx.Response, place: str) -> bytes:
    raw = b""
    async for chunk in reply.aiter_bytes():
        raw += chunk
        if len(raw) > _MAX_REPLY:
            raise NoToken(f"{place} answered more than {_MAX_REPLY} bytes")
    return raw


def _error_name(found: Any) -> str:
    """The error's name in front of which a space stands, empty when there is none: OAuth's `error` (with Entra's own
    number), Google's `error.status`, IBM's `errorCode`."""
    if not isinstance(found, dict):
        return ""
    error = found.get("error", found.get("errorCode"))
    if isinstance(error, dict):
        error = error.get("status")
    names = [error] if isinstance(error, str) and _NAME.fullmatch(error) else []
    described = found.get("error_description")
    if isinstance(described, str) and (code := _ENTRA_CODE.search(described[:1_000])):
        names.append(code[0])
    return redact("".join(f" {name}" for name in names))


def bearer(reply: Mapping[str, Any], now: float) -> Bearer:
    """The token in an OAuth answer. Azure writes its numbers as text, and App Service says only `expires_on`. Raises
    NoToken when there is none that can stand in a header."""
    value = reply.get("access_token")
    if not isinstance(value, str) or not is_writable(value):
        raise NoToken("the token endpoint answered without a token")
    life, end = _number(reply.get("expires_in")), _number(reply.get("expires_on"))
    if life is not None:
        return Bearer(value, now + life)
    return Bearer(value, end if end is not None else now + _UNSAID_LIFE)


def is_writable(value: str) -> bool:
    return 0 < len(value) <= 16_384 and all("!" <= character <= "~" for character in value)


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if 0 < number < 1e11 else None
