"""Every model of the catalogue, called once through its vendor's own format: text, usage and price."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import openai
import pytest

from gateline.control.catalogue.entries import Entry, entries
from gateline.control.prices import DatedPrice, in_force
from gateline.fake import perform as fake_perform
from gateline.fake import turn
from gateline.fake.answer import Answer
from gateline.providers.table import TABLE
from tests.journey.gate import Gate, settings, tokens_of
from tests.journey.upstream import Upstream

CHATS = [entry for entry in entries() if entry.kind == "chat"]
# What prices consist of; of these a call of text alone has input, output and itself.
_RATES = {
    "input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok", "cache_write_1h_mtok", "input_audio_mtok",
    "output_audio_mtok", "input_image_mtok", "output_image_mtok", "cache_audio_read_mtok", "requests_kcount",
    "web_searches_kcount", "storage_searches_kcount", "cache_image_read_mtok",
}  # fmt: skip
# The fake's paths of those formats whose vendors have them below a root of their own.
_ROOTS = {"chat.completions": "/v1", "messages": "/v1", "generate_content": "/v1beta"}

_VERTEX = "/v1/projects/p/locations/l"


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


@pytest.fixture(scope="module")
def gate(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    origin = upstream.url.removesuffix("/v1")
    providers: dict[str, Any] = {}
    models: dict[str, Any] = {}
    for entry in CHATS:
        row = TABLE[entry.vendor]
        options = {
            "region": "eu-west-1",
            "account": "a1",
            "workspace": "w.example.com",
            "project": "p",
            "location": "l",
        }
        providers[entry.vendor] = {
            "kind": entry.vendor,
            "base_url": origin + (_VERTEX if row.issuer == "google" else _ROOTS.get(row.speaks[0], "")),
            "api_key": f"sk-of-{entry.vendor}",
            **{name: options[name] for name in row.options},
        }
        models[f"{entry.vendor}/{entry.id}"] = {"targets": [{"provider": entry.vendor, "model": entry.id}]}
    with Gate(tmp_path_factory.mktemp("catalogue"), settings(upstream.url, providers=providers, models=models)) as made:
        made.settle()
        yield made


def test_the_catalogue_is_large() -> None:
    """At least a hundred models of at least ten vendors are asked here."""
    assert len(CHATS) >= 100
    assert len({entry.vendor for entry in CHATS}) >= 10


def test_every_model_answers_and_costs_what_its_vendor_says(
    gate: Gate, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each by its vendor's format; the text is the fake's, the tokens are on its invoice, and the cost is what a second
    calculation makes of them and the published rates."""
    answers: list[Answer] = []
    perform = fake_perform.perform

    def remember(*given: Any, **named: Any) -> Answer:
        answers.append(perform(*given, **named))
        return answers[-1]

    monkeypatch.setattr(turn, "perform", remember)
    expected: dict[str, tuple[Entry, Any]] = {}
    with openai.OpenAI(api_key=gate.token, base_url=gate.url, max_retries=0) as client:
        for entry in CHATS:
            raw = client.chat.completions.with_raw_response.create(
                model=f"{entry.vendor}/{entry.id}", messages=[{"role": "user", "content": f"Hello, {entry.id}!"}]
            )
            assert raw.parse().choices[0].message.content == answers[-1].text, entry
            line = upstream.lines()[-1]
            assert line.model == entry.id
            assert line.reported is not None
            expected[raw.headers["x-request-id"]] = (entry, line.reported)
    records = {row["id"]: row for row in gate.records()}
    now = datetime.now(UTC)
    for name, (entry, reported) in expected.items():
        row = records[name]
        assert tokens_of(row) == (reported.input, reported.output, reported.cached, reported.reasoning), entry
        assert row["cost"] == _cost(in_force(entry.prices, now), reported.input, reported.output), entry


def _cost(price: DatedPrice | None, taken: int, given: int) -> int | None:
    """Nano-dollars, from the dollars per million tokens that are published: nothing here was cached."""
    if price is None or price.price is None:
        return None
    rates = price.rates
    assert not set(rates) - _RATES, rates
    nano = 1000 * (taken * rates.get("input_mtok", Decimal(0)) + given * rates.get("output_mtok", Decimal(0)))
    return int(nano.quantize(Decimal(1), ROUND_HALF_UP)) + int(1_000_000 * rates.get("requests_kcount", Decimal(0)))
