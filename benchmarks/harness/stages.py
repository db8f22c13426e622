"""Where a worker's time goes: samples of its stacks, summed by the stage (the file) that was at work."""

from __future__ import annotations

import cProfile
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness.bench import FigureFailed
from benchmarks.harness.dry import PLAIN_REPLY, chat_request, dry_gateway
from benchmarks.harness.process import pinned, run_to_end
from benchmarks.harness.wrk import chat_body

_RATE = 400  # samples a second
_INSTALL_SECONDS = 120.0
_DRY_REQUESTS = 5_000
_LEAST = 0.005  # of all samples: rows below it are summed as "the rest"


def find_py_spy(folder: Path) -> str | None:
    """Its path: beside this Python, on the PATH, or installed into `folder`. None where it cannot be had."""
    beside = Path(sys.executable).with_name("py-spy")
    if beside.exists():
        return str(beside)
    found = shutil.which("py-spy")
    if found is not None:
        return found
    try:
        run_to_end([sys.executable, "-m", "venv", str(folder)], "venv", _INSTALL_SECONDS)
        run_to_end([str(folder / "bin" / "pip"), "install", "-q", "py-spy"], "pip install py-spy", _INSTALL_SECONDS)
    except FigureFailed:
        return None
    return str(folder / "bin" / "py-spy")


def sample(py_spy: str, pid: int, seconds: float, output: Path, cores: Sequence[int]) -> list[str]:
    """Folded stacks, one a line with its count; `cores` are the sampler's. Raises FigureFailed when the process may not
    be looked into."""
    command = [py_spy, "record", "--native", "--threads", "--format", "raw", "--rate", str(_RATE), "--duration"]
    command += [str(max(1, round(seconds))), "--pid", str(pid), "--output", str(output)]
    run_to_end(pinned(command, cores), "py-spy", seconds + 60.0)
    # Only the loop's thread: another that waits inside native code is taken for a busy one.
    return [line for line in output.read_text().splitlines() if "MainThread" in line.partition(";")[0]]


def by_stage(stacks: list[str]) -> list[tuple[str, float]]:
    """The share of each stage: the innermost frame of ours, with what ran below it outside Python named apart where
    it is one of the few things that matter by themselves."""
    counts: Counter[str] = Counter()
    for line in stacks:
        stack, _, count = line.rpartition(" ")
        counts[_stage(stack.split(";"))] += int(count)
    if not counts:
        raise FigureFailed("py-spy saw no stack")
    return _shares(counts)


def by_clock(folder: Path) -> list[tuple[str, float]]:
    """The same without samples, where py-spy cannot be had: the pipeline without sockets, with the time of every call
    taken. It knows no kernel, and small functions look dearer than they are."""
    request = chat_request(chat_body())
    profiler = cProfile.Profile()
    with dry_gateway(folder) as gateway:
        profiler.enable()
        for _ in range(_DRY_REQUESTS):
            gateway.ask(request, PLAIN_REPLY)
        profiler.disable()
    counts: Counter[str] = Counter()
    for entry in profiler.getstats():
        code = entry.code
        if isinstance(code, str):
            counts[code] += round(entry.inlinetime * 1e9)
        else:
            path = code.co_filename.rpartition("gateline/")[2].removesuffix(".py")
            counts[f"{path}.{code.co_qualname}"] += round(entry.inlinetime * 1e9)
    return _shares(counts)


def _shares(counts: Counter[str]) -> list[tuple[str, float]]:
    total = counts.total()
    shares = [(stage, count / total) for stage, count in counts.most_common()]
    shown = [share for share in shares if share[1] >= _LEAST]
    rest = 1.0 - sum(share for _, share in shown)
    return [*shown, ("the rest", rest)] if rest > _LEAST / 10 else shown


def _stage(frames: list[str]) -> str:
    for place in range(len(frames) - 1, -1, -1):
        name, _, where = frames[place].partition(" (")
        if "gateline/" in where and ".py" in where:
            path = where[where.index("gateline/") + len("gateline/") :].partition(".py")[0]
            return f"{path}.{name}{_below(frames[place + 1 :])}"
    return f"event loop{_below(frames)}"


def _below(frames: list[str]) -> str:
    """What the kernel or a library was asked for, from the names of native frames."""
    text = ";".join(frame.partition(" (")[0] for frame in frames)
    for mark, name in (
        ("writev", "write"),
        ("write", "write"),
        ("send", "write"),
        ("recv", "read"),
        ("read", "read"),
        ("epoll", "wait"),
    ):
        if f";{mark}" in f";{text}" or f"__{mark}" in text or f"libc_{mark}" in text:
            return f" → {name}"
    return ""
