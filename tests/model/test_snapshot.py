"""The snapshot's bytes: whole again after reading, and a provider is written once."""

from __future__ import annotations

import msgspec
import pytest

from gateline.model.snapshot import DEFAULT_TENANT, Card, Model, Provider, Snapshot, Target, decode, encode
from gateline.model.usage import PartRates, Price

SECRET = "sk-" + "x" * 2_000
CARD = Card("A model", "chat", 1_048_576, 65_536, ("text", "image"), ("text",), tools=True, json_schema=None)


def snapshot(models: int) -> Snapshot:
    price = Price(10**10, 2 * 10**10, 10**9, parts=PartRates(1, 2, 3, 4, 5, 6, 7))
    served = {}
    for number in range(models):
        provider = Provider("up" if number % 2 else "down", "openai", "https", "h", 443, "/v1", SECRET)
        target = Target(provider, f"model-{number}", 1, number + 2, price)
        served[target.label] = Model(target.label, (target, target), row=1, created=7, card=CARD, row_name="up/*")
    return Snapshot(3, {DEFAULT_TENANT: served}, prices_until=9)


def test_what_is_written_is_read() -> None:
    """Every field, and targets of one provider share it."""
    written = snapshot(10)
    read = decode(encode(written))
    assert read == written
    assert len({id(model.targets[0].provider) for model in read.models[DEFAULT_TENANT].values()}) == 2
    assert {target: 1 for model in read.models[DEFAULT_TENANT].values() for target in model.targets}.keys() == {
        target for model in written.models[DEFAULT_TENANT].values() for target in model.targets
    }


def test_a_thousand_models_stay_small() -> None:
    """A provider's secrets and addresses are written once, however many models it has."""
    raw = encode(snapshot(1_000))
    assert raw.count(SECRET.encode()) == 2
    assert len(raw) < 1_000 * 500


@pytest.mark.parametrize("place", ["7", "x", "-9", ""])
def test_a_target_that_names_no_provider_is_another_versions(place: str) -> None:
    """Bytes that no program of this version wrote raise what bytes of another version raise."""
    target = Target(Provider(place, ""), "m", 1, 1)
    whole = Snapshot(1, {DEFAULT_TENANT: {"m": Model("m", (target,))}})
    with pytest.raises(msgspec.DecodeError):
        decode(msgspec.msgpack.encode([whole, []]))
