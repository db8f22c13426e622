"""`gateline models`: the catalogue. What models there are, what they can do, what they cost; asks no server."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from gateline.control.catalogue.entries import Entry
    from gateline.control.prices import DatedPrice

_TOKENS: Final = ("input_mtok", "output_mtok", "cache_read_mtok")
_HEADS: Final = {  # and how wide a terminal must be to show them: `--json` has everything
    "model": 0,
    "takes": 120,
    "can": 120,
    "context": 0,
    "output": 90,
    "$ in / out / cached": 0,
    "also": 160,
}
_NUMBERS: Final = {"context", "output", "$ in / out / cached"}
_SEARCH: Final = {"web_searches_kcount", "storage_searches_kcount"}  # of the vendor's own tools: not the model's price


def models(
    provider: Annotated[
        str | None, typer.Option(help="Only models of this provider kind, such as openai or bedrock.")
    ] = None,
    search: Annotated[str | None, typer.Option(help="Only models whose name contains this.")] = None,
    modality: Annotated[
        Literal["text", "image", "audio", "video", "file"] | None,
        typer.Option(help="Only models that are known to take or give this."),
    ] = None,
    tools: Annotated[bool, typer.Option("--tools", help="Only models that are known to call tools.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Machine-readable output: every price with its dates; null is unknown.")
    ] = False,
) -> None:
    """The catalogue: each model with what it can do and its price in force, in US dollars per million tokens."""
    from gateline.control.catalogue.entries import entries

    found = [entry for entry in entries() if _is_wanted(entry, provider, search, modality, tools=tools)]
    if as_json:
        print(json.dumps([as_object(entry) for entry in found], indent=2))
        return
    if not found:
        known = ", ".join(dict.fromkeys(entry.vendor for entry in entries()))
        typer.echo(f"no such model in the catalogue, which knows some of: {known}", err=True)
        raise typer.Exit(1)
    from gateline.cli.screen import screen

    console = screen()
    console.print(_table(found, console.width))
    print(f"{len(found)} models; $ is US dollars per million tokens; – is unknown, not none")


def _is_wanted(entry: Entry, provider: str | None, search: str | None, modality: str | None, *, tools: bool) -> bool:
    return (
        (provider is None or entry.vendor == provider.lower())
        and (search is None or search.lower() in f"{entry.vendor}/{entry.id} {entry.name or ''}".lower())
        and (modality is None or modality in (*entry.input, *entry.output))
        and (not tools or entry.tools is True)
    )


def as_object(entry: Entry) -> dict[str, Any]:
    """The entry as `--json` shows it. Dollars are strings, so that no digit is lost on the way."""
    return {
        "provider": entry.vendor,
        "id": entry.id,
        "name": entry.name,
        "kind": entry.kind,
        "input_modalities": entry.input,
        "output_modalities": entry.output,
        "tools": entry.tools,
        "json_schema": entry.json_schema,
        "reasoning": entry.reasoning,
        "context_window": entry.context_window,
        "max_output_tokens": entry.max_output,
        "prices": [
            {
                "since": price.since and price.since.isoformat(),
                "daily": price.begins and price.ends and f"{price.begins:%H:%M}-{price.ends:%H:%M} UTC",
                "dollars": {unit: format(rate, "f") for unit, rate in price.rates.items()},
                "above_input_tokens": [tier.above for tier in price.price.tiers] if price.price else [],
            }
            for price in entry.prices
        ],
    }


def _table(found: list[Entry], width: int) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Column, Table
    from rich.text import Text

    now = datetime.now(UTC)
    rows = [_cells(entry, now) for entry in found]
    heads = [head for head, least in _HEADS.items() if width >= least]
    columns = [Column(head, no_wrap=True, justify="right" if head in _NUMBERS else "left") for head in heads]
    columns[0].no_wrap, columns[0].overflow = False, "fold"
    if heads[-1] == "also":
        columns[-1].no_wrap = False
    table = Table(*columns, box=SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(row[head]) for head in heads))
    return table


def _cells(entry: Entry, now: datetime) -> dict[str, str]:
    price, notes = _prices(entry, now)
    cells = (
        f"{entry.vendor}/{entry.id}",
        " ".join(entry.input),
        _abilities(entry),
        _count(entry.context_window),
        _count(entry.max_output),
        price,
        notes,
    )
    return dict(zip(_HEADS, cells, strict=True))


def _abilities(entry: Entry) -> str:
    """What is known: a model that is known not to do something says so, what is unknown is left out."""
    if entry.kind != "chat":
        return entry.kind
    known = (("tools", entry.tools), ("json", entry.json_schema), ("reasoning", entry.reasoning))
    said = [name if able else f"no-{name}" for name, able in known if able is not None]
    return " ".join([*said, *(modality for modality in entry.output if modality != "text")]) or "–"


def _count(tokens: int | None) -> str:
    if tokens is None:
        return "–"
    if tokens >= 1_000_000:
        return f"{tokens / 1_000_000:.3g}M"
    return f"{tokens / 1_000:.0f}k" if tokens >= 10_000 else str(tokens)


def _prices(entry: Entry, now: datetime) -> tuple[str, str]:
    """Input, output and cached; and what else is to be said of the price."""
    from gateline.control.prices import in_force

    price = in_force(entry.prices, now)
    if price is None:
        return "–", ""
    apart = price.rates.keys() - {*_TOKENS, *_SEARCH}
    notes = [f"{_dollars(rate)} {_unit(unit)}" for unit, rate in price.rates.items() if unit in apart]
    if price.price is not None:
        notes += [f"more above {_count(tier.above)}" for tier in price.price.tiers]
    if price.ends is not None:
        notes.append(f"until {price.ends:%H:%M} UTC")
    notes += [note for other in entry.prices if other is not price if (note := _later(other, now))]
    return " / ".join(_dollars(price.rates.get(unit)) for unit in _TOKENS), ", ".join(notes)


def _later(price: DatedPrice, now: datetime) -> str:
    """When a price that is not in force now will be; empty when it has been replaced."""
    rates = " / ".join(_dollars(price.rates.get(unit)) for unit in _TOKENS)
    if price.begins is not None:
        return f"{rates} from {price.begins:%H:%M} UTC"
    return f"{rates} from {price.since}" if price.since is not None and price.since > now.date() else ""


def _dollars(rate: Decimal | None) -> str:
    if rate is None:
        return "–"
    cents = rate.quantize(Decimal("0.01"))
    return f"{cents:f}" if cents == rate else f"{rate.normalize():f}"


def _unit(unit: str) -> str:
    """`cache_write_mtok` is "cache write"; what is not counted in millions of tokens says in what it is."""
    words = unit.replace("_", " ")
    for ending, said in (
        (" mtok", ""),
        (" kcount", " (1,000)"),
        (" mchars", " (1M characters)"),
        (" kpages", " (1,000)"),
    ):
        if words.endswith(ending):
            return words.removesuffix(ending) + said
    return words
