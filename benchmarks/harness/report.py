"""What comes out of a run: rows of the table, the figures' own notes, and the files they end in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

BEGIN, END = "<!-- figures -->", "<!-- /figures -->"


class NoMarkers(Exception):
    """The README has no place for the table."""


@dataclass(frozen=True, slots=True)
class Row:
    """`met` is None where nothing is to be reached, or where it could not be measured."""

    figure: str
    reach: str
    measured: str
    met: bool | None = None

    def __str__(self) -> str:
        mark = {True: "yes", False: "**no**", None: ""}[self.met]
        return f"| {self.figure} | {self.reach} | {self.measured} | {mark} |"


@dataclass(slots=True)
class Result:
    """A figure's rows, with `notes` (Markdown) on how they came about. `bars`: requests per CPU-second by program."""

    name: str
    rows: list[Row]
    notes: list[str] = field(default_factory=list)
    bars: dict[str, float] = field(default_factory=dict)


def table(results: Sequence[Result]) -> str:
    rows = [str(row) for result in results for row in result.rows]
    return "\n".join(["| figure | to reach | measured | reached |", "| --- | --- | --- | --- |", *rows])


def document(day: str, machine: Sequence[str], method: str, results: Sequence[Result], plot: str) -> str:
    parts = [f"# Benchmarks of {day}", *(f"- {line}" for line in machine), "", method, "", table(results)]
    if plot:
        parts += ["", f"![requests per CPU-second]({plot})"]
    for result in results:
        if result.notes:
            parts += ["", f"## {result.name}", "", *result.notes]
    return "\n".join(parts) + "\n"


def put_into_readme(readme: Path, results: Sequence[Result], day: str, source: str) -> None:
    """Replaces what lies between the two markers. Raises NoMarkers."""
    text = readme.read_text() if readme.exists() else ""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise NoMarkers(f"{readme.name} has no lines {BEGIN} and {END}: add them where the table belongs")
    note = f"Measured on {day}: [machine, method and details]({source})."
    readme.write_text(f"{before}{BEGIN}\n{table(results)}\n\n{note}\n{END}{after}")
