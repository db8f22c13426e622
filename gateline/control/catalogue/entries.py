"""The catalogue: our rows joined with the vendors' price lists. Where both know, a list's price and our facts hold."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

import msgspec

from gateline.control.catalogue.lists import LISTS, find_listed, listed_prices
from gateline.control.catalogue.rows import Row, rows
from gateline.model.snapshot import Card

_DATE: Final = re.compile(r"-20\d\d-?\d\d-?\d\d$")


# Of the models that come with the program: what its engines do, see docs/how-to/local-models.md.
LOCAL: Final = {
    "local-chat": Card(
        "SmolLM2-135M-Instruct",
        "chat",
        8_192,
        input=("text",),
        output=("text",),
        tools=False,
        json_schema=True,
        reasoning=False,
    ),
    "local-embed": Card("all-MiniLM-L6-v2", "embeddings", input=("text",)),
}


class Entry(Row, frozen=True):
    """A row with everything that is known of its model. `name` is what the vendor calls it in prose."""

    name: str | None = None


def models_of(vendor: str) -> tuple[Entry, ...]:
    """The models a vendor serves, in the order of the rows; none for a vendor the catalogue does not know."""
    return tuple(entry for entry in entries() if entry.vendor == vendor)


def find(vendor: str, model: str) -> Entry | None:
    row = rows().get((vendor, model))
    return None if row is None else _joined(row)


@cache
def entries() -> tuple[Entry, ...]:
    """The whole catalogue. The first call imports the price lists, a third of a second."""
    return tuple(_joined(row) for row in rows().values())


def card_of(vendor: str, model: str) -> Card | None:
    """What lists of models say of it. A name with a date on its end is the model it dates; None is one unknown here."""
    entry = find(vendor, model) or find(vendor, _DATE.sub("", model))
    if entry is None:
        return None
    return Card(
        title=entry.name or "",
        kind=entry.kind,
        context_window=entry.context_window,
        max_output=entry.max_output,
        input=entry.input,
        output=entry.output,
        tools=entry.tools,
        json_schema=entry.json_schema,
        reasoning=entry.reasoning,
    )


def _joined(row: Row) -> Entry:
    listed = find_listed(row.id, LISTS.get(row.vendor, (row.vendor,)))
    fields = msgspec.structs.asdict(row)
    if listed is not None:
        fields["prices"] = listed_prices(listed)
        fields["context_window"] = row.context_window or listed.context_window
    return Entry(**fields, name=listed.name if listed is not None else None)
