"""Anthropic's list of models (docs.claude.com/en/api/models-list), for clients that ask in its format."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from gateline.formats.moment import EPOCH, rfc3339
from gateline.model.snapshot import Model

_encode = msgspec.json.Encoder().encode


class _Model(msgspec.Struct):
    """`lifecycle` is what this gateway says of it: what is listed here is served here."""

    id: str
    display_name: str
    created_at: str
    max_input_tokens: int | None
    max_tokens: int | None
    type: Literal["model"] = "model"
    lifecycle: Literal["active"] = "active"


class _Page(msgspec.Struct):
    data: list[_Model]
    first_id: str | None
    last_id: str | None
    has_more: bool = False


def models_page(models: Iterable[Model]) -> bytes:
    """The body of `/v1/models`: one page, in the order given."""
    listed = [_model(model) for model in models]
    return _encode(_Page(listed, *((listed[0].id, listed[-1].id) if listed else (None, None))))


def model_object(model: Model) -> bytes:
    """The body of `/v1/models/{id}`."""
    return _encode(_model(model))


def _model(model: Model) -> _Model:
    card = model.card
    created = rfc3339(model.created) or EPOCH
    if card is None:
        return _Model(model.name, model.name, created, None, None)
    return _Model(model.name, card.title or model.name, created, card.context_window, card.max_output)
