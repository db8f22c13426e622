"""The list of models a key may use, and whether each can answer now."""

from __future__ import annotations

from urllib.parse import unquote

from gateline.formats.openai.models import model_object, models_page
from gateline.gateway.exchange import Exchange
from gateline.gateway.plan import may_use
from gateline.model.errors import ModelNotFound

PATH = b"/v1/models"


def list_models(exchange: Exchange) -> None:
    """Answers `/v1/models` and `/v1/models/{id}`. Raises ModelNotFound for a name this key cannot see."""
    key = exchange.key
    assert key is not None
    routes = exchange.router.models(key.tenant)
    path = exchange.connection.request.path
    if path == PATH:
        visible = [(route.model, route.status()) for name, route in routes.items() if may_use(key, name)]
        exchange.answer(200, models_page(visible))
        return
    name = unquote(path[len(PATH) + 1 :].decode("ascii"))
    route = routes.get(name)
    if route is None or not may_use(key, name):
        raise ModelNotFound(f"The model {name[:200]!r} does not exist, or this key has no access to it.", param="model")
    exchange.answer(200, model_object(route.model, route.status()))
