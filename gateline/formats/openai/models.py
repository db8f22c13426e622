"""OpenAI's list of models, with one field more: `status` says whether a model can answer now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from gateline.model.snapshot import Model

Status = Literal["ready", "loading", "failed"]

_encode = msgspec.json.Encoder().encode


class _Object(msgspec.Struct):
    id: str
    created: int
    status: Status
    object: Literal["model"] = "model"
    owned_by: Literal["gateline"] = "gateline"


class _Page(msgspec.Struct):
    data: list[_Object]
    object: Literal["list"] = "list"


def models_page(models: Iterable[tuple[Model, Status]]) -> bytes:
    """The body of `/v1/models`, in the order given."""
    return _encode(_Page([_Object(model.name, model.created, status) for model, status in models]))


def model_object(model: Model, status: Status) -> bytes:
    """The body of `/v1/models/{id}`."""
    return _encode(_Object(model.name, model.created, status))
