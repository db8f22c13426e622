"""A GET of our own to a provider, beside the calls of clients: to an address that was checked, with the provider's key,
trusting whom the workers trust."""

from __future__ import annotations

import ssl
from typing import NamedTuple

from gateline.model.snapshot import Provider
from gateline.net.tls import client_context
from gateline.providers.authorization import authorization
from gateline.providers.head import host_of
from gateline.providers.row import Row


class OwnGet(NamedTuple):
    """What httpx wants for it: `verify` is the client's, the rest is the request's."""

    url: str
    headers: dict[str, str]
    extensions: dict[str, str]
    verify: ssl.SSLContext | bool


def own_get(provider: Provider, row: Row, address: str, path: str) -> OwnGet:
    """Of `path` below the base URL, from `address`, whatever the host's name stands for by then. Raises OSError when
    the provider's `ca_file` cannot be used, ValueError when its key could not be a header value."""
    headers = {"Host": host_of(provider), "User-Agent": "gateline", "Accept-Encoding": "identity"}
    lines = row.edition + authorization(row.auth, next(iter(provider.keys), ""), provider.name)
    headers |= dict(line.split(": ", 1) for line in lines.decode("ascii").splitlines())
    shown = f"[{address}]" if ":" in address else address
    is_tls = provider.scheme == "https"
    return OwnGet(
        f"{provider.scheme}://{shown}:{provider.port}{provider.path}{path}",
        headers,
        {"sni_hostname": provider.host},
        client_context(verify=provider.verify_tls, ca_file=provider.ca_file) if is_tls else False,
    )
