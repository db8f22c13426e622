"""`gateline usage`: totals of the ledger, asked of the running server, else read from the data directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from gateline.cli.failure import fail

if TYPE_CHECKING:
    from gateline.store.datadir import DataDir

_ID_WIDTH = 24  # of a key's id, which is of no use when it is cut
_PARTS = (  # shown where some call had any
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "input_image_tokens",
    "output_image_tokens",
    "cached_audio_tokens",
)
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
    """Unknown is said to be unknown, beside what is known."""
    unpriced = row["unpriced"]
    if not unpriced:
        return dollars(row["cost"])
    if unpriced >= row["requests"] or not row["cost"]:
        return f"unknown ({unpriced} unpriced)"
    return f"{dollars(row['cost'])} + {unpriced} unpriced"


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
    from rich.table import Column, Table
    from rich.text import Text

    from gateline.cli.screen import screen

    if not rows:
        print("no calls in that time")
        return
    counts = ["requests", "errors", "input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens"]
    counts += [part for part in _PARTS if any(row[part] for row in rows)]
    heads = (count.removesuffix("_tokens").replace("_", " ") for count in counts)
    table = Table(Column(by, no_wrap=True, min_width=_ID_WIDTH if by == "key" else None), *heads, "cost")
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        name = row["name"]  # came in over the network: no markup, no control characters
        # No name: refused before anybody read which model was meant.
        shown = Text((name or "–") if name.isprintable() else repr(name))
        table.add_row(shown, *(f"{row[count]:,}" for count in counts), cost_of(row))
    screen().print(table)
