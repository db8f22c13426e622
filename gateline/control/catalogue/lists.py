"""The vendors' price lists (package genai-prices) in our words. Its import takes a moment: only a compile pays it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from gateline.control.prices import DatedPrice, Rates, price_of
from gateline.model.usage import Price

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo

# The lists of a vendor's prices by our name for the vendor, where the names differ.
LISTS: Final[dict[str, tuple[str, ...]]] = {
    "bedrock": ("aws",),
    "gemini": ("google",),
    "moonshot": ("moonshotai",),
    "openai-responses": ("openai",),
    "vertex": ("google",),
    "vertex-anthropic": ("google",),
    "voyage": ("voyageai",),
    "xai": ("x-ai",),
    "zhipu": ("zhipuai",),
}

_COUNTED: Final = {  # the vendors' names of what `model.usage` counts
    "input_mtok": "input",
    "output_mtok": "output",
    "cache_read_mtok": "cached",
    "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
    "input_audio_mtok": "input_audio",
    "output_audio_mtok": "output_audio",
    "input_image_mtok": "input_image",
    "output_image_mtok": "output_image",
    "cache_audio_read_mtok": "cached_audio",
}
# Billed apart from tokens, and only to those who use the vendor's own search; or told by nobody which part was cached.
_APART: Final = {"web_searches_kcount", "storage_searches_kcount", "cache_image_read_mtok"}


def find_listed(model: str, lists: Iterable[str], base_url: str | None = None) -> ModelInfo | None:
    """A list's entry for `model`: of the vendor that lives at `base_url`, else of the first of `lists` that has it."""
    from genai_prices import Usage, calc_price

    ways = [partial(calc_price, Usage(), model, provider_id=each) for each in lists]
    if base_url:
        ways.insert(0, partial(calc_price, Usage(), model, provider_api_url=base_url))
    for way in ways:
        try:
            return way().model
        except LookupError:
            continue
    return None


def listed_prices(model: ModelInfo) -> tuple[DatedPrice, ...]:
    """Every price the vendor's list has for `model`, in its order: later ones go first when both are active."""
    if not isinstance(model.prices, list):
        return (_dated(None, model.prices),)
    return tuple(_dated(conditional.constraint, conditional.prices) for conditional in model.prices)


def _dated(constraint: Any, listed: Any) -> DatedPrice:
    begins, ends = (_utc(getattr(constraint, name, None)) for name in ("start_time", "end_time"))
    rates = {key: _rate(rate, 0) for key, rate in _rates(listed).items()}
    return DatedPrice(_price(listed), getattr(constraint, "start_date", None), begins, ends, rates)


def _utc(moment: time | None) -> time | None:
    if moment is None or moment.tzinfo is None:
        return moment
    return datetime.combine(date(2000, 1, 1), moment).astimezone(UTC).time()


def _rates(listed: Any) -> dict[str, Any]:
    """What a list's price says, by the vendors' names: dollars, or dollars in tiers."""
    return {key: rate for key, rate in vars(listed).items() if rate is not None and not key.startswith("_")}


def _price(listed: Any) -> Price | None:
    rates = _rates(listed)
    request = rates.pop("requests_kcount", Decimal(0))
    if "input_mtok" not in rates or _has_uncounted(rates):
        return None
    ours = {name: rates[key] for key, name in _COUNTED.items() if key in rates}
    starts = {tier.start for rate in ours.values() for tier in getattr(rate, "tiers", ())}
    tiers = [(start, _at(ours, start + 1)) for start in sorted(starts)]
    return price_of(_at(ours, 0), tiers, _rate(request, 0))


def _has_uncounted(rates: Mapping[str, Any]) -> bool:
    """Whether something may be on the bill that we do not count. Moving pictures at the price of text are no more than
    tokens."""
    for key in rates.keys() - _COUNTED.keys() - _APART:
        whole = {"input_video_mtok": "input_mtok", "output_video_mtok": "output_mtok"}.get(key)
        if whole is None or rates[key] != rates.get(whole):
            return True
    return False


def _at(rates: Mapping[str, Any], input_tokens: int) -> Rates:
    return {name: _rate(rate, input_tokens) for name, rate in rates.items()}


def _rate(rate: Any, input_tokens: int) -> Decimal:
    """The rate in force for a call of `input_tokens`."""
    if isinstance(rate, Decimal):
        return rate
    dollars: Decimal = rate.base
    for tier in rate.tiers:
        if input_tokens > tier.start:
            dollars = tier.price
    return dollars
