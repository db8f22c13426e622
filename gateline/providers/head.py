"""The request head for an upstream, as far as it does not depend on the request. Knows a provider's row, no socket.

Workers keep it ready for each target; the configuration's check makes it too, so that a provider which no request could
be sent to is a mistake with a name there, and never meets a worker.
"""

from __future__ import annotations

from gateline.model.call import Operation
from gateline.model.snapshot import Provider
from gateline.providers.paths import request_target
from gateline.providers.row import Row
from gateline.wire.http1_write import request_head

_DEFAULT_PORTS = {"http": 80, "https": 443}
_AGENT = b"User-Agent: gateline\r\n"


def host_of(provider: Provider) -> str:
    """What the Host header says: with the port where that is not the scheme's own."""
    host = f"[{provider.host}]" if ":" in provider.host else provider.host
    return host if provider.port == _DEFAULT_PORTS[provider.scheme] else f"{host}:{provider.port}"


def upstream_head(provider: Provider, row: Row, operation: Operation, model: str, *, stream: bool = False) -> bytes:
    """Up to where further header lines go, the credential's among them. Raises ValueError when the provider's host,
    path or options cannot stand in a head."""
    return raw_head(provider, row, b"POST", request_target(provider, row, operation, model, stream=stream))


def raw_head(provider: Provider, row: Row, method: bytes, target: str) -> bytes:
    """The same for any method and target."""
    return request_head(method, target.encode(), host_of(provider).encode(), lines=_AGENT)[:-2]
