"""Cohere's list of models (docs.cohere.com/reference/list-models), for clients that ask in its format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from gateline.model.snapshot import Model, ModelKind

# What may be asked of a model, by its kind; one of which nothing is known may be of any.
_ENDPOINTS: Mapping[ModelKind, tuple[str, ...]] = {"chat": ("chat",), "embeddings": ("embed",), "rerank": ("rerank",)}
_ANY = ("chat", "embed", "rerank")

_encode = msgspec.json.Encoder().encode


class _Model(msgspec.Struct, omit_defaults=True):
    name: str
    endpoints: tuple[str, ...]
    context_length: int | None = None
    features: list[str] | None = None


class _Page(msgspec.Struct):
    models: list[_Model]


def models_page(models: Iterable[Model]) -> bytes:
    """The body of `/v1/models`: one page, in the order given."""
    return _encode(_Page([_model(model) for model in models]))


def model_object(model: Model) -> bytes:
    """The body of `/v1/models/{name}`."""
    return _encode(_model(model))


def _model(model: Model) -> _Model:
    card = model.card
    if card is None:
        return _Model(model.name, _ANY)
    known = {"tools": card.tools, "vision": "image" in card.input, "reasoning": card.reasoning}
    features = [name for name, has in known.items() if has]
    return _Model(model.name, _ENDPOINTS.get(card.kind, ()), card.context_window, features or None)
