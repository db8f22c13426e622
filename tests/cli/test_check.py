"""`gateline check`: each mistake with file, line and field, and exit 1; else one line of what it found."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from gateline.cli.check import check

GOOD = """\
providers: {up: {kind: openai-compatible, base_url: http://127.0.0.1:9/v1, api_key: sk-CANARY}}
models: {m: {targets: [{provider: up, model: x}], fallbacks: [local-chat]}}
"""


def run(file: Path) -> Result:
    app = typer.Typer()
    app.command()(check)
    return CliRunner().invoke(app, [str(file)])


def test_mistakes_are_listed_with_their_places(tmp_path: Path) -> None:
    file = tmp_path / "gateline.yaml"
    file.write_text("server: {prot: 1}\nmodels:\n  m: {}\n")
    result = run(file)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"{file}:1: server.prot: there is no such field here: did you mean port?",
    ]
    file.write_text("models:\n  m: {}\n")
    assert run(file).stdout == f"{file}:2: models.m.targets: is missing: name at least one {{provider, model}}\n"


def test_a_good_file_is_summed_up_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "gateline.yaml"
    file.write_text(GOOD)
    result = run(file)
    assert (result.exit_code, result.stdout) == (
        0,
        f"{file}: good: 1 provider; 2 models; local engines local-chat; no known price for up/x\n",
    )


def test_a_whole_list_is_summed_up_as_well(tmp_path: Path) -> None:
    """Of many models without a price some are named, and the others counted."""
    file = tmp_path / "gateline.yaml"
    up = "{kind: dashscope, api_key: sk-CANARY}"
    file.write_text(f"providers: {{up: {up}, on: {up}}}\nmodels: auto\n")
    said = run(file).stdout
    assert "good: 2 providers; " in said
    assert said.count("up/") + said.count("on/") == 10
    assert said.endswith(" more\n")


@pytest.mark.parametrize("name", ["none.yaml", "."])
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, name: str) -> None:
    result = run(tmp_path / name)
    assert result.exit_code == 1
    assert "cannot be read" in result.stdout


def test_doubts_are_told_beside_what_is_good(tmp_path: Path) -> None:
    file = tmp_path / "gateline.yaml"
    file.write_text(GOOD.replace("/v1,", "/v1/chat/completions,"))
    result = run(file)
    first, last = result.stdout.splitlines()
    assert result.exit_code == 0
    assert first.startswith(f"{file}: in doubt: providers.up.base_url: ends in an endpoint")
    assert ": good: " in last
