"""Gemini's list of models (ai.google.dev/api/models), for clients that ask in its format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from gateline.model.snapshot import Model

# What a client may call with a model, by its kind; a model of which nothing is known may be of any.
_METHODS: Mapping[str, tuple[str, ...]] = {
    "chat": ("generateContent", "streamGenerateContent", "countTokens"),
    "embeddings": ("embedContent", "batchEmbedContents"),
    "image": ("generateContent", "streamGenerateContent"),
    "speech": ("generateContent", "streamGenerateContent"),
}
_ANY = (*_METHODS["chat"], *_METHODS["embeddings"])

_encode = msgspec.json.Encoder().encode


class _Model(msgspec.Struct, rename="camel", omit_defaults=True):
    name: str
    version: str
    display_name: str
    supported_generation_methods: tuple[str, ...]
    input_token_limit: int | None = None
    output_token_limit: int | None = None
    thinking: bool | None = None


class _Page(msgspec.Struct):
    models: list[_Model]


def models_page(models: Iterable[Model]) -> bytes:
    """The body of `/v1beta/models`: one page, in the order given."""
    return _encode(_Page([_model(model) for model in models]))


def model_object(model: Model) -> bytes:
    """The body of `/v1beta/models/{id}`."""
    return _encode(_model(model))


def _model(model: Model) -> _Model:
    card = model.card
    if card is None:
        return _Model(f"models/{model.name}", "", model.name, _ANY)
    return _Model(
        f"models/{model.name}",
        "",
        card.title or model.name,
        _METHODS.get(card.kind, ()),
        card.context_window,
        card.max_output,
        card.reasoning,
    )
