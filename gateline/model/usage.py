"""What a call consumed, and what that costs. Unknown is None or `NONE`, never zero."""

from __future__ import annotations

from typing import Literal

import msgspec

UsageSource = Literal["provider", "estimated", "none"]


class Usage(msgspec.Struct, frozen=True, array_like=True):
    """Tokens as the upstream counts them. `input` and `output` are totals; every other count is a part of one of them.

    Of `input`: `cached` was read from the vendor's prompt cache, `cache_write` was written to it, `cache_write_1h` (of
    `cache_write`) to live an hour there, `input_audio` and `input_image` came as sound and pictures. Of `output`:
    `reasoning` the client may never see, `output_audio` and `output_image` are sound and pictures.
    """

    input: int = 0
    output: int = 0
    cached: int = 0
    reasoning: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    input_audio: int = 0
    output_audio: int = 0
    input_image: int = 0
    output_image: int = 0


class PriceTier(msgspec.Struct, frozen=True, array_like=True):
    """The rates of a call with more than `above` input tokens; they hold for all of its tokens (vendors' "cliff")."""

    above: int
    input: int
    output: int
    cached: int


class Price(msgspec.Struct, frozen=True, array_like=True):
    """Nano-dollars (1e-9 USD) a token, as exact rationals `numerator / PRICE_SCALE`.

    Vendors publish dollars per million tokens with up to four decimals: 1 USD/M = 1,000 nano-dollars a token.
    `PRICE_SCALE` keeps seven more digits, so that every published price is an integer here.
    `request` is a flat fee in nano-dollars a call. `tiers` rise by `above`; most prices have none.
    """

    input: int
    output: int
    cached: int
    request: int = 0
    tiers: tuple[PriceTier, ...] = ()


PRICE_SCALE = 10_000_000


def cost(usage: Usage, price: Price) -> int:
    """The call's cost in integer nano-dollars, rounded half up once, at the end."""
    rates: Price | PriceTier = price
    for tier in price.tiers:
        if usage.input > tier.above:
            rates = tier
    cached = usage.cached if usage.cached < usage.input else usage.input  # noqa: FURB136 - min() costs as much again
    scaled = (usage.input - cached) * rates.input + cached * rates.cached + usage.output * rates.output
    return (scaled + PRICE_SCALE // 2) // PRICE_SCALE + price.request
