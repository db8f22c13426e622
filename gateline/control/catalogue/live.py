"""Asks a provider which models it serves. The control process does, beside the path; a reply that is no list, is too
big or takes too long is no list."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any, Final

import httpx

from gateline.control.own_get import own_get
from gateline.model.call import FAMILIES, Family
from gateline.model.errors import EgressRefused
from gateline.model.snapshot import Provider
from gateline.net.egress import EgressPolicy
from gateline.providers.row import Row

MOST: Final = 2_000
_SECONDS: Final = 10.0
_MAX_REPLY: Final = 8 * 1024 * 1024  # bytes; OpenRouter's list, the longest known, is near one million
_PATHS: Final[dict[Family, str]] = {
    "openai": "/models",
    "anthropic": "/models?limit=1000",
    "gemini": "/models?pageSize=1000",
    "cohere": "/v1/models?page_size=1000",
    "ollama": "/api/tags",
}


class NoList(Exception):
    """Why there is none, in words that repeat nothing the provider said."""


async def live_list(provider: Provider, row: Row, egress: EgressPolicy) -> tuple[str, ...]:
    """The names of the provider's models, each once, at most MOST. Raises NoList."""
    path = _PATHS.get(FAMILIES[row.speaks[0]])
    if path is None or row.issuer:  # clouds sign or hand out tokens, and list what could be deployed, not what is
        raise NoList("this kind of provider has no list that can be asked for")
    try:
        async with asyncio.timeout(_SECONDS):
            address = await _address(provider, egress)
            raw = await _get(provider, row, address, path)
    except (OSError, httpx.HTTPError, TimeoutError, EgressRefused, ValueError) as error:
        raise NoList(f"it cannot be asked ({type(error).__name__})") from None
    try:
        names = _names(json.loads(raw))
    except (ValueError, RecursionError):
        raise NoList("it answered something else than a list of models") from None
    if not names:
        raise NoList("its list is empty")
    return names


async def _address(provider: Provider, egress: EgressPolicy) -> str:
    """An address that may be connected to, found once: what is checked is what is used. Raises OSError,
    EgressRefused."""
    found = await asyncio.get_running_loop().getaddrinfo(provider.host, provider.port, type=socket.SOCK_STREAM)
    address = str(found[0][4][0])
    egress.check(address, host=provider.host)
    return address


async def _get(provider: Provider, row: Row, address: str, path: str) -> bytes:
    get = own_get(provider, row, address, path)
    async with (
        httpx.AsyncClient(trust_env=False, verify=get.verify, timeout=_SECONDS, follow_redirects=False) as client,
        client.stream("GET", get.url, headers=get.headers, extensions=get.extensions) as reply,
    ):
        if reply.status_code != 200:
            raise NoList(f"it answered {reply.status_code}")
        raw = bytearray()
        async for chunk in reply.aiter_raw():
            raw += chunk
            if len(raw) > _MAX_REPLY:
                raise NoList(f"it answered more than {_MAX_REPLY} bytes")
    return bytes(raw)


def _names(reply: Any) -> tuple[str, ...]:
    """From OpenAI's and Anthropic's `data[].id`, Gemini's, Cohere's and Ollama's `models[].name`, or a bare list."""
    listed = reply.get("data", reply.get("models")) if isinstance(reply, dict) else reply
    if not isinstance(listed, list):
        return ()
    names = (entry.get("id") or entry.get("name") for entry in listed if isinstance(entry, dict))
    found = (name.removeprefix("models/") for name in names if isinstance(name, str))
    return tuple(dict.fromkeys(name for name in found if name and name.isprintable()))[:MOST]
