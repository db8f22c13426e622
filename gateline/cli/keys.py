"""`gateline keys`: create, list and revoke, through the running server, else straight in the data directory."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from gateline.cli.failure import fail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from gateline.control.client import Control
    from gateline.control.keys import Keys
    from gateline.store.datadir import DataDir

app = typer.Typer(help="Keys that clients call with.", no_args_is_help=True)

DataDirOption = Annotated[Path | None, typer.Option(help="Data directory (default: $GATELINE_DATA or the platform's).")]
JsonOption = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]


@app.command("create")
def create(
    *,
    name: Annotated[str, typer.Option(help="Who or what will use it.")],
    tenant: Annotated[str, typer.Option(help="The tenant it belongs to.")] = "default",
    requests_per_minute: Annotated[int | None, typer.Option(help="Limit (default: none).")] = None,
    concurrency: Annotated[int | None, typer.Option(help="Requests at once (default: no limit).")] = None,
    models: Annotated[str | None, typer.Option(help="Models it may use, comma-separated (default: all).")] = None,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
) -> None:
    """Make a key and print it: now, and never again."""
    wish: dict[str, Any] = {
        "name": name,
        "tenant": tenant,
        "requests_per_minute": requests_per_minute,
        "concurrency": concurrency,
        "models": [model.strip() for model in models.split(",")] if models is not None else None,
    }
    made = _create(_data_dir(data_dir), wish)
    if as_json:
        print(json.dumps(made))
        return
    typer.echo(f"{made['key']['id']} for {made['key']['name']}; keep the key, it is shown this once:", err=True)
    print(made["token"])


@app.command("list")
def list_keys(as_json: JsonOption = False, data_dir: DataDirOption = None) -> None:
    """All keys, without their secrets."""
    keys = _all(_data_dir(data_dir))
    if as_json:
        print(json.dumps(keys))
    else:
        _print_table(keys)


@app.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID")],
    *,
    running: Annotated[Literal["finish", "cut"], typer.Option(help="What becomes of its calls under way.")] = "finish",
    data_dir: DataDirOption = None,
) -> None:
    """Refuse a key from now on; returns when every worker has acknowledged it, and exits 1 if one has not."""
    from gateline.control.client import ControlRefused

    place = _data_dir(data_dir)
    with _failures_told():
        server = _reach(place)
        if server is None:
            with _kept_keys(place) as keys:
                keys.revoke(key_id)
            print("revoked; no server runs here")
            return
        with server:
            try:
                outcome = server.ask("DELETE", f"/keys/{key_id}", params={"running": running})
            except ControlRefused as error:
                if "missing" not in error.body:
                    raise
                outcome = error.body
    done, missing = outcome["acknowledged"], outcome["missing"]
    print(f"acknowledged by {len(done)} of {len(done) + len(missing)} workers in {outcome['milliseconds']:g} ms")
    if missing:
        fail(f"not yet by worker {', '.join(map(str, missing))}: run this again")


def _create(place: DataDir, wish: dict[str, Any]) -> dict[str, Any]:
    with _failures_told():
        server = _reach(place)
        if server is not None:
            with server:
                return server.ask("POST", "/keys", json=wish)
        from gateline.control.keys import KeyWish, described

        if wish["models"] is not None:
            wish["models"] = tuple(wish["models"])
        is_new = not place.database.exists()
        with _keys(place) as keys:
            token, key = keys.create(KeyWish(**wish))
        if is_new:
            typer.echo(
                f"made a new data directory at {place.root}: a gateway with another knows no key of it", err=True
            )
        return {"token": token, "key": described(key)}


def _all(place: DataDir) -> list[dict[str, Any]]:
    """Every key, page by page."""
    from gateline.control.keys import PAGE, listed

    def through(server: Control, after: int) -> list[dict[str, Any]]:
        page: list[dict[str, Any]] = server.ask("GET", "/keys", params={"after": after, "limit": PAGE})["keys"]
        return page

    with _failures_told():
        server = _reach(place)
        if server is not None:
            with server:
                return _pages(lambda after: through(server, after))
        with _kept_keys(place) as keys:
            return _pages(lambda after: [listed(stored) for stored in keys.list_keys(after, PAGE)])


def _pages(read: Callable[[int], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while page := read(found[-1]["slot"] if found else -1):
        found += page
    return found


def _data_dir(named: Path | None) -> DataDir:
    from gateline.store.datadir import DataDir, default_data_dir

    return DataDir(named or default_data_dir())


def _reach(place: DataDir) -> Control | None:
    from gateline.control.client import reach

    return reach(place)


def _kept_keys(place: DataDir) -> AbstractContextManager[Keys]:
    """The same of a data directory that must be there: a name that is mistyped makes nothing."""
    if not place.database.exists() and not place.has_lost_database:
        fail(f"there is no data directory at {place.root}: name one with --data-dir; `keys create` makes it")
    return _keys(place)


@contextmanager
def _keys(place: DataDir) -> Iterator[Keys]:
    """The keys of a data directory on which no server runs; made when it is not there."""
    from gateline.control.keys import Keys
    from gateline.store.migrations import migrate
    from gateline.store.sql.base import connect

    if place.has_lost_database:
        fail(f"{place.database} is gone: mount or restore it, an empty one would hide all keys")
    place.create()
    migrate(place.database)
    engine = connect(place.database)
    try:
        yield Keys(engine, place.pepper())
    finally:
        engine.dispose()


@contextmanager
def _failures_told() -> Iterator[None]:
    from sqlalchemy.exc import OperationalError

    from gateline.control.client import ControlRefused
    from gateline.control.keys import BadKey, UnknownKey
    from gateline.store.sql.keys import NoSlotLeft

    try:
        yield
    except (BadKey, UnknownKey, NoSlotLeft, ControlRefused) as error:
        fail(str(error))
    except OperationalError as error:
        fail(f"the database cannot be used now: {error.orig}")
    except OSError as error:
        fail(f"the data directory cannot be used: {error}")


def _print_table(keys: list[dict[str, Any]]) -> None:
    from rich.table import Column, Table
    from rich.text import Text

    from gateline.cli.screen import screen

    table = Table(
        Column("id", no_wrap=True, min_width=24),
        "name",
        "tenant",
        "req/min",
        "at once",
        "models",
        Column("state", no_wrap=True),
    )
    for key in keys:
        state = "revoked" if key["revoked"] else "admin" if key["admin"] else "active"
        cells = (
            key["id"],
            key["name"],
            key["tenant"],
            str(key["requests_per_minute"] or "–"),
            str(key["concurrency"] or "–"),
            ", ".join(key["models"]) if key["models"] else "all",
            state,
        )
        table.add_row(*map(Text, cells))  # Text: a name is no markup
    screen().print(table)
