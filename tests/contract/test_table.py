"""The README's table says what the contract is made of, and is made by it."""

from __future__ import annotations

import pytest

from tests.contract.cannot import why_not
from tests.contract.libraries import SPEAKERS
from tests.contract.scene import SCENARIOS
from tests.contract.table import BEGIN, END, README, Cells, Incomplete, outline, table
from tests.contract.vendors import VENDORS


def _all_held() -> Cells:
    return {(client, vendor): dict.fromkeys(SCENARIOS, "") for client in SPEAKERS for vendor in VENDORS}


def test_the_readme_has_todays_rows_columns_and_scenarios() -> None:
    """Older than the code it cannot be: `make contract` writes it anew. (What held in it, only a run says.)"""
    readme = README.read_text()
    columns, rows, told = outline(readme)
    wanted_columns, wanted_rows, wanted = outline(BEGIN + table(_all_held()) + END)
    assert (columns, rows, told) == (wanted_columns, wanted_rows, wanted), "run `make contract`"


def test_what_did_not_hold_has_a_footnote() -> None:
    """A cell counts what held of all scenarios, and says why the rest did not."""
    cells = _all_held()
    cells["openai-chat", "gemini"]["image"] = "no pictures there"
    written = table(cells)
    total = len(SCENARIOS)
    assert f"| {total - 1} of {total}<sup>1</sup> |" in written
    assert "<sup>1</sup> image: no pictures there." in written
    assert why_not("ollama", "anthropic", "reasoning over two turns") in written


def test_half_a_run_writes_nothing() -> None:
    """A scenario that was not run is told, not left out."""
    cells = _all_held()
    del cells["cohere", "ollama"]["refusal"]
    with pytest.raises(Incomplete, match="cohere at ollama did not run: refusal"):
        table(cells)
