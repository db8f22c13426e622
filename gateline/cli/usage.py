"""`gateline usage`: totals of the ledger, asked of the running server, else read from the data directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from gateline.cli.failure import fail

if TYPE_CHECKING:
    from rich.table import Table

    from gateline.store.datadir import DataDir

# Columns of the names: a key's id is of no use when it is cut.
_NARROWEST = {"model": 12, "key": 24, "tenant": 12}
_GAP = 3  # between two columns
_PARTS = (
    "cached_tokens",
    "reasoning_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "input_image_tokens",
    "output_image_tokens",
    "cached_audio_tokens",
)
_WHERE_ANY = frozenset({"unpriced", *_PARTS})  # shown where some call had any
_ASK_SECONDS = 30.0  # the server imports the journals first: after a burst that takes its time


def usage(
    since: Annotated[
        str | None, typer.Option(help="Only calls finished in the last 30m, 1h, 24h ... (default: all).")
    ] = None,
    by: Annotated[Literal["model", "key", "tenant"], typer.Option(help="What to group by.")] = "model",
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
    data_dir: Annotated[
        Path | None, typer.Option(help="Data directory (default: $GATELINE_DATA or the platform's).")
    ] = None,
) -> None:
    """Requests, tokens and cost so far."""
    from gateline.control.usage import since_of
    from gateline.store.datadir import DataDir, default_data_dir

    place = DataDir(data_dir or default_data_dir())
    try:
        since_of(since)
    except ValueError as error:
        fail(f"--since {since}: {error}")
    if not place.journal.is_dir():
        fail(f"there is no data directory at {place.root}: start `gateline serve` first, or name one with --data-dir")
    rows = _ask_server(place, since, by)
    if rows is None:
        rows = _read(place, since, by)
    if as_json:
        print(json.dumps(rows, indent=2))
    else:
        _print_table(rows, by)


def dollars(nano: int) -> str:
    """Exact: nano-dollars have nine decimals; trailing zeros beyond cents are cut."""
    whole, fraction = divmod(nano, 1_000_000_000)
    digits = f"{fraction:09d}".rstrip("0")
    return f"${whole}.{digits.ljust(2, '0')}"


def cost_of(row: dict[str, Any]) -> str:
    """What is known of it; `unpriced` beside it says of how many calls nothing is."""
    return "unknown" if row["unpriced"] and not row["cost"] else dollars(row["cost"])


def _ask_server(place: DataDir, since: str | None, by: str) -> list[dict[str, Any]] | None:
    """The running server's answer, None when none runs here."""
    if not place.control_socket.exists():
        return None  # nor is it worth waiting for a server that starts: two importers do not hurt each other
    from gateline.control.client import ControlRefused, reach

    query = {"by": by} if since is None else {"by": by, "since": since}
    try:
        server = reach(place)
        if server is None:
            return None
        with server:
            rows: Any = server.ask("GET", "/usage", params=query, timeout=_ASK_SECONDS)
    except ControlRefused as error:
        fail(str(error))
    return list(rows)


def _read(place: DataDir, since: str | None, by: Literal["model", "key", "tenant"]) -> list[dict[str, Any]]:
    """Import what the journals still hold, then read: nobody else does while no server runs."""
    import msgspec

    from gateline.control.ledger import Ledger
    from gateline.control.usage import since_of, totals
    from gateline.store.migrations import migrate
    from gateline.store.sql.base import connect

    if place.has_lost_database:
        fail(f"{place.database} is gone: mount or restore it, an empty one would hide all records")
    migrate(place.database)
    engine = connect(place.database)
    try:
        Ledger(engine, place).run_once()
        rows: list[dict[str, Any]] = msgspec.to_builtins(totals(engine, since_of(since), by))
    finally:
        engine.dispose()
    return rows


def _print_table(rows: list[dict[str, Any]], by: str) -> None:
    from gateline.cli.screen import screen

    if not rows:
        print("no calls in that time")
        return
    console = screen()
    counts = ["requests", "errors", "input_tokens", "output_tokens", "unpriced", *_PARTS]
    shown = [count for count in counts if count not in _WHERE_ANY or any(row[count] for row in rows)]
    unshown: list[str] = []
    while len(shown) > 1 and _width(rows, by, shown) > console.width:
        unshown.insert(0, _head(shown.pop()))
    table = _table(rows, by, shown)
    console.print(table)
    if unshown:
        console.print(f"for want of room without {', '.join(unshown)}: see them with --json")


def _width(rows: list[dict[str, Any]], by: str, counts: list[str]) -> int:
    """Columns of a screen that the figures take beside the narrowest names."""
    figures = [["cost", *map(cost_of, rows)]]
    figures += [[_head(count), *(f"{row[count]:,}" for row in rows)] for count in counts]
    return _NARROWEST[by] + sum(_GAP + max(map(len, cells)) for cells in figures)


def _table(rows: list[dict[str, Any]], by: str, counts: list[str]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Column, Table
    from rich.text import Text

    # Where a screen is narrow, names are folded: a figure that is cut is another figure.
    name_column = Column(by, overflow="fold", min_width=_NARROWEST[by])
    figures = (Column(head, justify="right", no_wrap=True) for head in ("cost", *map(_head, counts)))
    table = Table(name_column, *figures, box=SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        name = row["name"]  # came in over the network: no markup, no control characters
        # No name: refused before anybody read which model was meant.
        shown = Text((name or "–") if name.isprintable() else repr(name))
        table.add_row(shown, cost_of(row), *(f"{row[count]:,}" for count in counts))
    return table


def _head(count: str) -> str:
    return count.removesuffix("_tokens").replace("_", " ")
