"""Prices are exact integers from the vendor's list or the configuration; what nobody publishes stays unknown."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from genai_prices import Usage as VendorUsage
from genai_prices import calc_price
from hypothesis import given
from hypothesis import strategies as st

from gateline.control.catalogue.lists import find_listed, listed_prices
from gateline.control.catalogue.pricing import Pricing
from gateline.control.config import PriceSection, ProviderSection
from gateline.control.prices import DatedPrice, configured_price, in_force, next_change, scaled
from gateline.model.usage import PRICE_SCALE, Price, Usage, cost

NOON = datetime(2026, 12, 15, 12, tzinfo=UTC)


def provider(**fields: Any) -> ProviderSection:
    return ProviderSection.model_validate({"kind": "openai-compatible", **fields})


def published_price(name: str, section: ProviderSection, model: str, at: datetime = NOON) -> Price | None:
    return Pricing(at).price(name, section, model)


@given(st.decimals(min_value=0, max_value=10_000, places=10))
def test_a_price_of_ten_decimals_is_held_exactly(dollars: Decimal) -> None:
    """`scaled` is nano-dollars a token times PRICE_SCALE: dividing it back gives the published price."""
    assert Decimal(scaled(dollars)) / PRICE_SCALE / 1_000 == dollars


def test_a_configured_price_costs_what_it_says() -> None:
    """2.50 and 10 dollars a million: 1,000 and 100 tokens cost 3.5 thousandths of a dollar."""
    price = configured_price(PriceSection(input=Decimal("2.50"), output=Decimal(10)))
    assert cost(Usage(1_000, 100), price) == 3_500_000
    assert price.cached == price.input


def test_every_part_can_be_given_a_price() -> None:
    """The section's fields are the counts of `Usage` that are priced apart, and each reaches its own rate."""
    names = ("cache_write", "cache_write_1h", "input_audio", "output_audio", "input_image", "output_image")
    given = {name: Decimal(number) for number, name in enumerate(("cached", *names, "cached_audio"), 1)}
    price = configured_price(PriceSection(input=Decimal(100), output=Decimal(200), **given))
    for name, rate in given.items():
        whole = "output" if name.startswith("output") else "input"
        wider = {"cache_write_1h": "cache_write", "cached_audio": "cached"}.get(name)
        usage: dict[str, Any] = {whole: 1_000_000, name: 1_000_000, **({wider: 1_000_000} if wider else {})}
        assert cost(Usage(**usage), price) == rate * 10**9, name


def test_a_vendor_is_found_by_its_address() -> None:
    price = published_price("mine", provider(base_url="https://api.openai.com/v1"), "gpt-4o-2024-08-06")
    assert price == Price(scaled(Decimal("2.5")), scaled(Decimal(10)), scaled(Decimal("1.25")))


def test_a_vendor_is_found_by_kind_and_by_name() -> None:
    by_kind = published_price("mine", provider(kind="openai"), "gpt-4o")
    by_name = published_price("openai", provider(base_url="http://127.0.0.1:9/v1"), "gpt-4o")
    assert by_kind == by_name != None  # noqa: E711


def test_a_price_nobody_publishes_is_unknown() -> None:
    """An unknown vendor, an unknown model, and models of whose bill we count only a part: None, never zero."""
    assert published_price("up", provider(base_url="http://127.0.0.1:9000/v1"), "gpt-4o") is None
    assert published_price("openai", provider(kind="openai"), "no-such-model") is None
    assert published_price("openai", provider(kind="openai"), "whisper-1") is None
    mistral = provider(base_url="https://api.mistral.ai/v1")
    assert published_price("up", mistral, "voxtral-small-latest") is None  # also by the hour of sound
    assert published_price("up", mistral, "mistral-large-4") is not None


CALLS = [(1, 1, 0), (1_000, 10, 999), (272_000, 7, 0), (272_001, 7, 3), (999_999, 99, 500_000)]


@pytest.mark.parametrize(
    ("vendor", "model", "calls"),
    [
        ("openai", "gpt-4o", [Usage(tokens, output, cached) for tokens, output, cached in CALLS]),
        ("openai", "gpt-4o-mini", [Usage(tokens, output, cached) for tokens, output, cached in CALLS]),
        ("openai", "gpt-5.4", [Usage(tokens, output, cached) for tokens, output, cached in CALLS]),
        ("openai", "text-embedding-3-small", [Usage(1_234)]),
        ("openai", "gpt-5.6-sol", [Usage(300_000, 9, 1_000, cache_write=2_000), Usage(3_000, 9, cache_write=2_000)]),
        ("openai", "gpt-audio", [Usage(1_000, 500, input_audio=600, output_audio=70)]),
        ("anthropic", "claude-sonnet-4-5", [Usage(10_000, 5, 3_000, cache_write=2_000, cache_write_1h=500)]),
        (
            "anthropic",
            "claude-opus-5",
            [Usage(10_000, 5, cache_write=2_000), Usage(9, 5, cache_write=9, cache_write_1h=9)],
        ),
        ("google", "gemini-2.5-flash", [Usage(5_000, 7, 900, input_audio=800, cached_audio=200)]),
        ("google", "gemini-2.5-flash-image", [Usage(50, 1_300, output_image=1_290)]),
        ("google", "gemini-3.1-pro-preview", [Usage(200_000, 9, 5), Usage(200_001, 9, 5)]),
    ],
)
def test_our_cost_is_the_vendor_lists_cost(vendor: str, model: str, calls: list[Usage]) -> None:
    """To the nano-dollar, tiers and parts included: a call above a tier's threshold pays its rate for all tokens."""
    listed = find_listed(model, [vendor])
    assert listed is not None
    dated = in_force(listed_prices(listed), NOON)
    assert dated is not None
    assert dated.price is not None
    for usage in calls:
        bill = calc_price(_asked(usage), model, provider_id=vendor, genai_request_timestamp=NOON).total_price
        assert cost(usage, dated.price) == int((bill * 10**9).to_integral_value("ROUND_HALF_UP"))


def _asked(usage: Usage) -> VendorUsage:
    names = {
        "input_tokens": usage.input,
        "output_tokens": usage.output,
        "cache_read_tokens": usage.cached,
        "cache_write_tokens": usage.cache_write,
        "cache_write_1h_tokens": usage.cache_write_1h,
        "input_audio_tokens": usage.input_audio,
        "output_audio_tokens": usage.output_audio,
        "input_image_tokens": usage.input_image,
        "output_image_tokens": usage.output_image,
        "cache_audio_read_tokens": usage.cached_audio,
    }
    return VendorUsage(**{name: count for name, count in names.items() if count})


DAY, NIGHT, LATER = (Price(rate, rate, rate) for rate in (3, 2, 1))
PRICES = (
    DatedPrice(DAY),
    DatedPrice(LATER, since=date(2027, 1, 1)),
    DatedPrice(NIGHT, begins=time(22), ends=time(4)),
)


def test_a_price_holds_from_its_date_and_in_its_hours() -> None:
    """The last one that is active: from the first moment of its day on in UTC, and hours may pass midnight."""

    def at(moment: datetime) -> Price | None:
        dated = in_force(PRICES, moment)
        return None if dated is None else dated.price

    assert at(NOON) == at(NOON.replace(hour=4)) == at(NOON.replace(hour=21, minute=59)) == DAY
    assert at(NOON.replace(hour=22)) == at(NOON.replace(hour=0)) == at(NOON.replace(hour=3, minute=59)) == NIGHT
    assert at(datetime(2027, 1, 1, 4, tzinfo=UTC)) == LATER
    assert in_force((), NOON) is None
    assert in_force(PRICES[1:2], NOON) == PRICES[1]  # better an announced price than none


def test_the_next_change_is_the_first_moment_at_which_the_answer_differs() -> None:
    """Stepping from change to change meets every price, and no two prices lie between two changes."""
    moment, met = NOON, [in_force(PRICES, NOON)]
    for _ in range(60):
        following = datetime.fromtimestamp(next_change(PRICES, moment), UTC)
        assert following > moment
        assert in_force(PRICES, following - timedelta(seconds=1)) == met[-1]
        met.append(in_force(PRICES, following))
        moment = following
    assert {dated.price for dated in met if dated is not None} == {DAY, NIGHT, LATER}
    assert moment > datetime(2027, 1, 1, tzinfo=UTC)
    assert next_change(PRICES[:1], NOON) == next_change((), NOON) == 0


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001 bounds of `timezones`
def test_the_price_in_force_is_the_vendor_lists(at: datetime) -> None:
    """Prices with dates (Gemini 3.8 Flash) and with hours (DeepSeek) are at every moment what the list says itself."""
    for vendor, model in (("google", "gemini-3.8-flash"), ("deepseek", "deepseek-v4-flash"), ("x-ai", "grok-4.20")):
        listed = find_listed(model, [vendor])
        assert listed is not None
        dated = in_force(listed_prices(listed), at)
        assert dated is not None
        assert dated.price is not None
        bill = calc_price(VendorUsage(input_tokens=10**6), model, provider_id=vendor, genai_request_timestamp=at)
        assert cost(Usage(10**6), dated.price) == bill.total_price * 10**9


def test_pricing_knows_when_the_first_of_its_prices_changes() -> None:
    """Of several models with announced prices the soonest change counts; without any there is none."""
    pricing = Pricing(NOON)
    assert pricing.price("openai", provider(kind="openai"), "gpt-4o") is not None
    assert pricing.until == 0
    pricing.price("up", provider(base_url="https://generativelanguage.googleapis.com/v1beta"), "gemini-3.8-flash")
    assert pricing.until == datetime(2027, 1, 1, tzinfo=UTC).timestamp()
    pricing.price("up", provider(base_url="https://api.deepseek.com"), "deepseek-v4-flash")
    assert NOON.timestamp() < pricing.until <= NOON.timestamp() + 86_400
