"""`gateline keys` on a data directory where no server runs. With one: tests/app/test_control.py."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateline.cli.keys import app


def run(root: Path, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--data-dir", str(root)])


def test_a_key_is_created_listed_and_revoked_without_a_server(tmp_path: Path) -> None:
    """The data directory is made; the token stands alone on standard output and never comes again."""
    root = tmp_path / "new"
    made = run(root, "create", "--name", "bob", "--concurrency", "3")
    assert made.exit_code == 0, made.stderr
    assert re.fullmatch(r"sk-gl-[A-Za-z0-9_-]{43}\n", made.stdout)
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    listed = run(root, "list", "--json")
    (key,) = json.loads(listed.stdout)
    assert (key["name"], key["concurrency"], key["revoked"]) == ("bob", 3, False)
    revoked = run(root, "revoke", key["id"])
    assert (revoked.exit_code, revoked.stdout) == (0, "revoked; no server runs here\n")
    table = run(root, "list").stdout
    assert "revoked" in table
    assert key["id"] in table
    assert made.stdout.strip() not in listed.stdout + table


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create", "--name", ""), "name: must be"),
        (("create", "--name", "x", "--models", ""), "models: must name"),
        (("create", "--name", "x", "--concurrency", "0"), "concurrency: must be at least 1"),
        (("revoke", "key_none"), "there is no key key_none"),
    ],
)
def test_mistakes_are_told_and_exit_1(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    assert run(tmp_path, "create", "--name", "first").exit_code == 0
    result = run(tmp_path, *words)
    assert result.exit_code == 1
    assert said in result.stderr
    assert result.stdout == ""


def test_a_data_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run(tmp_path / "file", "list")
    assert result.exit_code == 1
    assert "the data directory cannot be used" in result.stderr


@pytest.mark.parametrize("words", [("list",), ("list", "--json"), ("revoke", "key_1")])
def test_a_mistyped_data_directory_is_told_and_not_made(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Looking for keys where there are none makes nothing: the next look must not find an empty place in order."""
    result = run(tmp_path / "typo", *words)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"there is no data directory at {tmp_path / 'typo'}" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [("list",), ("revoke", "key_1"), ("create", "--name", "second")])
def test_a_database_that_is_gone_is_not_replaced(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Where there was a database an empty one would hide that its keys are lost."""
    assert run(tmp_path, "create", "--name", "first").exit_code == 0
    for file in tmp_path.glob("gateline.db*"):
        file.unlink()
    result = run(tmp_path, *words)
    assert result.exit_code == 1
    assert f"{tmp_path / 'gateline.db'} is gone" in result.stderr
    assert not list(tmp_path.glob("gateline.db*"))


def test_a_table_in_a_pipe_is_not_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who greps a table finds the whole name in it, also beyond the eightieth column."""
    monkeypatch.delenv("COLUMNS", raising=False)
    name = "a name " * 25
    assert run(tmp_path, "create", "--name", name.strip()).exit_code == 0
    (row,) = [line for line in run(tmp_path, "list").stdout.splitlines() if "key_" in line]
    assert name.strip() in row
