"""How a command ends that could not do what it was asked."""

from __future__ import annotations

from typing import NoReturn

import typer


def fail(message: str) -> NoReturn:
    """Says why on standard error, and exits with 1."""
    typer.echo(message, err=True)
    raise typer.Exit(1)
