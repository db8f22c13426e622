from __future__ import annotations

import json

from openai.pagination import SyncPage
from openai.types import Model as VendorModel

from gateline.formats.openai.models import model_object, models_page
from gateline.model.snapshot import Card, Model, Provider, Target
from gateline.model.usage import PRICE_SCALE, PartRates, Price, PriceTier

ONE = 1_000 * PRICE_SCALE  # a dollar a million tokens


def target(price: Price | None, name: str = "m") -> Target:
    return Target(Provider("up", "openai"), name, 1, 1, price)


def test_the_list_reads_back_with_the_vendors_types() -> None:
    """The vendor's own types read the list in order, and each model says whether it can answer now."""
    card = Card("GPT", "chat", 128_000, 16_384, ("text", "image"), ("text",), tools=True)
    known = Model("gpt-4o", (target(Price(ONE, ONE, ONE)),), created=7, card=card)
    body = models_page([(known, "ready"), (Model('a/"b"é', ()), "loading")])
    page = SyncPage[VendorModel].model_validate(json.loads(body))
    assert [(model.id, model.created, model.object) for model in page.data] == [
        ("gpt-4o", 7, "model"),
        ('a/"b"é', 0, "model"),
    ]
    assert [entry["status"] for entry in json.loads(body)["data"]] == ["ready", "loading"]
    assert models_page([]) == b'{"data":[],"object":"list"}'


def test_one_model_reads_back() -> None:
    """A single model is the vendor's object with its status."""
    body = model_object(Model("m", (), created=7), "failed")
    assert VendorModel.model_validate(json.loads(body)).id == "m"
    assert json.loads(body)["status"] == "failed"


def test_what_is_known_is_said_and_what_is_not_is_left_out() -> None:
    """No field says null, and "no" is told from "unknown"."""
    card = Card("GPT", "chat", 128_000, None, ("text", "image"), ("text",), tools=True, json_schema=False)
    assert json.loads(model_object(Model("m", (), created=7, card=card), "ready")) == {
        "id": "m", "object": "model", "created": 7, "owned_by": "gateline", "status": "ready", "name": "GPT",
        "kind": "chat", "context_window": 128_000, "modalities": {"input": ["text", "image"], "output": ["text"]},
        "capabilities": {"tools": True, "json_schema": False},
    }  # fmt: skip
    bare = json.loads(model_object(Model("m", (), card=Card("", "rerank")), "ready"))
    assert bare.keys() == {"id", "object", "created", "owned_by", "status", "kind"}


def test_prices_are_exact_decimals_a_million_tokens() -> None:
    """Parts are listed where they cost something else than what they are part of, tiers with their thresholds."""
    parts = PartRates(ONE * 5 // 4, ONE * 2, ONE, ONE * 3, ONE, ONE * 2, 0)
    price = Price(ONE, ONE * 2, ONE // 8, 5_000_000, (PriceTier(200_000, ONE * 3, ONE * 4, 1),), parts)
    listed = json.loads(model_object(Model("m", (target(price),)), "ready"))["pricing"]
    assert listed == {
        "currency": "USD", "per_tokens": 1_000_000, "input": "1", "output": "2", "cached": "0.125",
        "cache_write": "1.25", "cache_write_1h": "2", "output_audio": "3", "cached_audio": "0", "request": "0.005",
        "tiers": [{"above_input_tokens": 200_000, "input": "3", "output": "4", "cached": "0.0000000001"}],
    }  # fmt: skip


def test_a_price_that_depends_on_the_target_is_not_said() -> None:
    """Nor is one that is unknown for any of them."""
    for prices in ((Price(1, 1, 1), Price(2, 2, 2)), (Price(1, 1, 1), None), (None,), ()):
        model = Model("m", tuple(target(price, f"m{number}") for number, price in enumerate(prices)))
        assert "pricing" not in json.loads(model_object(model, "ready"))
    same = Model("m", (target(Price(ONE, 0, 0)), target(Price(ONE, 0, 0), "n")))
    assert json.loads(model_object(same, "ready"))["pricing"]["input"] == "1"
