"""The catalogue: enough current models of enough vendors, every fact within its bounds, unknown where nobody knows."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from gateline.control.catalogue.entries import card_of, entries, find, models_of
from gateline.control.catalogue.rows import rows
from gateline.control.prices import in_force
from gateline.providers.table import TABLE

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)  # when the rows were written
MODALITIES = {"text", "image", "audio", "video", "file"}  # what `gateline models --modality` takes
LEAST = {  # models a vendor at least has; the catalogue may grow
    "openai": 40,
    "anthropic": 12,
    "gemini": 25,
    "vertex": 10,
    "vertex-anthropic": 8,
    "bedrock": 40,
    "mistral": 25,
    "cohere": 12,
    "groq": 6,
    "deepseek": 3,
    "xai": 10,
    "together": 12,
    "fireworks": 15,
    "perplexity": 6,
    "cerebras": 3,
    "sambanova": 5,
    "novita": 40,
    "moonshot": 4,
    "zai": 10,
    "zhipu": 5,
    "dashscope": 20,
    "minimax": 5,
}


def test_well_over_a_hundred_models_of_many_vendors() -> None:
    """And most of them with a price in force."""
    counts = Counter(entry.vendor for entry in entries())
    assert {vendor: counts[vendor] for vendor, least in LEAST.items() if counts[vendor] < least} == {}
    assert counts.total() > 400
    priced = Counter(entry.vendor for entry in entries() if (dated := in_force(entry.prices, NOW)) and dated.price)
    assert priced.total() > 350
    assert len(priced) >= 20


def test_every_vendor_is_a_provider_kind() -> None:
    """What `gateline models` shows can be configured under the same word."""
    assert {vendor for vendor, _ in rows()} - TABLE.keys() == set()


def test_every_row_is_sane() -> None:
    """Names fit our own, modalities are known words, chat models take and give something, limits are in bounds."""
    for (vendor, model), row in rows().items():
        where = f"{vendor}/{model}"
        assert 0 < len(where) <= 200, where
        assert where.isascii(), where
        assert " " not in where, where
        assert {*row.input, *row.output} <= MODALITIES, where
        assert "text" in row.input or row.kind != "chat", where
        assert row.output or row.kind in {"embeddings", "rerank", "moderation"}, where
        assert row.context_window is None or 256 <= row.context_window <= 20_000_000, where
        assert row.max_output is None or 256 <= row.max_output <= (row.context_window or 2_000_000), where
        for dated in row.prices:
            assert dated.price is not None
            assert all(0 <= rate < 1_000 for rate in dated.rates.values()), where


def test_a_lists_price_goes_before_ours() -> None:
    """Where the vendors' list knows the model, our row's price is not used: none may stand there to mislead."""
    for entry in entries():
        ours = rows()[entry.vendor, entry.id].prices
        assert ours in ((), entry.prices), f"{entry.vendor}/{entry.id}: drop the price from models.csv"


def test_known_facts() -> None:
    """Spot checks against the vendors' pages."""
    sonnet = find("anthropic", "claude-sonnet-4-6")
    assert sonnet is not None
    assert (sonnet.context_window, sonnet.tools, sonnet.kind) == (1_000_000, True, "chat")
    assert {"text", "image", "file"} == set(sonnet.input)
    embedding = find("openai", "text-embedding-3-small")
    assert embedding is not None
    assert (embedding.kind, embedding.tools, embedding.max_output) == ("embeddings", None, None)
    assert find("openai", "no-such-model") is None
    assert models_of("no-such-vendor") == ()


@pytest.mark.parametrize(
    ("name", "known"),
    [("gpt-4o", True), ("gpt-4o-2024-08-06", True), ("claude-haiku-4-5-20251001", False), ("gpt-4o-2024", False)],
)
def test_a_dated_name_is_the_model_it_dates(name: str, known: bool) -> None:
    card = card_of("openai", name)
    assert (card is not None) == known
    assert card == (card_of("openai", "gpt-4o") if known else None)
    assert card_of("anthropic", "claude-haiku-4-5-20251001") == card_of("anthropic", "claude-haiku-4-5") != None  # noqa: E711
