"""The command line, assembled. Each command's module imports what it runs inside the command: help stays instant."""

from __future__ import annotations

from typing import Annotated

import typer

from gateline.cli import bench, check, fake, import_, keys, models, providers, serve, usage

app = typer.Typer(
    name="gateline",
    help="Gateline, an AI gateway: one fast front door for every model.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        from gateline import __version__

        print(f"gateline {__version__}")
        raise typer.Exit


@app.callback()
def gateline(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    """Gateline, an AI gateway: one fast front door for every model."""


app.command("serve")(serve.serve)
app.add_typer(keys.app, name="keys")
app.command("check")(check.check)
app.command("usage")(usage.usage)
app.command("models")(models.models)
app.add_typer(providers.app, name="providers")
app.add_typer(import_.app, name="import")
app.command("fake")(fake.fake)
app.command("bench")(bench.bench)
