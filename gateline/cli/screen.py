"""Where tables go: the terminal's width where one reads along, and no cut where a program does."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_UNCUT = 10_000  # columns: in a pipe or a file nothing ends at the 80th


def screen() -> Console:
    """Standard output. `COLUMNS` says the width where it is set."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal or "COLUMNS" in os.environ else Console(width=_UNCUT)
