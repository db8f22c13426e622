"""The run itself: which figures, in which order, and what becomes of their results."""

from __future__ import annotations

import argparse
import importlib
import resource
import tempfile
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

from benchmarks.harness.bench import Bench, FigureFailed
from benchmarks.harness.machine import describe, load_average
from benchmarks.harness.plot import draw
from benchmarks.harness.report import NoMarkers, Result, Row, document, put_into_readme
from benchmarks.harness.tools import missing_tools

FIGURES = (
    "throughput", "stages", "smg", "held_rate", "https", "bodies", "streams", "latency", "open_streams", "workers",
    "translated", "neighbours", "population", "start", "upheaval", "local_engine",
    "engine_restart", "peers",
)  # fmt: skip
_ROOT = Path(__file__).resolve().parent.parent.parent
_RESULTS = _ROOT / "benchmarks" / "results"
_METHOD = (
    "Every ratio is the median over interleaved rounds of that round's ratio. CPU is user and kernel time of all "
    "processes of a program, from /proc. nginx and Gateline have one worker each and what they are compared on runs "
    "on the same core; load and upstream (nginx with a canned reply) run on the others."
)
_TITLE = "Requests per CPU-second, 64 connections, 600-byte reply"


def main() -> int:
    options = _options()
    bench_options = (options.rounds, options.seconds, options.quick)
    reasons = missing_tools()
    if reasons:
        print("\n".join(f"the suite needs what is not here: {reason}" for reason in reasons))
        return 1
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 65_536)), hard))
    before = load_average()
    with tempfile.TemporaryDirectory(prefix="gateline-bench-") as scratch:
        results = _measure(options.only, Path(scratch), *bench_options)
    machine = [*describe(), f"load average {before} before the run, {load_average()} after it"]
    return _publish(options, machine, results)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures Gateline against nginx and other gateways.")
    parser.add_argument("--only", default=list(FIGURES), type=_names, help=f"of {', '.join(FIGURES)}, by commas")
    parser.add_argument("--rounds", type=int, default=0, help="interleaved rounds (5; 2 with --quick)")
    parser.add_argument("--seconds", type=float, default=0.0, help="of load a contestant and round (8; 2 with --quick)")
    parser.add_argument("--quick", action="store_true", help="short, for developing: prints, and writes no file")
    parser.add_argument("--readme", action="store_true", help="replace the README's table; needs all figures")
    options = parser.parse_args()
    options.rounds = options.rounds or (2 if options.quick else 5)
    options.seconds = options.seconds or (2.0 if options.quick else 8.0)
    if options.readme and (options.quick or options.only != list(FIGURES)):
        parser.error("--readme publishes a whole run: leave out --only and --quick")
    return options


def _names(text: str) -> list[str]:
    names = text.split(",")
    unknown = sorted(set(names) - set(FIGURES))
    if unknown:
        raise argparse.ArgumentTypeError(f"no such figure: {', '.join(unknown)}")
    return names


def _measure(names: list[str], scratch: Path, rounds: int, seconds: float, quick: bool) -> list[Result]:
    results: list[Result] = []
    for number, name in enumerate(names, 1):
        print(f"[{number}/{len(names)}] {name} …", flush=True)
        began = time.monotonic()
        module = importlib.import_module(f"benchmarks.load.{name}")
        folder = scratch / name
        folder.mkdir()
        result = _one(module, Bench(folder, rounds, seconds, quick))
        results.append(result)
        for row in result.rows:
            print(f"    {row.figure}: {row.measured}", flush=True)
        print(f"    took {time.monotonic() - began:.0f} s", flush=True)
    return results


def _one(module: ModuleType, bench: Bench) -> Result:
    title = str(module.__doc__).split(".", 1)[0].replace("\n", " ")
    try:
        result: Result = module.measure(bench)
    except FigureFailed as error:
        return Result(title, [Row(title, "", f"not measured: {error}")])
    except Exception as error:  # noqa: BLE001 - a figure's boundary: the others are still worth their hour
        traceback.print_exc()
        return Result(title, [Row(title, "", f"not measured: {type(error).__name__}: {error}")])
    return result


def _publish(options: argparse.Namespace, machine: list[str], results: list[Result]) -> int:
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    is_whole = options.only == list(FIGURES)
    stem = day if is_whole else f"{day}-{'-'.join(options.only)}"
    bars = {name: value for result in results for name, value in result.bars.items()}
    plot = f"{stem}.svg" if bars else ""
    text = document(day, machine, _METHOD, results, plot)
    if options.quick:
        print(f"\n{text}")
        return 0
    _RESULTS.mkdir(exist_ok=True)
    (_RESULTS / f"{stem}.md").write_text(text)
    if bars:
        (_RESULTS / plot).write_text(draw(bars, "Gateline", _TITLE))
    print(f"written: benchmarks/results/{stem}.md")
    if options.readme:
        try:
            put_into_readme(_ROOT / "README.md", results, day, f"benchmarks/results/{stem}.md")
        except NoMarkers as error:
            print(error)
            return 1
    return 0
