"""`gateline import`: configurations of other gateways, turned into one of ours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateline.cli.failure import fail

if TYPE_CHECKING:
    from gateline.control.importers.litellm import Imported

app = typer.Typer(help="Take over the configuration of another gateway.", no_args_is_help=True)


@app.callback()
def import_() -> None:
    """Take over the configuration of another gateway."""


@app.command("litellm")
def litellm(
    file: Annotated[Path, typer.Argument(help="LiteLLM's config.yaml.")],
    *,
    output: Annotated[Path | None, typer.Option(help="Where ours goes, a new file (default: standard output).")] = None,
) -> None:
    """Turn a LiteLLM configuration into ours; name each field that did not come along, with its line and the reason."""
    from gateline.control.document import read_document
    from gateline.control.importers.litellm import import_litellm
    from gateline.control.mistakes import ConfigMistakes
    from gateline.control.written import AsWritten

    try:
        found = import_litellm(read_document(file, AsWritten()))
    except ConfigMistakes as error:
        for mistake in error.mistakes:
            typer.echo(mistake.within(file), err=True)
        raise typer.Exit(1) from None
    for left in found.left:
        typer.echo(f"{file}:{left}", err=True)
    if not found.providers:
        fail(f"{file}: no model could be carried")
    if output is None:
        print(found.text, end="")
    else:
        _write(output, found.text)
    typer.echo(_summary(found, output), err=True)


def _summary(found: Imported, output: Path | None) -> str:
    left = f"{_count(len(found.left), 'field')} to look at, above" if found.left else "everything came along"
    then = f"; next: gateline check {output}" if output is not None else ""
    return f"{_count(found.providers, 'provider')}, {_count(found.models, 'model')}; {left}{then}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _write(output: Path, text: str) -> None:
    """For its owner's eyes: keys that stood in LiteLLM's file stand in ours. Never over a file that is there."""
    from gateline.control.compile import write_whole

    if output.exists():
        fail(f"{output} is there already: name another file")
    try:
        write_whole(output, text.encode())
    except OSError as error:
        fail(f"{output} cannot be written: {error.strerror}")
