"""The configuration in force: a good file replaces it, a bad one never does."""

from __future__ import annotations

from pathlib import Path

import pytest

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
    Configuration(path, data_dir)
    path.write_text("models: 7\n")
    restarted = Configuration(path, data_dir)
    assert restarted.engines == ["local-chat"]
    assert [mistake.field for mistake in restarted.mistakes] == ["models"]
