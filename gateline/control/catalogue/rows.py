"""Our own rows (`models.csv`): which models the vendors serve by which names, and what is known of them.

A row's price is used where no published list has one. An empty cell is unknown, never "no". A second line for the same
model may give it another price from another date on. The facts were compared on 2026-12-01 with the price list that
the LiteLLM project publishes (MIT licence), which names the vendors' pages it was read from.
"""

from __future__ import annotations

import csv
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import cast

import msgspec

from gateline.control.prices import DatedPrice, price_of
from gateline.model.snapshot import ModelKind


class Row(msgspec.Struct, frozen=True):
    """A model as its vendor serves it. None is unknown. `input` and `output` are the modalities known to be taken and
    given; `context_window` and `max_output` are tokens."""

    vendor: str
    id: str
    kind: ModelKind
    input: tuple[str, ...]
    output: tuple[str, ...]
    tools: bool | None
    json_schema: bool | None
    reasoning: bool | None
    context_window: int | None
    max_output: int | None
    prices: tuple[DatedPrice, ...]


@cache
def rows() -> dict[tuple[str, str], Row]:
    """All rows, by vendor and model."""
    found: dict[tuple[str, str], Row] = {}
    text = files("gateline.control.catalogue").joinpath("models.csv").read_text(encoding="utf-8")
    for cells in csv.DictReader(text.splitlines()):
        row = _row(cells)
        before = found.get((row.vendor, row.id))
        if before is not None:
            row = msgspec.structs.replace(before, prices=before.prices + row.prices)
        found[row.vendor, row.id] = row
    return found


def _row(cells: dict[str, str]) -> Row:
    return Row(
        vendor=cells["vendor"],
        id=cells["id"],
        kind=cast("ModelKind", cells["kind"]),
        input=tuple(cells["input"].split()),
        output=tuple(cells["output"].split()),
        tools=_answer(cells["tools"]),
        json_schema=_answer(cells["json_schema"]),
        reasoning=_answer(cells["reasoning"]),
        context_window=int(cells["context"]) if cells["context"] else None,
        max_output=int(cells["max_output"]) if cells["max_output"] else None,
        prices=_prices(cells),
    )


def _answer(cell: str) -> bool | None:
    return {"yes": True, "no": False, "": None}[cell]


def _prices(cells: dict[str, str]) -> tuple[DatedPrice, ...]:
    given = {name: Decimal(cells[f"price_{name}"]) for name in ("input", "output", "cached") if cells[f"price_{name}"]}
    if not given:
        return ()
    since = date.fromisoformat(cells["price_from"])
    named = {"input": "input_mtok", "output": "output_mtok", "cached": "cache_read_mtok"}
    return (DatedPrice(price_of(given), since, rates={named[name]: rate for name, rate in given.items()}),)
