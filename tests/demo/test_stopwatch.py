"""The time to the first token counts from `make demo`, and names what was done in this run only."""

from __future__ import annotations

import time
from pathlib import Path

from demo.stopwatch import Stopwatch


def test_steps_of_an_earlier_run_do_not_count(tmp_path: Path) -> None:
    """The file grows with every installation; only lines of this run are taken."""
    steps = tmp_path / "steps"
    steps.write_text("install packages\t100.0\t190.0\ninstall packages\t1000.5\t1030.5\nmake .venv\t998.0\t1000.4\n")
    watch = Stopwatch(1000, steps)
    assert watch.steps == {"install packages": 30.0}


def test_no_file_is_no_steps(tmp_path: Path) -> None:
    """A second `make demo` installs nothing."""
    assert Stopwatch(time.time(), tmp_path / "none").steps == {}


def test_the_slowest_come_first(tmp_path: Path) -> None:
    """Three steps, longest first."""
    watch = Stopwatch(time.time(), tmp_path / "none")
    watch.steps = {"a": 1.0, "b": 9.0, "c": 5.0, "d": 7.0}
    assert watch.slowest() == [("b", 9.0), ("d", 7.0), ("c", 5.0)]
