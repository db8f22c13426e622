"""What a person sees while a run lasts: a line that lives on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections import deque
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from gateline.bench.plan import Plan
from gateline.bench.tally import Tally

REFRESH = 0.25  # seconds
_LINES_EVERY = 4  # refreshes between two plain lines
_WINDOW = 8  # refreshes that the shown rate is taken over


class Display:
    """`show` at each refresh; writes to stderr, so that stdout has the result alone."""

    def __init__(self, plan: Plan, *, is_quiet: bool = False) -> None:
        self._console = Console(stderr=True, quiet=is_quiet)
        self._total = _total(plan)
        self._by_time = plan.duration is not None
        self._progress = Progress(
            BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn(), console=self._console
        )
        self._task = self._progress.add_task("connecting", total=self._total)
        self._live: Live | None = None
        self._past: deque[tuple[float, int]] = deque([(0.0, 0)], maxlen=_WINDOW)
        self._shown = 0

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(self._progress, console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, tally: Tally, seconds: float) -> None:
        self._past.append((seconds, tally.done))
        line = self._line(tally)
        if self._live is not None:
            done = seconds if self._by_time else tally.done
            self._progress.update(self._task, description=line, completed=min(done, self._total or done))
            self._live.refresh()
        elif self._shown % _LINES_EVERY == _LINES_EVERY - 1:
            self._console.print(f"{seconds:6.1f} s  {line}", highlight=False, soft_wrap=True)
        self._shown += 1

    def _line(self, tally: Tally) -> str:
        (then, before), (now, done) = self._past[0], self._past[-1]
        rate = (done - before) / (now - then) if now > then else 0.0
        latency = tally.spread("latency")
        times = f"p50 {latency.at(50):.2f} ms  p99 {latency.at(99):.2f} ms" if latency.count else "no answer yet"
        return f"{rate:,.0f} req/s  {times}  open {tally.open:,}  errors {tally.failed:,}"


def _total(plan: Plan) -> float | None:
    """What the bar is full at: seconds of the run, or requests."""
    if plan.duration is not None:
        return plan.duration
    return len(plan.trace) if plan.requests is None and plan.trace is not None else plan.requests
