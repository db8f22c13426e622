"""Looks models up in the vendors' price lists (package genai-prices). Its import is slow: only a compile pays it."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from functools import partial
from typing import Any

from gateline.control.config import PriceSection, ProviderSection
from gateline.model.usage import PRICE_SCALE, Price, PriceTier

_SCALED_PER_DOLLAR = 1_000 * PRICE_SCALE  # 1 USD per million tokens is 1,000 nano-dollars a token
_NANO_PER_THOUSAND_CALLS = 1_000_000  # 1 USD per thousand calls is a million nano-dollars a call
# Parts of a bill that follow from nothing we count: such a price is unknown to us, not smaller.
_BEYOND_US = ("output_reasoning_mtok", "output_citation_mtok")


def scaled(dollars_per_million: Decimal) -> int:
    """A published price as `model.usage.Price` holds it; exact up to ten decimals, then rounded half even."""
    return int((dollars_per_million * _SCALED_PER_DOLLAR).to_integral_value(ROUND_HALF_EVEN))


def configured_price(price: PriceSection) -> Price:
    cached = price.input if price.cached is None else price.cached
    return Price(scaled(price.input), scaled(price.output), scaled(cached))


def published_price(name: str, provider: ProviderSection, model: str) -> Price | None:
    """The vendor's own price for `model`, None when it publishes none. The vendor is found by its address first, then
    by the provider's kind, then by the name the operator gave it."""
    from genai_prices import Usage, calc_price

    names = [name] if provider.kind == "openai-compatible" else [provider.kind, name]
    ways = [partial(calc_price, Usage(), model, provider_id=vendor) for vendor in names]
    if provider.base_url:
        ways.insert(0, partial(calc_price, Usage(), model, provider_api_url=provider.base_url))
    for way in ways:
        try:
            return _price(way().model_price)
        except LookupError:
            continue
    return None


def _price(published: Any) -> Price | None:
    if published.input_mtok is None or any(getattr(published, key) is not None for key in _BEYOND_US):
        return None
    request = _rate(published.requests_kcount, 0)
    starts = {tier.start for rate in _rates(published) for tier in getattr(rate, "tiers", ())}
    return Price(
        *_three(published, 0),
        request=int((request * _NANO_PER_THOUSAND_CALLS).to_integral_value(ROUND_HALF_EVEN)),
        tiers=tuple(PriceTier(start, *_three(published, start + 1)) for start in sorted(starts)),
    )


def _rates(published: Any) -> tuple[Any, Any, Any]:
    """Input, output, cached. What has no price for output gives none (embeddings); cached input defaults to input."""
    cached = published.input_mtok if published.cache_read_mtok is None else published.cache_read_mtok
    return published.input_mtok, published.output_mtok, cached


def _three(published: Any, input_tokens: int) -> tuple[int, int, int]:
    input_rate, output, cached = (scaled(_rate(rate, input_tokens)) for rate in _rates(published))
    return input_rate, output, cached


def _rate(rate: Any, input_tokens: int) -> Decimal:
    """The rate in force for a call of `input_tokens`."""
    if rate is None:
        return Decimal(0)
    if isinstance(rate, Decimal):
        return rate
    dollars: Decimal = rate.base
    for tier in rate.tiers:
        if input_tokens > tier.start:
            dollars = tier.price
    return dollars
