"""Prices in exact integers, as the configuration or a vendor gives them, and when they hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

import msgspec

from gateline.control.config import PriceSection
from gateline.model.usage import PRICE_SCALE, PartRates, Price, PriceTier

_SCALED_PER_DOLLAR: Final = 1_000 * PRICE_SCALE  # 1 USD per million tokens is 1,000 nano-dollars a token
_NANO_PER_THOUSAND_CALLS: Final = 1_000_000  # 1 USD per thousand calls is a million nano-dollars a call


Rates = Mapping[str, Decimal]


class DatedPrice(msgspec.Struct, frozen=True):
    """One of a model's prices. It holds from `since` on (None: from the beginning), and every day from `begins` to
    `ends` (UTC; both None: all day).

    `price` is None when some part of the bill follows from nothing we count: then it is unknown to us, not smaller.
    `rates` is what the list says, by its own names: dollars, those of the lowest tier where there are tiers.
    """

    price: Price | None
    since: date | None = None
    begins: time | None = None
    ends: time | None = None
    rates: dict[str, Decimal] = {}

    def is_active(self, at: datetime) -> bool:
        now = at.astimezone(UTC)
        if self.begins is not None and self.ends is not None:
            clock = now.time()
            if self.begins <= self.ends:
                return self.begins <= clock < self.ends
            return clock >= self.begins or clock < self.ends
        return self.since is None or now.date() >= self.since

    def changes(self, at: datetime) -> Iterator[datetime]:
        """When it may begin or end next."""
        if self.since is not None:
            yield datetime.combine(self.since, time(), UTC)
        for moment in (self.begins, self.ends):
            if moment is not None:
                for days in (0, 1):
                    yield datetime.combine(at.astimezone(UTC).date() + timedelta(days), moment, UTC)


def in_force(prices: Sequence[DatedPrice], at: datetime) -> DatedPrice | None:
    """The last one that is active at a moment; the first where none is yet; None where there is none at all."""
    return next((price for price in reversed(prices) if price.is_active(at)), prices[0] if prices else None)


def next_change(prices: Sequence[DatedPrice], at: datetime) -> int:
    """When another price may come into force after `at`, in Unix seconds; 0 when no change is announced."""
    moments = [moment for price in prices for moment in price.changes(at) if moment > at]
    return int(min(moments).timestamp()) if moments and len(prices) > 1 else 0


def scaled(dollars_per_million: Decimal) -> int:
    """A published price as `model.usage.Price` holds it; exact up to ten decimals, then rounded half even."""
    return int((dollars_per_million * _SCALED_PER_DOLLAR).to_integral_value(ROUND_HALF_EVEN))


def configured_price(price: PriceSection) -> Price:
    return price_of({name: rate for name, rate in price.model_dump().items() if rate is not None})


def price_of(
    rates: Rates, tiers: Sequence[tuple[int, Rates]] = (), dollars_per_thousand_calls: Decimal = Decimal(0)
) -> Price:
    """`rates` are dollars per million tokens by the names of `Usage`; `input` must be there. `tiers` are those of calls
    with more than so many input tokens."""
    return Price(
        *_totals(rates),
        request=int((dollars_per_thousand_calls * _NANO_PER_THOUSAND_CALLS).to_integral_value(ROUND_HALF_EVEN)),
        tiers=tuple(PriceTier(above, *_totals(tier), parts=_parts(tier)) for above, tier in tiers),
        parts=_parts(rates),
    )


def _totals(rates: Rates) -> tuple[int, int, int]:
    """Input, output, cached. What has no price for output gives none (embeddings); cached input defaults to input."""
    input_rate, output = rates["input"], rates.get("output", Decimal(0))
    return scaled(input_rate), scaled(output), scaled(rates.get("cached", input_rate))


def _parts(rates: Rates) -> PartRates | None:
    if rates.keys() <= {"input", "output", "cached"}:
        return None
    input_rate, output = rates["input"], rates.get("output", Decimal(0))
    write = rates.get("cache_write", input_rate)
    audio = rates.get("input_audio", input_rate)
    return PartRates(
        cache_write=scaled(write),
        cache_write_1h=scaled(rates.get("cache_write_1h", write)),
        input_audio=scaled(audio),
        output_audio=scaled(rates.get("output_audio", output)),
        input_image=scaled(rates.get("input_image", input_rate)),
        output_image=scaled(rates.get("output_image", output)),
        cached_audio=scaled(rates.get("cached_audio", rates.get("cached", audio))),
    )
