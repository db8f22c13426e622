"""The whole suite: `python benchmarks/run.py [--only NAME,…] [--rounds N] [--seconds S] [--quick] [--readme]`."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)  # not this folder: its profile.py is not Python's own
    from benchmarks.harness.suite import main

    raise SystemExit(main())
