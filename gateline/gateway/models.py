"""The list of models a key may use, in the format of whoever asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from gateline.formats.anthropic import listing as anthropic
from gateline.formats.gemini import listing as gemini
from gateline.formats.ollama import listing as ollama
from gateline.formats.openai import models as openai
from gateline.gateway.exchange import Exchange
from gateline.gateway.plan import may_use
from gateline.gateway.router import ModelRoute
from gateline.model.call import Family
from gateline.model.errors import ModelNotFound


class _Shape(NamedTuple):
    """How one family of APIs lists models. `one` None: it has no path for a single model."""

    page: Callable[[Sequence[ModelRoute]], bytes]
    one: Callable[[ModelRoute], bytes] | None


_OPENAI = _Shape(
    lambda routes: openai.models_page([(route.model, route.status()) for route in routes]),
    lambda route: openai.model_object(route.model, route.status()),
)
_SHAPES: dict[Family, _Shape] = {
    "anthropic": _Shape(
        lambda routes: anthropic.models_page(route.model for route in routes),
        lambda route: anthropic.model_object(route.model),
    ),
    "gemini": _Shape(
        lambda routes: gemini.models_page(route.model for route in routes),
        lambda route: gemini.model_object(route.model),
    ),
    "ollama": _Shape(lambda routes: ollama.models_page(route.model for route in routes), None),
}


def list_models(exchange: Exchange) -> None:
    """Answers the list of models, and the path of one. Raises ModelNotFound for a name this key cannot see."""
    key, asked = exchange.key, exchange.facts.asked
    assert key is not None
    routes = exchange.router.models(key.tenant)
    shape = _SHAPES.get(asked.family, _OPENAI)
    name = asked.rest
    if not name:
        exchange.answer(200, shape.page([route for known, route in routes.items() if may_use(key, known)]))
        return
    found = routes.get(name)
    if found is None or not may_use(key, name) or shape.one is None:
        raise ModelNotFound(f"The model {name[:200]!r} does not exist, or this key has no access to it.", param="model")
    exchange.answer(200, shape.one(found))
