"""The lists of models that providers gave when they were asked, kept beside the snapshot for the next compile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from gateline.model.snapshot import Provider
from gateline.store.datadir import DataDir


def address_of(provider: Provider) -> str:
    """What a list belongs to: a provider that moved has another list."""
    return f"{provider.name} {provider.kind} {provider.scheme}://{provider.host}:{provider.port}{provider.path}"


def read_lists(data_dir: DataDir) -> dict[str, tuple[str, ...]]:
    """Models by `address_of` their provider; none where no file is, or none that can be read."""
    try:
        return msgspec.msgpack.decode(_path(data_dir).read_bytes(), type=dict[str, tuple[str, ...]])
    except (OSError, msgspec.DecodeError):
        return {}


def keep_lists(data_dir: DataDir, lists: Mapping[str, Sequence[str]]) -> None:
    """Raises OSError."""
    from gateline.control.compile import write_whole

    write_whole(_path(data_dir), msgspec.msgpack.encode(dict(lists)))


def _path(data_dir: DataDir) -> Path:
    return data_dir.snapshot.with_name("snapshot.lists")
