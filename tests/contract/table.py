"""The README's table of formats: what the contract came to, cell by cell. Nothing of it is typed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from tests.contract.cannot import why_not
from tests.contract.libraries import SPEAKERS
from tests.contract.scene import SCENARIOS
from tests.contract.vendors import VENDORS

README = Path(__file__).parents[2] / "README.md"
BEGIN, END = "<!-- contract -->\n", "<!-- /contract -->\n"
# By client and vendor: each scenario with why it failed, empty for one that passed.
Cells = dict[tuple[str, str], dict[str, str]]


class Incomplete(ValueError):
    """Not every scenario of every cell was run."""


def write_readme(cells: Mapping[tuple[str, str], Mapping[str, str]]) -> None:
    """Raises Incomplete."""
    text = README.read_text()
    before, _, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert end, f"README.md has no {BEGIN.strip()} and {END.strip()}"
    README.write_text(before + BEGIN + table(cells) + END + after)


def table(cells: Mapping[tuple[str, str], Mapping[str, str]]) -> str:
    """Rows are what clients speak, columns what vendors do; a cell counts the scenarios that hold, and a footnote says
    why one does not."""
    notes: list[str] = []
    lines = [_row("", [vendor.title for vendor in VENDORS.values()]), _row("---", ["---"] * len(VENDORS))]
    for client, speaker in SPEAKERS.items():
        shown = [_cell(client, vendor, cells.get((client, vendor), {}), notes) for vendor in VENDORS]
        lines.append(_row(speaker.title, shown))
    lines += ["", f"The scenarios, each whole and streamed: {', '.join(SCENARIOS)}."]
    lines += [f"<br><sup>{number}</sup> {note}." for number, note in enumerate(notes, 1)]
    return "\n".join(lines) + "\n"


def outline(text: str) -> tuple[list[str], list[list[str]], str]:
    """Of a README: the columns, each row's name and the scenarios a cell counts, and the list of scenarios."""
    _, _, rest = text.partition(BEGIN)
    lines = rest.partition(END)[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    counted = [[row[0], *(re.sub(r"<sup>.*?</sup>", "", cell).split()[-1] for cell in row[1:])] for row in rows[2:]]
    told = next((line for line in lines if line.startswith("The scenarios")), "")
    return (rows[0] if rows else []), counted, told


def _row(name: str, cells: list[str]) -> str:
    return f"| {name} | {' | '.join(cells)} |"


def _cell(client: str, vendor: str, ran: Mapping[str, str], notes: list[str]) -> str:
    missing = [scenario for scenario in SCENARIOS if scenario not in ran]
    if missing:
        raise Incomplete(f"{client} at {vendor} did not run: {', '.join(missing)}")
    reasons: dict[str, list[str]] = {}
    for scenario in SCENARIOS:
        reason = ran[scenario] or why_not(client, vendor, scenario)
        if reason:
            reasons.setdefault(reason, []).append(scenario)
    total, held = len(SCENARIOS), len(SCENARIOS) - sum(len(each) for each in reasons.values())
    if not reasons:
        return f"✓ {total}"
    told = [f"{', '.join(scenarios)}: {reason}" for reason, scenarios in reasons.items()]
    notes += [note for note in told if note not in notes]
    marks = ",".join(str(notes.index(note) + 1) for note in told)
    return f"{held} of {total}<sup>{marks}</sup>"
