"""The price of a target as its vendor publishes it: from the vendors' lists, else from our rows."""

from __future__ import annotations

from datetime import datetime

from gateline.control.catalogue.lists import LISTS, find_listed, listed_prices
from gateline.control.catalogue.rows import rows
from gateline.control.config import ProviderSection
from gateline.control.prices import DatedPrice, in_force, next_change
from gateline.model.usage import Price


class Pricing:
    """Prices at one moment. `until` is the first moment at which any of those asked for may change, in Unix seconds;
    0 when no change is announced."""

    def __init__(self, at: datetime) -> None:
        self._at = at
        self.until = 0

    def price(self, name: str, provider: ProviderSection, model: str) -> Price | None:
        """None when nobody publishes one, or when it follows from what we do not count."""
        prices = published_prices(name, provider, model)
        change = next_change(prices, self._at)
        if change and (not self.until or change < self.until):
            self.until = change
        dated = in_force(prices, self._at)
        return None if dated is None else dated.price


def published_prices(name: str, provider: ProviderSection, model: str) -> tuple[DatedPrice, ...]:
    """The vendor's own prices for `model`; none when nobody publishes one. The vendor is found by its address first,
    then by the provider's kind, then by the name the operator gave it."""
    kinds = () if provider.kind == "openai-compatible" else LISTS.get(provider.kind, (provider.kind,))
    found = find_listed(model, (*kinds, name), provider.base_url)
    if found is not None:
        return listed_prices(found)
    row = rows().get((provider.kind, model))
    return row.prices if row is not None else ()
