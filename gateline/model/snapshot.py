"""The configuration as the data plane reads it: compiled once, immutable, swapped whole.

Everything a request needs is resolved here by the control plane: addresses parsed, prices looked up, metric rows
assigned, fallbacks checked. It holds provider secrets: its bytes are written with mode 0600 and never logged.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from gateline.model.credential import Credential
from gateline.model.usage import Price

DEFAULT_TENANT = "default"

ModelKind = Literal["chat", "embeddings", "rerank", "image", "speech", "transcription", "moderation"]


class Provider(msgspec.Struct, frozen=True, omit_defaults=True, cache_hash=True):
    """One upstream account. `kind` is a row of `providers/table.py`. `path` is the base URL's path without a final `/`.

    `engine` names the local engine instead of an address (kind `local`). `named` says that the configuration names
    this host literally, which is what lets a private address through the egress policy. `options` are what its
    vendor's addresses need besides (a region, a project, an API version), by name.
    `requires_done`: its chat streams end with `[DONE]`, and are cut off without it.
    `api_keys` are used in turn, `api_key` among them; with a `credential` it has no key but a token.
    """

    name: str
    kind: str
    scheme: str = ""
    host: str = ""
    port: int = 0
    path: str = ""
    api_key: str = ""
    engine: str = ""
    connect_timeout: float = 5.0
    first_byte_timeout: float = 120.0
    idle_timeout: float = 60.0
    total_timeout: float = 600.0
    verify_tls: bool = True
    ca_file: str = ""
    options: tuple[tuple[str, str], ...] = ()
    api_keys: tuple[str, ...] = ()
    credential: Credential | None = None
    requires_done: bool = True

    @property
    def keys(self) -> tuple[str, ...]:
        """Its static keys, each once; none when it has a `credential`, or needs none."""
        return tuple(dict.fromkeys(key for key in (self.api_key, *self.api_keys) if key))


class Target(msgspec.Struct, frozen=True, omit_defaults=True, cache_hash=True):
    """Where a call may go: a provider and the model's name there. `row` is its row in the metric columns."""

    provider: Provider
    model: str
    weight: int
    row: int
    price: Price | None = None

    @property
    def label(self) -> str:
        return f"{self.provider.name}/{self.model}"


class Card(msgspec.Struct, frozen=True, array_like=True):
    """What a list of models says of one, as its vendor publishes it: None is unknown. `input` and `output` are the
    modalities it is known to take and give; `context_window` and `max_output` are tokens."""

    title: str
    kind: ModelKind
    context_window: int | None = None
    max_output: int | None = None
    input: tuple[str, ...] = ()
    output: tuple[str, ...] = ()
    tools: bool | None = None
    json_schema: bool | None = None
    reasoning: bool | None = None


class Model(msgspec.Struct, frozen=True, omit_defaults=True):
    """A public name and its targets. `row` counts what reached no target, under `row_name` where many models share it.
    `created` is a Unix time in seconds. `card` tells of its first target."""

    name: str
    targets: tuple[Target, ...]
    fallbacks: tuple[str, ...] = ()
    row: int = 0
    created: int = 0
    card: Card | None = None
    row_name: str = ""


class Cors(msgspec.Struct, frozen=True):
    """Origins allowed to call from a browser; `*` allows all; none answers no CORS header at all."""

    origins: tuple[str, ...] = ()


class Server(msgspec.Struct, frozen=True):
    """Limits and deadlines of the client side. Sizes in bytes, times in seconds."""

    head_bytes: int = 65_536
    head_count: int = 100
    body_bytes: int = 32 * 1024 * 1024
    head_timeout: float = 10.0
    body_timeout: float = 60.0
    idle_timeout: float = 75.0
    request_timeout: float = 900.0
    write_timeout: float = 60.0
    drain_delay: float = 5.0
    grace: float = 600.0
    connections: int = 20_000
    cors: Cors = Cors()
    tls_certificate: str = ""
    tls_key: str = ""


class Retry(msgspec.Struct, frozen=True):
    """Tries per target before the next one, and the jittered back-off between them, in seconds."""

    attempts: int = 2
    base: float = 0.1
    cap: float = 2.0


class Snapshot(msgspec.Struct, frozen=True):
    """`models` is keyed by tenant, then public name. `egress_allow` lists networks the configuration opens. Some price
    may change at `prices_until`, in Unix seconds; 0 when no change is announced."""

    version: int
    models: dict[str, dict[str, Model]]
    server: Server = Server()
    retry: Retry = Retry()
    egress_allow: tuple[str, ...] = ()
    unverified_keys_for: float = 30.0
    open_providers: tuple[Provider, ...] = ()
    prices_until: int = 0

    def providers(self) -> Iterator[Provider]:
        """Whoever a call may go to: of every target, once for each, and those whose whole API may be asked for."""
        for served in self.models.values():
            for model in served.values():
                for target in model.targets:
                    yield target.provider
        yield from self.open_providers


class _Kept(msgspec.Struct, array_like=True):
    """As it is written: each provider once, however many targets it has; a target names it by its place."""

    snapshot: Snapshot
    providers: list[Provider]


def encode(snapshot: Snapshot) -> bytes:
    places: dict[Provider, Provider] = {}

    def placed(target: Target) -> Target:
        place = places.get(target.provider)
        if place is None:
            place = places[target.provider] = Provider(name=str(len(places)), kind="")
        return msgspec.structs.replace(target, provider=place)

    models = {
        tenant: {
            name: msgspec.structs.replace(model, targets=tuple(placed(target) for target in model.targets))
            for name, model in served.items()
        }
        for tenant, served in snapshot.models.items()
    }
    return msgspec.msgpack.encode(_Kept(msgspec.structs.replace(snapshot, models=models), list(places)))


def decode(raw: bytes) -> Snapshot:
    """Raises msgspec.DecodeError when `raw` was written by another version of the program."""
    kept = msgspec.msgpack.decode(raw, type=_Kept)
    try:
        for served in kept.snapshot.models.values():
            for model in served.values():
                for target in model.targets:  # nobody has seen or hashed it yet
                    msgspec.structs.force_setattr(target, "provider", kept.providers[int(target.provider.name)])
    except (ValueError, IndexError):
        raise msgspec.ValidationError("a target names no provider") from None
    return kept.snapshot
