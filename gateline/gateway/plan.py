"""Where the call may go, best first: the model's own targets, then those of its fallbacks. Policy holds for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import random

from gateline.gateway.exchange import Exchange
from gateline.gateway.hop import Hop
from gateline.gateway.rerouted import refuse_rerouted
from gateline.gateway.router import ModelRoute, TargetRoute
from gateline.model.errors import Forbidden, ModelNotFound
from gateline.model.key import Key

_SLACK = 2  # calls a target may have over the least busy one, per unit of weight, before weights give way

Ways = Iterable[tuple[TargetRoute, Hop]]


def plan(exchange: Exchange) -> Ways:
    """Finds the model, and how to get to its targets. Raises ModelNotFound, Forbidden when the key has no access to
    it, or BadRequest when a limited key's call could reach another by itself."""
    call, key = exchange.call, exchange.key
    assert call is not None
    assert key is not None
    name = call.model
    route = exchange.router.find(key.tenant, name)
    if route is None:
        raise ModelNotFound(
            f"The model {name[:200]!r} does not exist: GET /v1/models lists those this key may use.", param="model"
        )
    if key.models is not None and name not in key.models:
        raise Forbidden(f"This key has no access to the model {name!r}.", param="model")
    exchange.model = name
    exchange.model_route = route
    only = route.only
    if only is None:
        return targets(exchange, exchange.connection.service.clock.now)
    hop = only.hops[exchange.operation, exchange.stream]
    if hop is None:
        return ()
    if key.models is not None:
        refuse_rerouted(exchange, only, hop)
    return ((only, hop),)


def may_use(key: Key, name: str) -> bool:
    return key.models is None or name in key.models


def targets(exchange: Exchange, now: float) -> Iterator[tuple[TargetRoute, Hop]]:
    """Every target that the call can get to, once, with how; lazily, since most calls need the first one only. Those
    cooling down come after all others.

    A fallback is another model: a key that may not use it does not get there through this door either.
    """
    assert exchange.key is not None
    is_limited = exchange.key.models is not None
    cooling: list[tuple[TargetRoute, Hop]] = []
    seen: set[TargetRoute] = set()  # a fallback may share a target with the model it stands in for
    for route in _routes(exchange):
        for target in _ordered(route):
            if target in seen:
                continue
            seen.add(target)
            hop = target.hops[exchange.operation, exchange.stream]
            if hop is None:
                continue
            if is_limited:
                refuse_rerouted(exchange, target, hop)
            if target.cooling_until > now:
                cooling.append((target, hop))
            else:
                yield target, hop
    yield from cooling


def _routes(exchange: Exchange) -> Iterator[ModelRoute]:
    route, key = exchange.model_route, exchange.key
    assert route is not None
    assert key is not None
    yield route
    for name in route.model.fallbacks:
        fallback = exchange.router.find(key.tenant, name)
        if fallback is not None and may_use(key, name):
            yield fallback


def _ordered(route: ModelRoute) -> Iterator[TargetRoute]:
    left = route.targets
    if len(left) == 1:
        yield left[0]
        return
    left = [target for target in left if target.target.weight > 0]
    while left:
        choice = choose(left, random())  # noqa: S311 - spreading load is no secret
        left = [target for target in left if target is not choice]
        yield choice


def choose(ready: list[TargetRoute], draw: float) -> TargetRoute:
    """By weight, unless that target is busier than the least busy one by more than a little. `draw` is in [0, 1)."""
    point = draw * sum(target.target.weight for target in ready)
    picked = ready[-1]
    for target in ready:
        point -= target.target.weight
        if point < 0:
            picked = target
            break
    least = min(ready, key=_load)
    return least if _load(picked) > 2 * _load(least) + _SLACK else picked


def _load(target: TargetRoute) -> float:
    return target.in_flight / target.target.weight
