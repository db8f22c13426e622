"""A profile of the throughput case, stage by stage: `python benchmarks/profile.py [--seconds S]` prints Markdown."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path


def main() -> int:
    from benchmarks.harness.bench import Bench
    from benchmarks.harness.tools import missing_tools
    from benchmarks.load.stages import measure

    parser = argparse.ArgumentParser(description="Profiles the throughput case, stage by stage.")
    parser.add_argument("--seconds", type=float, default=10.0, help="of load")
    options = parser.parse_args()
    reasons = missing_tools()
    if reasons:
        print("\n".join(f"the profile needs what is not here: {reason}" for reason in reasons))
        return 1
    with tempfile.TemporaryDirectory(prefix="gateline-profile-") as scratch:
        print("\n".join(measure(Bench(Path(scratch), 1, options.seconds, quick=False)).notes))
    return 0


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)  # see run.py
    raise SystemExit(main())
