"""`gateline check`: says everything that is wrong with a configuration, before a server is asked to run it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_SHOWN = 10  # names of models without a price


def check(file: Annotated[Path, typer.Argument(help="The configuration, usually gateline.yaml.")]) -> None:
    """Check a configuration file: each mistake with its line and field; exit 1 if there is any.

    What is no mistake and hardly meant is said as well.
    """
    from gateline.control.compile import RowRegistry, TooManyRows, compile_snapshot, engines_of
    from gateline.control.config import load
    from gateline.control.doubts import doubts
    from gateline.control.mistakes import ConfigMistakes

    try:
        config = load(file)
        snapshot = compile_snapshot(config, RowRegistry(), 1)
    except ConfigMistakes as error:
        for mistake in error.mistakes:
            print(mistake.within(file))
        raise typer.Exit(1) from None
    except TooManyRows as error:
        print(f"{file}: models: {error}")
        raise typer.Exit(1) from None
    for doubt in doubts(config):
        print(f"{file}: in doubt: {doubt}")
    models = [model for tenant in snapshot.models.values() for model in tenant.values()]
    unpriced = sorted({target.label for model in models for target in model.targets if target.price is None})
    engines = engines_of(snapshot)
    said = [_count(len(config.providers), "provider"), _count(len(models), "model")]
    said += [f"local engines {', '.join(engines)}"] if engines else []
    said += [f"no known price for {_some(unpriced)}"] if unpriced else []
    print(f"{file}: good: {'; '.join(said)}")


def _some(names: list[str]) -> str:
    """A whole list served by `models: auto` may have many."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
