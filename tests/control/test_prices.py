"""Prices are exact integers from the vendor's list or the configuration; what nobody publishes stays unknown."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from genai_prices import Usage as VendorUsage
from genai_prices import calc_price
from hypothesis import given
from hypothesis import strategies as st

from gateline.control.config import PriceSection, ProviderSection
from gateline.control.prices import configured_price, published_price, scaled
from gateline.model.usage import PRICE_SCALE, Price, Usage, cost


def provider(**fields: Any) -> ProviderSection:
    return ProviderSection.model_validate({"kind": "openai-compatible", **fields})


@given(st.decimals(min_value=0, max_value=10_000, places=10))
def test_a_price_of_ten_decimals_is_held_exactly(dollars: Decimal) -> None:
    """`scaled` is nano-dollars a token times PRICE_SCALE: dividing it back gives the published price."""
    assert Decimal(scaled(dollars)) / PRICE_SCALE / 1_000 == dollars


def test_a_configured_price_costs_what_it_says() -> None:
    """2.50 and 10 dollars a million: 1,000 and 100 tokens cost 3.5 thousandths of a dollar."""
    price = configured_price(PriceSection(input=Decimal("2.50"), output=Decimal(10)))
    assert cost(Usage(1_000, 100), price) == 3_500_000
    assert price.cached == price.input


def test_a_vendor_is_found_by_its_address() -> None:
    price = published_price("mine", provider(base_url="https://api.openai.com/v1"), "gpt-4o-2024-08-06")
    assert price == Price(scaled(Decimal("2.5")), scaled(Decimal(10)), scaled(Decimal("1.25")))


def test_a_vendor_is_found_by_kind_and_by_name() -> None:
    by_kind = published_price("mine", provider(kind="openai"), "gpt-4o")
    by_name = published_price("openai", provider(base_url="http://127.0.0.1:9/v1"), "gpt-4o")
    assert by_kind == by_name != None  # noqa: E711


def test_a_price_nobody_publishes_is_unknown() -> None:
    """An unknown vendor, an unknown model, and a model that is billed by the minute: None, never zero."""
    assert published_price("up", provider(base_url="http://127.0.0.1:9000/v1"), "gpt-4o") is None
    assert published_price("openai", provider(kind="openai"), "no-such-model") is None
    assert published_price("openai", provider(kind="openai"), "whisper-1") is None


CALLS = [(1, 1, 0), (1_000, 10, 999), (272_000, 7, 0), (272_001, 7, 3), (999_999, 99, 500_000)]


@pytest.mark.parametrize(
    ("model", "calls"),
    [
        ("gpt-4o", CALLS),
        ("gpt-4o-mini", CALLS),
        ("gpt-5.4", CALLS),
        ("o3", CALLS),
        ("text-embedding-3-small", [(1_234, 0, 0)]),
    ],
)
def test_our_cost_is_the_vendor_lists_cost(model: str, calls: list[tuple[int, int, int]]) -> None:
    """To the nano-dollar, tiers included: a call above a tier's threshold pays its rate for all tokens."""
    price = published_price("openai", provider(kind="openai"), model)
    assert price is not None
    for tokens, output, cached in calls:
        asked = VendorUsage(input_tokens=tokens, output_tokens=output, cache_read_tokens=cached or None)
        listed = calc_price(asked, model, provider_id="openai").total_price
        ours = cost(Usage(input=tokens, output=output, cached=cached), price)
        assert ours == int((listed * 10**9).to_integral_value("ROUND_HALF_UP"))
