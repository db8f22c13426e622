"""Compiling: addresses, rows, engines; and starting again from the kept snapshot."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateline.control.compile import (
    MAX_ROWS,
    RowRegistry,
    TooManyRows,
    compile_snapshot,
    engines_of,
    kept_snapshot,
    snapshot_for_start,
)
from gateline.control.config import Config, load
from gateline.control.mistakes import ConfigMistakes
from gateline.model.snapshot import DEFAULT_TENANT, decode, encode
from gateline.model.usage import Price
from gateline.store.datadir import DataDir


def config(models: dict[str, Any], providers: dict[str, Any] | None = None) -> Config:
    usual = {"up": {"kind": "openai-compatible", "base_url": "http://127.0.0.1:9000/v1/", "api_key": "sk-up"}}
    return Config.model_validate({"providers": providers or usual, "models": models})


def target(model: str = "x", **more: Any) -> dict[str, Any]:
    return {"provider": "up", "model": model, **more}


@pytest.fixture
def data_dir(tmp_path: Path) -> DataDir:
    place = DataDir(tmp_path / "data")
    place.create()
    return place


def test_the_embedded_defaults_compile_to_two_free_local_models() -> None:
    snapshot = compile_snapshot(load(None), RowRegistry(), 1)
    models = snapshot.models[DEFAULT_TENANT]
    assert engines_of(snapshot) == ["local-chat", "local-embed"]
    assert [model.targets[0].price for model in models.values()] == [Price(0, 0, 0)] * 2
    assert models["local-chat"].targets[0].label == "local/local-chat"


def test_an_address_is_taken_apart() -> None:
    providers = {
        "plain": {"kind": "openai-compatible", "base_url": "http://10.0.0.1/v1/"},
        "six": {"kind": "openai-compatible", "base_url": "https://[::1]:9443"},
        "vendor": {"kind": "openai", "api_key": "sk-v"},
    }
    models = {name: {"targets": [{"provider": name, "model": "x"}]} for name in providers}
    compiled = compile_snapshot(config(models, providers), RowRegistry(), 1).models[DEFAULT_TENANT]
    found = {
        name: (p.scheme, p.host, p.port, p.path)
        for name, model in compiled.items()
        for p in [model.targets[0].provider]
    }
    assert found == {
        "plain": ("http", "10.0.0.1", 80, "/v1"),
        "six": ("https", "::1", 9443, ""),
        "vendor": ("https", "api.openai.com", 443, "/v1"),
    }


def test_a_price_at_the_target_beats_the_models_own() -> None:
    models = {
        "m": {
            "price": {"input": 1, "output": 2},
            "targets": [target("a"), target("b", price={"input": 3, "output": 4, "cached": 1})],
        },
        "unknown": {"targets": [target("gpt-4o")]},
    }
    compiled = compile_snapshot(config(models), RowRegistry(), 1).models[DEFAULT_TENANT]
    assert [each.price for each in compiled["m"].targets] == [
        Price(10**10, 2 * 10**10, 10**10),
        Price(3 * 10**10, 4 * 10**10, 10**10),
    ]
    assert compiled["unknown"].targets[0].price is None


def test_only_what_is_said_to_be_open_is() -> None:
    """A provider's whole API, whether or not some model leads to it."""
    providers = {
        "up": {"kind": "openai", "api_key": "k"},
        "shut": {"kind": "openai", "api_key": "k", "passthrough": False},
        "open": {"kind": "gemini", "api_key": "k", "passthrough": True},
    }
    snapshot = compile_snapshot(config({"m": {"targets": [target()]}}, providers), RowRegistry(), 1)
    assert [provider.name for provider in snapshot.open_providers] == ["open"]
    assert snapshot.open_providers[0].api_key == "k"
    assert decode(encode(snapshot)) == snapshot


def test_a_snapshot_survives_its_encoding() -> None:
    snapshot = compile_snapshot(config({"m": {"targets": [target()], "fallbacks": ["local-chat"]}}), RowRegistry(), 7)
    assert decode(encode(snapshot)) == snapshot


def test_a_row_is_never_given_to_another_name() -> None:
    """A removed model keeps its row, and gets it back; after a restart what is left keeps its rows."""
    rows = RowRegistry()
    first = compile_snapshot(config({"a": {"targets": [target()]}, "b": {"targets": [target()]}}), rows, 1)
    second = compile_snapshot(config({"c": {"targets": [target()]}}), rows, 2)
    third = compile_snapshot(config({"a": {"targets": [target()]}}), rows, 3)
    taken = [rows_of(snapshot) for snapshot in (first, second)]
    assert not taken[0] & taken[1]
    assert rows_of(third) < taken[0]
    assert 0 not in taken[0] | taken[1]
    assert rows.labels()[third.models[DEFAULT_TENANT]["a"].row] == ("a", "")
    again = RowRegistry(second)
    assert again.row("c", "up/x") == second.models[DEFAULT_TENANT]["c"].targets[0].row


def rows_of(snapshot: Any) -> set[int]:
    models = snapshot.models[DEFAULT_TENANT].values()
    return {model.row for model in models} | {each.row for model in models for each in model.targets}


def test_rows_run_out_with_a_clear_word() -> None:
    rows = RowRegistry()
    for number in range(1, MAX_ROWS):
        assert rows.row(f"m{number}") == number
    with pytest.raises(TooManyRows, match="name fewer"):
        rows.row("one too many")


# --- the kept snapshot -----------------------------------------------------------------------------------------------


def written(folder: Path, key: str = "${KEY}") -> Path:
    path = folder / "gateline.yaml"
    path.write_text(
        f"providers: {{up: {{kind: openai-compatible, base_url: http://h/v1, api_key: {key}}}}}\n"
        "models: {m: {targets: [{provider: up, model: x}]}}\n"
    )
    return path


def test_an_unchanged_configuration_starts_from_the_kept_snapshot(tmp_path: Path, data_dir: DataDir) -> None:
    path = written(tmp_path)
    first = snapshot_for_start(path, data_dir, {"KEY": "one"})
    assert snapshot_for_start(path, data_dir, {"KEY": "one"}) == first
    assert first.version == 1


def test_whatever_changes_the_configuration_compiles_it_again(tmp_path: Path, data_dir: DataDir) -> None:
    """A variable, the file, a secret file, another file, the snapshot itself: each is noticed; versions only rise."""
    path = written(tmp_path)
    assert snapshot_for_start(path, data_dir, {"KEY": "one"}).version == 1
    assert snapshot_for_start(path, data_dir, {"KEY": "two"}).version == 2
    secret = tmp_path / "secret"
    secret.write_text("three")
    written(tmp_path, f"file:{secret}")
    assert snapshot_for_start(path, data_dir, {}).version == 3
    secret.write_text("four")
    fourth = snapshot_for_start(path, data_dir, {})
    assert (fourth.version, fourth.models[DEFAULT_TENANT]["m"].targets[0].provider.api_key) == (4, "four")
    assert snapshot_for_start(path, data_dir, {}).version == 4
    assert snapshot_for_start(None, data_dir, {}).version == 5
    data_dir.snapshot.write_bytes(encode(fourth))
    assert snapshot_for_start(None, data_dir, {}).models != fourth.models


def test_a_damaged_kept_snapshot_is_replaced(data_dir: DataDir) -> None:
    snapshot_for_start(None, data_dir)
    data_dir.snapshot.write_bytes(data_dir.snapshot.read_bytes()[:-7])
    assert kept_snapshot(data_dir) is None
    assert engines_of(snapshot_for_start(None, data_dir)) == ["local-chat", "local-embed"]


def test_what_is_kept_is_for_the_owner_alone_and_leaks_no_secret(tmp_path: Path, data_dir: DataDir) -> None:
    snapshot_for_start(written(tmp_path), data_dir, {"KEY": "sk-CANARY"})
    kept = [path for path in data_dir.root.iterdir() if path.name.startswith("snapshot")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept} == {0o600}
    assert b"CANARY" not in (data_dir.root / "snapshot.origin").read_bytes()


def test_a_broken_file_leaves_the_kept_snapshot_alone(tmp_path: Path, data_dir: DataDir) -> None:
    path = written(tmp_path)
    before = snapshot_for_start(path, data_dir, {"KEY": "one"})
    path.write_text("models: 7\n")
    with pytest.raises(ConfigMistakes):
        snapshot_for_start(path, data_dir, {"KEY": "one"})
    assert kept_snapshot(data_dir) == before


def test_a_start_from_the_kept_snapshot_imports_nothing_slow(data_dir: DataDir) -> None:
    snapshot_for_start(None, data_dir)
    program = (
        "import sys; from pathlib import Path\n"
        "from gateline.control.compile import snapshot_for_start\n"
        "from gateline.store.datadir import DataDir\n"
        f"snapshot_for_start(None, DataDir(Path({str(data_dir.root)!r})))\n"
        "print([name for name in ('pydantic', 'yaml', 'genai_prices', 'sqlalchemy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
