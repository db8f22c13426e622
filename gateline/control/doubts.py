"""What a sound configuration says and hardly means: nothing is refused for it, and whoever looks is told."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gateline.control.compile import provider_of
from gateline.control.credentials import keys_of
from gateline.providers.table import TABLE

if TYPE_CHECKING:
    from gateline.control.config import Config, ProviderSection

_ENDPOINTS = ("/chat/completions", "/completions", "/messages", "/responses", "/embeddings", "/models")
_OWN = frozenset({"localhost", ""})  # hosts of servers that are the operator's


def doubts(config: Config) -> list[str]:
    """A line each, with the field it is about. Never a value that may be a secret."""
    return [
        f"providers.{name}.{field}: {message}"
        for name, section in config.providers.items()
        for field, message in (*_keys(name, section), *_address(section))
    ]


def _keys(name: str, section: ProviderSection) -> Iterator[tuple[str, str]]:
    provider, row = provider_of(name, section), TABLE[section.kind]
    keys = keys_of(section)
    for field, given in (("api_key", (section.api_key,)), ("api_keys", section.api_keys)):
        if any(key.get_secret_value().startswith(("$", "os.environ/")) for key in given):
            yield field, "is sent as it stands: write ${NAME} for a variable of the environment"
    is_vendors = section.base_url is None and urlsplit(row.base_url).hostname not in _OWN
    if is_vendors and row.auth != "none" and not keys and provider.credential is None:
        yield "api_key", "is missing, and the vendor refuses calls without one: add it, such as ${NAME}"


def _address(section: ProviderSection) -> Iterator[tuple[str, str]]:
    if section.base_url is None:
        return
    url, row = urlsplit(section.base_url), TABLE[section.kind]
    path = url.path.rstrip("/")
    ending = next((end for end in _ENDPOINTS if path.endswith(end)), "")
    if ending:
        yield "base_url", f"ends in an endpoint, and {ending} is asked for behind it: leave that out"
    segments = path.split("/")
    if any(one and one == other for one, other in pairwise(segments)):
        yield "base_url", "says one part of its path twice"
    own = urlsplit(row.base_url)
    if url.hostname == own.hostname and url.hostname not in _OWN and not path and own.path:
        yield "base_url", f"lacks the path of the vendor's: {row.base_url}"
