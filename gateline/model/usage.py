"""What a call consumed, and what that costs. Unknown is None or `NONE`, never zero."""

from __future__ import annotations

from typing import Literal

import msgspec

UsageSource = Literal["provider", "estimated", "none"]


class Usage(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Tokens as the upstream counts them. `input` and `output` are totals; every other count is a part of one of them.

    Of `input`: `cached` was read from the vendor's prompt cache (`cached_audio` of it is sound), `cache_write` was
    written to it (`cache_write_1h` of that to live an hour), `input_audio` and `input_image` came as sound and
    pictures. Of `output`: `reasoning` the client may never see, `output_audio` and `output_image` are sound and
    pictures.

    `tier` is the vendor's word for how it was billed, empty for its list price.
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
    cached_audio: int = 0
    tier: str = ""


class PartRates(msgspec.Struct, frozen=True, array_like=True):
    """Rates of the parts of usage that a vendor prices apart, in the unit of `Price`. A part that has no price of its
    own has here that of what it is part of."""

    cache_write: int
    cache_write_1h: int
    input_audio: int
    output_audio: int
    input_image: int
    output_image: int
    cached_audio: int


class PriceTier(msgspec.Struct, frozen=True, array_like=True):
    """The rates of a call with more than `above` input tokens; they hold for all of its tokens (vendors' "cliff")."""

    above: int
    input: int
    output: int
    cached: int
    parts: PartRates | None = None


class Price(msgspec.Struct, frozen=True, array_like=True):
    """Nano-dollars (1e-9 USD) a token, as exact rationals `numerator / PRICE_SCALE`.

    Vendors publish dollars per million tokens with up to four decimals: 1 USD/M = 1,000 nano-dollars a token.
    `PRICE_SCALE` keeps seven more digits, so that every published price is an integer here.
    `request` is a flat fee in nano-dollars a call. `tiers` rise by `above`; most prices have none.
    Without `parts` every input token that was not cached costs `input`, every output token `output`.
    """

    input: int
    output: int
    cached: int
    request: int = 0
    tiers: tuple[PriceTier, ...] = ()
    parts: PartRates | None = None


PRICE_SCALE = 10_000_000


def cost(usage: Usage, price: Price) -> int:
    """The call's cost in integer nano-dollars, rounded half up once, at the end.

    No token is paid twice and none is paid less than nothing, whatever an upstream says: parts are cut to what they
    are part of. A token that is part of several is paid as the first of cached, written, sound, picture.
    """
    rates: Price | PriceTier = price
    for tier in price.tiers:
        if usage.input > tier.above:
            rates = tier
    parts = rates.parts
    if parts is None:
        cached = usage.cached if usage.cached < usage.input else usage.input  # noqa: FURB136 - min() costs as much again
        scaled = (usage.input - cached) * rates.input + cached * rates.cached + usage.output * rates.output
    else:
        scaled = _input_cost(usage, rates, parts) + _output_cost(usage, rates, parts)
    return (scaled + PRICE_SCALE // 2) // PRICE_SCALE + price.request


def _input_cost(usage: Usage, rates: Price | PriceTier, parts: PartRates) -> int:
    left = usage.input
    cached = min(usage.cached, left)
    left -= cached
    scaled = cached * rates.cached
    if usage.cached_audio:
        scaled += min(usage.cached_audio, cached) * (parts.cached_audio - rates.cached)
    if usage.cache_write:
        written = min(usage.cache_write, left)
        left -= written
        for_an_hour = min(usage.cache_write_1h, written)
        scaled += for_an_hour * parts.cache_write_1h + (written - for_an_hour) * parts.cache_write
    if usage.input_audio:
        audio = min(max(usage.input_audio - usage.cached_audio, 0), left)
        left -= audio
        scaled += audio * parts.input_audio
    if usage.input_image:
        image = min(usage.input_image, left)
        left -= image
        scaled += image * parts.input_image
    return scaled + left * rates.input


def _output_cost(usage: Usage, rates: Price | PriceTier, parts: PartRates) -> int:
    left = usage.output
    scaled = 0
    if usage.output_audio:
        audio = min(usage.output_audio, left)
        left -= audio
        scaled += audio * parts.output_audio
    if usage.output_image:
        image = min(usage.output_image, left)
        left -= image
        scaled += image * parts.output_image
    return scaled + left * rates.output
