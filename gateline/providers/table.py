"""The vendors that need no code: one row each. A vendor with behaviour of its own gets a file beside this one."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from gateline.model.call import Operation
from gateline.model.snapshot import Provider

AuthStyle = Literal["bearer", "none"]


class Row(msgspec.Struct, frozen=True):
    """`format` is the API format spoken. `sends_stream_options`: the vendor takes `stream_options`; others refuse it.
    `base_url` is where the vendor lives when the configuration does not say; empty: the configuration must."""

    format: Literal["openai"]
    auth: AuthStyle
    sends_stream_options: bool
    base_url: str = ""


TABLE: dict[str, Row] = {
    "openai": Row("openai", "bearer", sends_stream_options=True, base_url="https://api.openai.com/v1"),
    "openai-compatible": Row("openai", "bearer", sends_stream_options=True),
    "local": Row("openai", "none", sends_stream_options=True),
}

_PATHS: dict[Operation, str] = {
    "chat.completions": "/chat/completions",
    "completions": "/completions",
    "embeddings": "/embeddings",
}
_PRINTABLE = re.compile(rb"[!-~]+")


def request_target(provider: Provider, operation: Operation) -> bytes:
    """The origin-form target of `operation` at `provider`."""
    return (provider.path + _PATHS[operation]).encode("ascii")


def authorization(provider: Provider) -> bytes:
    """The header line, with its line end, that carries the provider's key; empty when there is none to send.

    Raises ValueError when the key could not be a header value. The message does not show it.
    """
    if not provider.api_key or TABLE[provider.kind].auth == "none":
        return b""
    key = provider.api_key.encode("utf-8")
    if _PRINTABLE.fullmatch(key) is None:
        raise ValueError(f"the api_key of provider {provider.name!r} has characters that no key has")
    return b"Authorization: Bearer " + key + b"\r\n"
