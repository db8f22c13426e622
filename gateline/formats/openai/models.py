"""OpenAI's list of models, with more fields: `status` says whether a model can answer now, the others what is known of
it. What is unknown is left out."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

import msgspec

from gateline.model.snapshot import Card, Model
from gateline.model.usage import PRICE_SCALE, Price

Status = Literal["ready", "loading", "failed"]

_SCALED_PER_DOLLAR = 1_000 * PRICE_SCALE  # a million tokens for a dollar, as `Price` holds it
_encode = msgspec.json.Encoder().encode


class _Modalities(msgspec.Struct, omit_defaults=True):
    input: tuple[str, ...] = ()
    output: tuple[str, ...] = ()


class _Capabilities(msgspec.Struct, omit_defaults=True):
    tools: bool | None = None
    json_schema: bool | None = None
    reasoning: bool | None = None


class _Object(msgspec.Struct, omit_defaults=True):
    id: str
    created: int
    status: Status
    object: str
    owned_by: str
    name: str = ""
    kind: str = ""
    context_window: int | None = None
    max_output_tokens: int | None = None
    modalities: _Modalities | None = None
    capabilities: _Capabilities | None = None
    pricing: msgspec.Raw | None = None


class _Page(msgspec.Struct):
    data: list[_Object]
    object: Literal["list"] = "list"


def models_page(models: Iterable[tuple[Model, Status]]) -> bytes:
    """The body of `/v1/models`, in the order given."""
    return _encode(_Page([_object(model, status) for model, status in models]))


def model_object(model: Model, status: Status) -> bytes:
    """The body of `/v1/models/{id}`."""
    return _encode(_object(model, status))


def _object(model: Model, status: Status) -> _Object:
    listed = _Object(model.name, model.created, status, "model", "gateline", pricing=_pricing_of(model))
    card = model.card
    if card is not None:
        listed.name = card.title
        listed.kind = card.kind
        listed.context_window = card.context_window
        listed.max_output_tokens = card.max_output
        if card.input or card.output:
            listed.modalities = _Modalities(card.input, card.output)
        listed.capabilities = _capabilities(card)
    return listed


def _capabilities(card: Card) -> _Capabilities | None:
    known = _Capabilities(card.tools, card.json_schema, card.reasoning)
    return known if known != _Capabilities() else None


def _pricing_of(model: Model) -> msgspec.Raw | None:
    """None where a price is unknown, or where it depends on the target."""
    prices = {target.price for target in model.targets}
    (price,) = prices if len(prices) == 1 else (None,)
    return None if price is None else _pricing(price)


@lru_cache(maxsize=4_096)
def _pricing(price: Price) -> msgspec.Raw:
    """US dollars per million tokens as exact decimals in strings; `tiers` are rates of calls with more input tokens."""
    shown: dict[str, object] = {"currency": "USD", "per_tokens": 1_000_000, **_rates(price)}
    if price.request:
        shown["request"] = _decimal(price.request, 1_000_000_000)
    if price.tiers:
        shown["tiers"] = [{"above_input_tokens": tier.above, **_rates(tier)} for tier in price.tiers]
    return msgspec.Raw(_encode(shown))


def _rates(rates: msgspec.Struct) -> dict[str, str]:
    """The three rates, and those of parts that differ from what they are part of."""
    named = msgspec.structs.asdict(rates)
    whole = {name: named[name] for name in ("input", "output", "cached")}
    if named["parts"] is not None:
        of = {"output_audio": "output", "output_image": "output", "cached_audio": "cached"}
        parts = msgspec.structs.asdict(named["parts"])
        whole |= {name: rate for name, rate in parts.items() if rate != whole[of.get(name, "input")]}
    return {name: _decimal(rate, _SCALED_PER_DOLLAR) for name, rate in whole.items()}


def _decimal(amount: int, one: int) -> str:
    """`amount / one`, `one` a power of ten, without a float and without zeros at the end."""
    whole, rest = divmod(amount, one)
    digits = str(rest).zfill(len(str(one)) - 1).rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)
