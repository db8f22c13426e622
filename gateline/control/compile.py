"""Compiles the configuration into the snapshot that workers read, and keeps the last one for the next start.

Only `compile_snapshot` knows configuration and prices; starting from the kept snapshot imports neither.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from gateline import __version__
from gateline.model.snapshot import (
    DEFAULT_TENANT,
    Card,
    Cors,
    Model,
    Provider,
    Retry,
    Server,
    Snapshot,
    Target,
    decode,
    encode,
)
from gateline.model.usage import Price
from gateline.store.columns import ROWS
from gateline.store.datadir import DataDir
from gateline.store.journal import FREE_SPACE
from gateline.store.mapped import is_room_missing

if TYPE_CHECKING:
    from gateline.control.automatic import Lists
    from gateline.control.catalogue.pricing import Pricing
    from gateline.control.config import Config, PriceSection, ProviderSection, TargetSection

MAX_ROWS = ROWS
_BUILTIN_CREATED = 1_735_689_600  # 2025-01-01: models of no file need some date, and always the same


class TooManyRows(ValueError):
    """More models and targets than the metric columns have rows."""


class RowRegistry:
    """Name → row in the metric columns. A row is never given to another name while the columns live, so a counter
    never changes its meaning. Row 0 counts calls whose model we do not serve. `given` are rows of before, by name."""

    def __init__(self, earlier: Snapshot | None = None, given: Mapping[tuple[str, str], int] | None = None) -> None:
        self._rows: dict[tuple[str, str], int] = {("", ""): 0, **(given or {})}
        if earlier is not None:
            for models in earlier.models.values():
                for model in models.values():
                    self._rows[(model.row_name or model.name, "")] = model.row
                    self._rows.update({(model.name, target.label): target.row for target in model.targets})
        self._next = max(self._rows.values()) + 1

    def row(self, model: str, target: str = "") -> int:
        """Raises TooManyRows."""
        row = self._rows.get((model, target))
        if row is None:
            if self._next >= MAX_ROWS:
                raise TooManyRows(
                    f"over {MAX_ROWS} models and targets since the start: name fewer, or restart to forget removed ones"
                )
            row = self._rows[(model, target)] = self._next
            self._next += 1
        return row

    def labels(self) -> dict[int, tuple[str, str]]:
        """Row → (model, target): the closed set of label values that the metrics may show."""
        return {row: name for name, row in list(self._rows.items())}


def compile_snapshot(
    config: Config,
    rows: RowRegistry,
    version: int,
    created: int = _BUILTIN_CREATED,
    lists: Lists = MappingProxyType({}),
    at: datetime | None = None,
) -> Snapshot:
    """Resolves addresses, prices, rows and local engines. `created` is the Unix time that models show, `lists` what
    providers said they serve, `at` the moment whose prices hold (None: now). Raises TooManyRows."""
    from gateline.control.catalogue.pricing import Pricing
    from gateline.control.crosscheck import model_names

    pricing = Pricing(at or datetime.now(UTC))
    models = {name: _model(config, name, rows, created, pricing) for name in model_names(config)}
    models |= _automatic(config, rows, created, lists, pricing)
    server = config.server
    return Snapshot(
        version=version,
        models={DEFAULT_TENANT: models},
        server=Server(
            head_bytes=server.head_bytes,
            head_count=server.head_count,
            body_bytes=server.body_bytes,
            head_timeout=server.head_timeout,
            body_timeout=server.body_timeout,
            idle_timeout=server.idle_timeout,
            request_timeout=server.request_timeout,
            write_timeout=server.write_timeout,
            drain_delay=server.drain_delay,
            grace=server.grace,
            connections=server.connections,
            cors=Cors(server.cors.origins),
            tls_certificate=server.tls.certificate if server.tls else "",
            tls_key=server.tls.key if server.tls else "",
        ),
        retry=Retry(config.retry.attempts, config.retry.base, config.retry.cap),
        egress_allow=config.egress.allow,
        unverified_keys_for=config.keys.serve_unverified_for,
        open_providers=tuple(
            provider_of(name, section) for name, section in config.providers.items() if section.passthrough
        ),
        prices_until=pricing.until,
    )


def _model(config: Config, name: str, rows: RowRegistry, created: int, pricing: Pricing) -> Model:
    from gateline.control.config import LOCAL_PROVIDER, ModelSection, TargetSection

    section = config.models.get(name) or ModelSection()
    targets = section.targets or (TargetSection(provider=LOCAL_PROVIDER, model=name),)
    return Model(
        name=name,
        targets=tuple(_target(config, name, section.price, target, rows, pricing) for target in targets),
        fallbacks=section.fallbacks,
        row=rows.row(name),
        created=created,
        card=_card(config, targets[0]),
    )


def _automatic(config: Config, rows: RowRegistry, created: int, lists: Lists, pricing: Pricing) -> dict[str, Model]:
    """The whole lists of providers that have `models: auto`. Calls that reach no target are counted together, a row a
    provider; where rows run out, the rest of a list is left out rather than the configuration refused."""
    from gateline.control.automatic import automatic_targets

    models: dict[str, Model] = {}
    for name, section in automatic_targets(config, lists).items():
        row_name = f"{section.provider}/*"
        try:
            row = rows.row(row_name)
            target = _target(config, name, None, section, rows, pricing)
        except TooManyRows:
            break
        card = _card(config, section)
        models[name] = Model(name, (target,), row=row, created=created, card=card, row_name=row_name)
    return models


def _card(config: Config, target: TargetSection) -> Card | None:
    from gateline.control.catalogue.entries import LOCAL, card_of

    section = config.providers.get(target.provider)
    return LOCAL.get(target.model) if section is None else card_of(section.kind, target.model)


def _target(
    config: Config,
    name: str,
    model_price: PriceSection | None,
    target: TargetSection,
    rows: RowRegistry,
    pricing: Pricing,
) -> Target:
    from gateline.control.config import LOCAL_PROVIDER
    from gateline.control.prices import configured_price

    price_section = target.price or model_price
    price = configured_price(price_section) if price_section else None
    if target.provider == LOCAL_PROVIDER:
        provider = Provider(name=LOCAL_PROVIDER, kind="local", engine=target.model)
        price = price or Price(0, 0, 0)
    else:
        section = config.providers[target.provider]
        provider = provider_of(target.provider, section)
        price = price or pricing.price(target.provider, section, target.model)
    row = rows.row(name, f"{target.provider}/{target.model}")
    return Target(provider=provider, model=target.model, weight=target.weight, row=row, price=price)


def provider_of(name: str, section: ProviderSection) -> Provider:
    """The provider as workers know it, its address taken apart."""
    from urllib.parse import urlsplit

    from gateline.control.config import base_url_of
    from gateline.control.credentials import credential_of, keys_of, options_of
    from gateline.providers.table import TABLE

    address = urlsplit(base_url_of(section))
    credential = credential_of(section, TABLE[section.kind], address.hostname or "")
    keys = keys_of(section) if credential is None else ()
    return Provider(
        name=name,
        kind=section.kind,
        scheme=address.scheme,
        host=address.hostname or "",
        port=address.port or (443 if address.scheme == "https" else 80),
        path=address.path.rstrip("/"),
        api_key=keys[0] if keys else "",
        connect_timeout=section.timeouts.connect,
        first_byte_timeout=section.timeouts.first_byte,
        idle_timeout=section.timeouts.idle,
        total_timeout=section.timeouts.total,
        verify_tls=section.verify_tls,
        ca_file=section.ca_file or "",
        options=options_of(section),
        api_keys=keys[1:],
        credential=credential,
        requires_done=section.requires_done,
    )


def engines_of(snapshot: Snapshot) -> list[str]:
    """The local engines that some target needs, each once."""
    names = (
        target.provider.engine
        for models in snapshot.models.values()
        for model in models.values()
        for target in model.targets
    )
    return list(dict.fromkeys(name for name in names if name))


# --- the snapshot that the next start begins with --------------------------------------------------------------------


class Origin(msgspec.Struct, array_like=True):
    """What a kept snapshot was made from: which variables and secret files, and one keyed digest over everything, the
    snapshot's own bytes included. Without the installation's pepper it says nothing about any secret."""

    program: str
    variables: tuple[str, ...]
    secret_files: tuple[str, ...]
    digest: bytes


class Fresh(msgspec.Struct, frozen=True):
    """A snapshot that was just compiled, and what it was made from: all that `keep` needs."""

    snapshot: Snapshot
    origin: Origin


def snapshot_for_start(
    config_path: Path | None, data_dir: DataDir, environment: Mapping[str, str] = os.environ
) -> Snapshot:
    """The kept snapshot when file, environment, secrets and program are those it was made from (a few ms), else a new
    one, compiled and kept. Raises ConfigMistakes, TooManyRows; OSError when the data directory cannot be written."""
    kept = current_snapshot(config_path, data_dir, environment)
    if kept is not None:
        return kept
    before = kept_snapshot(data_dir)
    version = before.version + 1 if before else 1
    fresh = fresh_snapshot(config_path, data_dir, version, RowRegistry(before), environment)
    keep(fresh, data_dir)
    return fresh.snapshot


def current_snapshot(
    config_path: Path | None, data_dir: DataDir, environment: Mapping[str, str] = os.environ
) -> Snapshot | None:
    """The kept snapshot if file, environment, secrets and program are still those it was made from, and prices too."""
    kept = kept_snapshot(data_dir)
    return kept if kept is not None and _is_current(kept, config_path, data_dir, environment) else None


def fresh_snapshot(
    config_path: Path | None,
    data_dir: DataDir,
    version: int,
    rows: RowRegistry,
    environment: Mapping[str, str] = os.environ,
) -> Fresh:
    """Compiles the configuration. Raises ConfigMistakes, TooManyRows; OSError when a file cannot be read."""
    from gateline.control.config import load_with_sources

    content = content_of(config_path)  # read before it is loaded: an edit in between then makes the next start compile
    loaded = load_with_sources(config_path, environment)
    created = _BUILTIN_CREATED if config_path is None else int(config_path.stat().st_mtime)
    snapshot = compile_snapshot(loaded.config, rows, version, created, _lists(loaded.config, data_dir))
    origin = Origin(__version__, loaded.variables, loaded.secret_files, b"")
    origin.digest = _digest(origin, encode(snapshot), content, data_dir, environment)
    return Fresh(snapshot, origin)


def _lists(config: Config, data_dir: DataDir) -> Lists:
    """What providers said they serve when they were asked last. Most configurations ask nobody."""
    automatic = [provider_of(name, section) for name, section in config.providers.items() if section.models == "auto"]
    if not automatic:
        return {}
    from gateline.control.lists import address_of, read_lists

    kept = read_lists(data_dir)
    return {provider.name: kept[address_of(provider)] for provider in automatic if address_of(provider) in kept}


def keep(fresh: Fresh, data_dir: DataDir) -> None:
    """The next start, and each worker that is started, begins with it. Raises OSError."""
    write_whole(data_dir.snapshot, encode(fresh.snapshot))
    write_whole(_origin_path(data_dir), msgspec.msgpack.encode(fresh.origin))


def kept_snapshot(data_dir: DataDir) -> Snapshot | None:
    """The last good snapshot; None when there is none that this version of the program can read."""
    try:
        return decode(data_dir.snapshot.read_bytes())
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _is_current(kept: Snapshot, config_path: Path | None, data_dir: DataDir, environment: Mapping[str, str]) -> bool:
    try:
        origin = msgspec.msgpack.decode(_origin_path(data_dir).read_bytes(), type=Origin)
        same = origin.digest == _digest(origin, encode(kept), content_of(config_path), data_dir, environment)
    except (OSError, msgspec.DecodeError):
        return False
    prices_hold = not kept.prices_until or time.time() < kept.prices_until
    return same and prices_hold and origin.program == __version__


def _digest(origin: Origin, raw: bytes, content: bytes, data_dir: DataDir, environment: Mapping[str, str]) -> bytes:
    digest = hashlib.blake2b(key=data_dir.pepper(), digest_size=32)
    parts = [content, raw]
    parts += [os.fsencode(environment.get(name, "\0unset")) for name in origin.variables]
    parts += [Path(name).read_bytes() for name in origin.secret_files]
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()


def content_of(config_path: Path | None) -> bytes:
    """What tells one configuration file from another, and from none. A file that cannot be read is for `load` to
    report."""
    try:
        return b"" if config_path is None else b"file" + config_path.read_bytes()
    except OSError:
        return b"unreadable"


def _origin_path(data_dir: DataDir) -> Path:
    return data_dir.snapshot.with_name("snapshot.origin")


def write_whole(path: Path, content: bytes) -> None:
    """Whole or not at all, and for the owner's eyes only from its first byte on (mkstemp makes mode 0600). Raises
    OSError."""
    fd, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException as error:
        Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError) and is_room_missing(error):
            raise OSError(f"no room in {path.parent} for the configuration: {FREE_SPACE}") from None
        raise
