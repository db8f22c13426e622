"""`make fuzz`: every target under atheris for the same time, two at a time, from one seed, so that a run repeats.

Starts `drive.py` once a target and reads what libFuzzer says of it. New inputs go to a folder that is thrown away; one
that breaks its target's promise is kept under `build/fuzz`, printed, and fails the run.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

ROOT = Path(__file__).parents[2]
CORPUS = Path(__file__).parent / "corpus"
FOUND = Path("build", "fuzz")  # under ROOT; `make clean` empties it
DRIVE = (sys.executable, "-m", "tests.fuzz.drive")
_AT_ONCE = 2
_SEED = 1
_SLOW = 20  # seconds for one input: a parser that takes this long is a find as well
_STARTING = 120  # seconds beyond its own time after which a target is stuck
_TOLD = 40  # lines of its output shown when it fails
_RUNS = re.compile(r"Done (\d+) runs in (\d+) second")
_SEEN = re.compile(r"cov: (\d+) ft: (\d+)")


def names() -> list[str]:
    """The targets, by their corpora."""
    return sorted(path.name for path in CORPUS.iterdir())


def fuzz(
    targets: Sequence[str], seconds: int, *, drive: Sequence[str] = DRIVE, found: Path = ROOT / FOUND
) -> list[str]:
    """Runs the targets, says how each went, and returns the names of those that failed."""
    say(f"Fuzzing {len(targets)} targets for {seconds} s each, {_AT_ONCE} at a time, seed {_SEED}.")
    failed = []
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        runs = {pool.submit(run, target, seconds, drive, found): target for target in targets}
        for done in as_completed(runs):
            target, trouble = runs[done], done.result()
            say(trouble)
            if not trouble.startswith(f"{target}: ok"):
                failed.append(target)
    return sorted(failed)


def run(target: str, seconds: int, drive: Sequence[str], found: Path) -> str:
    """One target's verdict: a line that starts with `TARGET: ok`, or all that is needed to see it fail again."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        new, bad = Path(folder, "new"), Path(folder, "bad")
        new.mkdir()
        bad.mkdir()
        options = [f"-max_total_time={seconds}", f"-seed={_SEED}", f"-timeout={_SLOW}", f"-artifact_prefix={bad}/"]
        try:
            ended = subprocess.run(
                [*drive, target, str(new), str(CORPUS / target), *options],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env={**os.environ, "PYTHONHASHSEED": "0"},
                timeout=seconds + _STARTING,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"{target}: FAILED: it had not ended {_STARTING} s after its time"
        out = ended.stdout.decode(errors="replace")
        runs, seen = _RUNS.search(out), _SEEN.findall(out)
        if ended.returncode == 0 and runs is not None and seen:
            places, ways = seen[-1]
            return f"{target}: ok, {int(runs[1]):,} inputs in {runs[2]} s, {places} places and {ways} ways seen"
        lines = [f"{target}: FAILED, exit status {ended.returncode}", *_worth_telling(out)]
        for path in sorted(bad.iterdir()):
            found.mkdir(parents=True, exist_ok=True)
            lines += told(target, Path(shutil.copy(path, found / f"{target}-{path.name}")))
    return "\n".join(lines)


def _worth_telling(out: str) -> list[str]:
    return [line for line in out.splitlines() if not line.startswith("INFO: Instrumenting ")][-_TOLD:]


def told(target: str, path: Path) -> list[str]:
    """Where the input is, what is in it, and two ways to see it fail: by its bytes alone, and for good."""
    data = path.read_bytes()
    program = f"from tests.fuzz.targets import TARGETS; TARGETS[{target!r}]({data!r})"
    return [
        f"the input: {path} ({len(data)} bytes)",
        repr(data),
        f"replay it:  .venv/bin/python -c {shlex.quote(program)}",
        f"keep it:    cp {shlex.quote(str(path))} tests/fuzz/corpus/{target}/ && make test ARGS=tests/fuzz",
    ]


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", help=f"of {', '.join(names())}; all of them when none is named")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    asked = parser.parse_args(words)
    unknown = set(asked.targets) - set(names())
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    failed = fuzz(asked.targets or names(), asked.seconds)
    if failed:
        say(f"Fuzzing failed: {', '.join(failed)}.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
