"""Usage and its cost: every part at its own rate, exactly; and old records can be read."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from gateline.model.record import Attempt, Record
from gateline.model.usage import PRICE_SCALE, PartRates, Price, PriceTier, Usage, cost

COUNTS = st.integers(0, 1_000_000_000)
RATES = st.integers(0, 10**13)
PARTS = st.builds(PartRates, *[RATES] * 7)
TIERS = st.lists(st.integers(1, 1_000_000), unique=True, max_size=3).flatmap(
    lambda starts: st.tuples(
        *(st.builds(PriceTier, st.just(start), RATES, RATES, RATES, st.none() | PARTS) for start in sorted(starts))
    )
)
PRICES = st.builds(Price, RATES, RATES, RATES, st.integers(0, 10**9), TIERS, st.none() | PARTS)
USAGES = st.builds(Usage, *[COUNTS | st.integers(0, 3)] * 11)

PRICE = Price(
    100 * PRICE_SCALE, 1_000 * PRICE_SCALE, 10 * PRICE_SCALE,
    parts=PartRates(*(rate * PRICE_SCALE for rate in (125, 200, 300, 4_000, 500, 6_000, 30))),
)  # fmt: skip


def invoice(usage: Usage, price: Price) -> int:
    """A second calculator: tokens are dealt out to lines, each line is tokens times a decimal rate."""
    rates: Price | PriceTier = price
    for tier in sorted(price.tiers, key=lambda each: each.above):
        rates = tier if usage.input > tier.above else rates
    parts = rates.parts
    cached_audio_rate = parts.cached_audio if parts else rates.cached
    write, hour, audio, image = (
        (parts.cache_write, parts.cache_write_1h, parts.input_audio, parts.input_image) if parts else [rates.input] * 4
    )
    spoken, painted = (parts.output_audio, parts.output_image) if parts else [rates.output] * 2
    lines: list[tuple[int, int]] = []

    def deal(left: int, wanted: int, rate: int) -> int:
        given = max(0, min(left, wanted))
        lines.append((given, rate))
        return left - given

    left = usage.input
    cached = min(usage.cached, left)
    rest = deal(cached, usage.cached_audio, cached_audio_rate)
    lines.append((rest, rates.cached))
    left -= cached
    written = min(usage.cache_write, left)
    lines.append((deal(written, usage.cache_write_1h, hour), write))
    left -= written
    left = deal(left, usage.input_audio - usage.cached_audio, audio)
    left = deal(left, usage.input_image, image)
    lines.append((left, rates.input))
    left = deal(usage.output, usage.output_audio, spoken)
    lines.append((deal(left, usage.output_image, painted), rates.output))
    assert sum(tokens for tokens, _ in lines) == usage.input + usage.output
    total = sum((Decimal(tokens) * Decimal(rate) / PRICE_SCALE for tokens, rate in lines), Decimal(0))
    return int(total.to_integral_value(ROUND_HALF_UP)) + price.request


@given(USAGES, PRICES)
def test_cost_is_what_a_second_calculator_says(usage: Usage, price: Price) -> None:
    """Whatever an upstream counts, sums that do not add up included: every token is paid once, and never negatively."""
    assert cost(usage, price) == invoice(usage, price) >= 0


@given(USAGES, PRICES)
def test_a_part_without_a_price_of_its_own_costs_what_the_whole_does(usage: Usage, price: Price) -> None:
    """A price without rates for parts, and one that repeats the rates of the wholes, are the same price."""
    plain = msgspec.structs.replace(price, tiers=(), parts=None)
    named = PartRates(plain.input, plain.input, plain.input, plain.output, plain.input, plain.output, plain.cached)
    assert cost(usage, plain) == cost(usage, msgspec.structs.replace(plain, parts=named))


def test_each_part_is_paid_at_its_own_rate() -> None:
    """A thousand tokens in, a hundred out: one part after the other."""
    whole = 1_000 * 100 + 100 * 1_000
    assert cost(Usage(1_000, 100), PRICE) == whole
    assert cost(Usage(1_000, 100, cached=10), PRICE) == whole - 10 * 90
    assert cost(Usage(1_000, 100, cached=10, cached_audio=4), PRICE) == whole - 10 * 90 + 4 * 20
    assert cost(Usage(1_000, 100, cache_write=10), PRICE) == whole + 10 * 25
    assert cost(Usage(1_000, 100, cache_write=10, cache_write_1h=4), PRICE) == whole + 6 * 25 + 4 * 100
    assert cost(Usage(1_000, 100, input_audio=10, input_image=10), PRICE) == whole + 10 * 200 + 10 * 400
    assert cost(Usage(1_000, 100, output_audio=10, output_image=10), PRICE) == whole + 10 * 3_000 + 10 * 5_000
    assert cost(Usage(1_000, 100, reasoning=90), PRICE) == whole


def test_records_of_before_are_read() -> None:
    """An older program's record has four counts: the others are zero. A newer one's tail is ignored."""
    record = Record(
        1, "id", "t", "k", "chat", "m", "up/m", 200, "", False, False, 1, 2, 3, 4,
        [Attempt("up/m", 200, "", 1, 2, Usage(10, 20, 3, 4), "provider", 5)], Usage(10, 20, 3, 4), "provider", 5, 6, 7,
    )  # fmt: skip
    array = msgspec.msgpack.decode(msgspec.msgpack.encode(record))
    assert len(array[16]) == 12
    array[16] = array[15][0][5] = [10, 20, 3, 4]
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(array), type=Record) == record
    array[16] = [10, 20, 3, 4, *[0] * 7, "", 99]
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(array), type=Record) == record
