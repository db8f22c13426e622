"""What every figure is given: where to work, how long to measure, which cores are whose."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


class FigureFailed(Exception):
    """The figure cannot be measured here; the message says why, for the report."""


@dataclass(frozen=True, slots=True)
class Bench:
    """`seconds` is one contestant's share of one round. `quick` is for developing: figures may cut what takes long,
    and nothing that comes out is meant to be published."""

    scratch: Path
    rounds: int
    seconds: float
    quick: bool

    def folder(self, name: str) -> Path:
        """A fresh folder for one program's files."""
        path = self.scratch / name
        number = 1
        while path.exists():
            number += 1
            path = self.scratch / f"{name}-{number}"
        path.mkdir(parents=True)
        return path


@dataclass(frozen=True, slots=True)
class Cores:
    """`tested` run what is measured, `load` the generator and the upstream. They overlap only on a one-core machine,
    or where a figure asks for all cores."""

    tested: tuple[int, ...]
    load: tuple[int, ...]

    def __str__(self) -> str:
        return f"tested on {_listed(self.tested)}, load and upstream on {_listed(self.load)}"


def cores(tested: int = 1) -> Cores:
    """The first `tested` cores this process may use for what is measured, the others for the load; where none are
    left, the load shares them all."""
    mine = tuple(sorted(os.sched_getaffinity(0)))
    return Cores(mine[:tested], mine[tested:] or mine)


def all_cores() -> int:
    return len(os.sched_getaffinity(0))


def _listed(numbers: tuple[int, ...]) -> str:
    word = "core" if len(numbers) == 1 else "cores"
    return f"{word} {', '.join(map(str, numbers))}"
