"""`gateline models`: filters, what it shows of prices, and what it says of what is unknown."""

from __future__ import annotations

import json
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from gateline.cli.models import models

app = typer.Typer()
app.command()(models)


def run(*arguments: str, width: int = 200) -> tuple[int, str]:
    result = CliRunner(env={"COLUMNS": str(width)}).invoke(app, [*arguments])
    return result.exit_code, result.output


def listed(*arguments: str) -> list[dict[str, Any]]:
    code, output = run(*arguments, "--json")
    assert code == 0
    found: list[dict[str, Any]] = json.loads(output)
    return found


def test_the_whole_catalogue_is_listed() -> None:
    """One line a model, and how many there are."""
    everything = listed()
    assert len(everything) > 400
    code, output = run(width=400)
    assert code == 0
    assert f"{len(everything)} models" in output
    for entry in everything[::50]:
        assert f"{entry['provider']}/{entry['id']}" in output


def test_filters_hold_together() -> None:
    """Each keeps what it says, and all of them must hold."""
    found = listed("--provider", "gemini", "--search", "FLASH", "--modality", "audio", "--tools")
    assert found
    for entry in found:
        assert entry["provider"] == "gemini"
        assert "flash" in (entry["id"] + entry["name"]).lower()
        assert "audio" in entry["input_modalities"] + entry["output_modalities"]
        assert entry["tools"] is True
    assert len(found) < len(listed("--provider", "gemini", "--search", "flash")) < len(listed("--provider", "gemini"))


def test_json_has_every_price_with_its_dates() -> None:
    """Announced prices and hours of the day are there; dollars are exact; what nobody knows is null."""
    (flash,) = listed("--provider", "gemini", "--search", "gemini-3.8-flash", "--tools")
    assert [price["since"] for price in flash["prices"]] == [None, "2027-01-01"]
    assert flash["prices"][0]["dollars"]["input_mtok"] == "0.75"
    pro = next(entry for entry in listed("--provider", "deepseek") if entry["id"] == "deepseek-v4-pro")
    assert "01:00-04:00 UTC" in [price["daily"] for price in pro["prices"]]
    embedding = listed("--search", "text-embedding-3-small")[0]
    assert (embedding["tools"], embedding["max_output_tokens"], embedding["output_modalities"]) == (None, None, [])


def test_a_wide_screen_shows_abilities_and_remarks() -> None:
    """The table says what a model takes, what it can, and what is to be known of its price."""
    _, output = run("--search", "gpt-5.6-sol", "--provider", "openai")
    line = next(line for line in output.splitlines() if "openai/gpt-5.6-sol" in line)
    for said in ("text image file", "tools json reasoning", "1.05M", "128k", "cache write", "more above 272k"):
        assert said in line
    assert "$ in / out / cached" in output


@pytest.mark.parametrize("width", [60, 80, 100, 120, 160])
def test_a_narrow_screen_leaves_columns_out_and_cuts_no_price(width: int) -> None:
    """Nothing is shortened but names, and those are folded, not cut."""
    _, output = run("--provider", "openai", width=width)
    assert "…" not in output
    assert "0.15 / 0.60 / 0.075" in output
    assert max(map(len, output.splitlines())) <= max(width, 70)


def test_nothing_found_says_what_there_is() -> None:
    code, output = run("--provider", "no-such-vendor")
    assert code == 1
    assert "openai, anthropic" in output
    assert listed("--provider", "no-such-vendor") == []
