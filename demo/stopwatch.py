"""Where the time from `make demo` to the first streamed token went."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Stopwatch:
    """`started` is epoch seconds. `steps_file` holds what was done before this process began, a step a line; steps of
    earlier runs do not count."""

    def __init__(self, started: float, steps_file: Path) -> None:
        self._started = started
        self.steps: dict[str, float] = {}
        for line in steps_file.read_text().splitlines() if steps_file.is_file() else ():
            name, began, ended = line.split("\t")
            if float(began) >= started - 1:  # make knows whole seconds only
                self.steps[name] = float(ended) - float(began)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.steps[name] = time.monotonic() - began

    def since_start(self) -> float:
        return time.time() - self._started

    def slowest(self, count: int = 3) -> list[tuple[str, float]]:
        return sorted(self.steps.items(), key=lambda step: -step[1])[:count]
