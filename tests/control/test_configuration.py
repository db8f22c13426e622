"""The configuration in force: a good file replaces it, a bad one never does."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateline.control.compile import kept_snapshot
from gateline.control.configuration import Configuration
from gateline.control.mistakes import ConfigMistakes
from gateline.store.datadir import DataDir


def test_a_reload_takes_a_good_file_and_refuses_a_bad_one(tmp_path: Path) -> None:
    data_dir = DataDir(tmp_path / "data")
    data_dir.create()
    path = tmp_path / "gateline.yaml"
    path.write_text("models: {local-chat: }\n")
    configuration = Configuration(path, data_dir)
    path.write_text("models: {local-embed: }\n")
    configuration.reload()
    assert (configuration.version, configuration.engines) == (2, ["local-embed"])
    path.write_text("modles: {}\n")
    with pytest.raises(ConfigMistakes):
        configuration.reload()
    assert (configuration.version, configuration.engines) == (2, ["local-embed"])


def test_a_restart_with_a_broken_file_keeps_the_last_good_one(tmp_path: Path) -> None:
    data_dir = DataDir(tmp_path / "data")
    data_dir.create()
    path = tmp_path / "gateline.yaml"
    path.write_text("models: 7\n")
    with pytest.raises(ConfigMistakes):
        Configuration(path, data_dir)
    path.write_text("models: {local-chat: }\n")
    Configuration(path, data_dir).keep()
    path.write_text("models: 7\n")
    restarted = Configuration(path, data_dir)
    assert restarted.engines == ["local-chat"]
    assert [mistake.field for mistake in restarted.mistakes] == ["models"]


def test_only_what_workers_run_is_kept_for_the_next_start(tmp_path: Path) -> None:
    """One that is pending is compiled again by the next start, under a version of its own; one that a worker refused
    gives way to the last that was kept."""
    data_dir = DataDir(tmp_path / "data")
    data_dir.create()
    path = tmp_path / "gateline.yaml"
    path.write_text("models: {local-chat: }\n")
    first = Configuration(path, data_dir)
    first.keep()
    path.write_text("models: {local-embed: }\n")
    first.reload()
    assert (first.version, first.is_pending) == (2, True)
    kept = kept_snapshot(data_dir)
    assert kept is not None
    assert kept.version == 1
    second = Configuration(path, data_dir)
    assert (second.version, second.engines, second.is_pending) == (3, ["local-embed"], True)
    second.revert()
    assert (second.version, second.engines, second.is_pending) == (1, ["local-chat"], False)
    second.reload()
    second.keep()
    assert (second.version, Configuration(path, data_dir).version) == (4, 4)


def test_a_row_keeps_its_name_over_a_restart_of_the_control_process(tmp_path: Path) -> None:
    """A model that was dropped keeps its rows as long as the columns live, whoever restarts beside them."""
    data_dir = DataDir(tmp_path / "data")
    data_dir.create()
    path = tmp_path / "gateline.yaml"
    path.write_text("models: {local-chat: , local-embed: }\n")
    first = Configuration(path, data_dir)
    first.keep()
    before = first.rows.labels()
    path.write_text("models: {local-chat: }\n")
    first.reload()
    first.keep()
    path.write_text(
        "providers: {up: {kind: openai-compatible, base_url: http://h/v1}}\n"
        "models: {local-chat: , new: {targets: [{provider: up, model: x}]}}\n"
    )
    second = Configuration(path, data_dir)
    after = second.rows.labels()
    assert {row: name for row, name in after.items() if row in before} == before
    assert len(after) == len(before) + 2
