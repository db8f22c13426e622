"""`models: auto`: whole lists under `provider/model`, bounded, beside models that the file names itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateline.control import automatic
from gateline.control import compile as compile_module
from gateline.control.automatic import automatic_targets
from gateline.control.catalogue.entries import models_of
from gateline.control.compile import RowRegistry, compile_snapshot, snapshot_for_start
from gateline.control.config import Config, load
from gateline.control.lists import address_of, keep_lists
from gateline.control.mistakes import ConfigMistakes
from gateline.model.snapshot import DEFAULT_TENANT, Model
from gateline.store.datadir import DataDir

HOUSE = {"kind": "openai-compatible", "base_url": "http://127.0.0.1:9000/v1"}
OPENAI = {"kind": "openai", "api_key": "sk-up"}


def config(providers: dict[str, Any], models: Any = "auto") -> Config:
    return Config.model_validate({"providers": providers, "models": models})


def served(config: Config, rows: RowRegistry | None = None, **lists: tuple[str, ...]) -> dict[str, Model]:
    return compile_snapshot(config, rows or RowRegistry(), 1, lists=lists).models[DEFAULT_TENANT]


def test_a_providers_whole_list_is_served_under_its_name() -> None:
    """Every model of the catalogue that its vendor's operations can reach, with price and card."""
    models = served(config({"mine": OPENAI}))
    names = [f"mine/{entry.id}" for entry in models_of("openai") if entry.kind in {"chat", "embeddings"}]
    assert set(names) <= models.keys()
    assert len(names) > 40
    small = models["mine/gpt-4o-mini"]
    assert (small.targets[0].label, small.targets[0].model) == ("mine/gpt-4o-mini", "gpt-4o-mini")
    assert small.targets[0].price is not None
    assert small.card is not None
    assert small.card.context_window == 128_000


def test_auto_for_all_is_auto_for_each() -> None:
    """At the top it means every provider; at one provider it means that one, beside models of one's own."""
    both = {"a": OPENAI, "b": OPENAI}
    assert served(config(both)) == served(config({name: {**each, "models": "auto"} for name, each in both.items()}, {}))
    own = {"best": {"targets": [{"provider": "b", "model": "gpt-4o"}]}}
    models = served(config({"a": {**OPENAI, "models": "auto"}, "b": OPENAI}, own))
    assert "best" in models
    assert "a/gpt-4o" in models
    assert not any(name.startswith("b/") for name in models)


def test_a_providers_own_list_goes_before_the_catalogue() -> None:
    """What it said it serves is what is served: with the card where the catalogue knows it, without where not."""
    models = served(config({"mine": OPENAI, "house": HOUSE}), mine=("gpt-4o", "brand-new"), house=("org/llama",))
    assert list(models) == ["mine/gpt-4o", "mine/brand-new", "house/org/llama"]
    assert models["mine/gpt-4o"].card is not None
    assert models["mine/brand-new"].card is None
    assert models["house/org/llama"].targets[0].model == "org/llama"


def test_models_of_ones_own_keep_their_names_and_fallbacks_find_listed_ones() -> None:
    """A name the file gives is the file's; a fallback to a listed name holds even where the list has dropped it."""
    own = {
        "mine/gpt-4o": {"targets": [{"provider": "mine", "model": "gpt-4o-2024-08-06"}]},
        "best": {"targets": [{"provider": "mine", "model": "o3"}], "fallbacks": ["mine/gone", "mine/gpt-4o"]},
    }
    models = served(config({"mine": {**OPENAI, "models": "auto"}}, own), mine=("gpt-4o", "gpt-4o-mini"))
    assert models["mine/gpt-4o"].targets[0].model == "gpt-4o-2024-08-06"
    assert models.keys() == {"mine/gpt-4o", "best", "mine/gone", "mine/gpt-4o-mini"}


def test_calls_that_reach_no_target_share_a_row_a_provider() -> None:
    """A list takes one row a model and one more; a restart beside living columns knows them all by their names."""
    rows = RowRegistry()
    snapshot = compile_snapshot(config({"house": HOUSE}), rows, 1, lists={"house": ("a", "b", "c")})
    models = snapshot.models[DEFAULT_TENANT]
    assert {model.row for model in models.values()} == {1}
    assert rows.labels() == {
        0: ("", ""),
        1: ("house/*", ""),
        **{n: (f"house/{name}", f"house/{name}") for n, name in ((2, "a"), (3, "b"), (4, "c"))},
    }
    assert RowRegistry(snapshot).labels() == rows.labels()


def test_a_list_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound, or the rows there are, the rest of a list is left out; models of one's own are not."""
    names = tuple(f"m{number}" for number in range(3_000))
    everything = config({"house": HOUSE})
    assert len(automatic_targets(everything, {"house": names})) == automatic.MOST == 2_000
    monkeypatch.setattr(compile_module, "MAX_ROWS", 6)
    assert list(served(everything, house=names)) == ["house/m0", "house/m1", "house/m2", "house/m3"]


@pytest.mark.parametrize("name", ["", "with space", "é", "x" * 250, "tab\t"])
def test_a_name_that_no_request_could_carry_is_left_out(name: str) -> None:
    assert list(automatic_targets(config({"house": HOUSE}), {"house": (name, "good")})) == ["house/good"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("models: all\n", "models"),
        ("providers: {a: {kind: openai, models: some}}\n", "providers.a.models"),
        ("models: auto\n", "no model is served"),
        (
            "providers: {a: {kind: openai}}\nmodels: {m: {targets: [{provider: a, model: x}], fallbacks: [a/y]}}\n",
            "a/y|no model",
        ),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, says: str) -> None:
    """Another word than auto, no provider to have a list, a fallback to the list of a provider that has none."""
    path = tmp_path / "gateline.yaml"
    path.write_text(text)
    with pytest.raises(ConfigMistakes) as caught:
        load(path)
    found = " ".join(str(mistake) for mistake in caught.value.mistakes)
    assert any(each in found for each in says.split("|"))


def test_kept_lists_are_compiled_and_belong_to_an_address(tmp_path: Path) -> None:
    """The list that a provider gave is used by the next compile, and no longer once the provider has moved."""
    data_dir = DataDir(tmp_path / "data")
    data_dir.create()
    path = tmp_path / "gateline.yaml"
    path.write_text(
        "providers: {house: {kind: openai-compatible, base_url: 'http://127.0.0.1:9000/v1'}}\nmodels: auto\n"
    )
    assert snapshot_for_start(path, data_dir).models[DEFAULT_TENANT] == {}
    provider = compile_module.provider_of("house", load(path).providers["house"])
    keep_lists(data_dir, {address_of(provider): ("a", "b")})
    path.write_text(path.read_text() + "# edited\n")
    assert list(snapshot_for_start(path, data_dir).models[DEFAULT_TENANT]) == ["house/a", "house/b"]
    path.write_text(path.read_text().replace(":9000", ":9001"))
    assert snapshot_for_start(path, data_dir).models[DEFAULT_TENANT] == {}
