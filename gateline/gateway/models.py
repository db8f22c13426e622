"""The list of models a key may use, in the format of whoever asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from gateline.formats.anthropic import listing as anthropic
from gateline.formats.cohere import listing as cohere
from gateline.formats.gemini import listing as gemini
from gateline.formats.ollama import listing as ollama
from gateline.formats.ollama import show
from gateline.formats.openai import models as openai
from gateline.gateway.exchange import Exchange
from gateline.gateway.plan import may_use
from gateline.gateway.router import ModelRoute
from gateline.model.call import Family
from gateline.model.errors import ModelNotFound


class _Shape(NamedTuple):
    """How one family of APIs lists models, and says one."""

    page: Callable[[Sequence[ModelRoute]], bytes]
    one: Callable[[ModelRoute], bytes]


_OPENAI = _Shape(
    lambda routes: openai.models_page([(route.model, route.status()) for route in routes]),
    lambda route: openai.model_object(route.model, route.status()),
)
_SHAPES: dict[Family, _Shape] = {
    "anthropic": _Shape(
        lambda routes: anthropic.models_page(route.model for route in routes),
        lambda route: anthropic.model_object(route.model),
    ),
    "cohere": _Shape(
        lambda routes: cohere.models_page(route.model for route in routes),
        lambda route: cohere.model_object(route.model),
    ),
    "gemini": _Shape(
        lambda routes: gemini.models_page(route.model for route in routes),
        lambda route: gemini.model_object(route.model),
    ),
    "ollama": _Shape(
        lambda routes: ollama.models_page(route.model for route in routes),
        lambda route: show.model_object(route.model),
    ),
}
LISTS = frozenset({"models", "ollama.version"})


def show_model(exchange: Exchange) -> None:
    """Answers Ollama's question about one model, whose name is in its body. Raises BadRequest or ModelNotFound."""
    exchange.answer(200, show.model_object(_visible(exchange, show.read_asked(exchange.body)).model))


def list_models(exchange: Exchange) -> None:
    """Answers the list of models, and the path of one; to Ollama's clients also the version that they look at first.
    Raises ModelNotFound for a name this key cannot see."""
    key, asked = exchange.key, exchange.facts.asked
    assert key is not None
    if exchange.operation == "ollama.version":
        exchange.answer(200, show.VERSION)
        return
    routes = exchange.router.models(key.tenant)
    shape = _SHAPES.get(asked.family, _OPENAI)
    name = asked.rest
    if not name:
        exchange.answer(200, shape.page([route for known, route in routes.items() if may_use(key, known)]))
        return
    exchange.answer(200, shape.one(_visible(exchange, name)))


def _visible(exchange: Exchange, name: str) -> ModelRoute:
    key = exchange.key
    assert key is not None
    found = exchange.router.models(key.tenant).get(name)
    if found is None or not may_use(key, name):
        raise ModelNotFound(f"The model {name[:200]!r} does not exist, or this key has no access to it.", param="model")
    return found
