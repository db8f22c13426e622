"""Ollama's list of models, `/api/tags` (docs.ollama.com/api/tags), for clients that ask in its format."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from gateline.formats.moment import EPOCH, rfc3339
from gateline.model.snapshot import Model

_encode = msgspec.json.Encoder().encode


class Details(msgspec.Struct, frozen=True):
    """Of a file of weights, which what is served here need not have: empty strings, as clients show them."""

    parent_model: str = ""
    format: str = ""
    family: str = ""
    families: tuple[str, ...] = ()
    parameter_size: str = ""
    quantization_level: str = ""


class _Model(msgspec.Struct):
    """`digest` tells names apart; clients use it as a key. `size` is bytes on a disk: none."""

    name: str
    model: str
    modified_at: str
    digest: str
    size: int = 0
    details: Details = Details()


class _Page(msgspec.Struct):
    models: list[_Model]


def models_page(models: Iterable[Model]) -> bytes:
    """The body of `/api/tags`, in the order given."""
    return _encode(_Page([_model(model) for model in models]))


def _model(model: Model) -> _Model:
    changed = rfc3339(model.created) or EPOCH
    digest = hashlib.sha256(model.name.encode()).hexdigest()
    return _Model(model.name, model.name, changed, digest)
