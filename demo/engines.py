"""What a person watches while the local models arrive: a bar for each, from the events of the gateway's log."""

from __future__ import annotations

import queue
import time
from collections import Counter
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from demo.failed import DemoFailed, must
from demo.gateway import Gateway
from demo.stopwatch import Stopwatch

MODELS = ("local-chat", "local-embed")
_PATIENCE = 300.0  # seconds without a word from an engine that is not ready
_DEATHS = 3  # of an engine, after which nobody expects it to come any more
_ADVICE = {
    "weights could not be fetched": "Check the network and the package index, then run `make demo` again.",
    "engine cannot run": "Run `make clean demo` to install the local engine anew.",
    "engine broke": "Run `make demo` again; if it breaks again, the log says where.",
}


def wait_for_engines(console: Console, gateway: Gateway, watch: Stopwatch) -> None:
    """Returns when both models serve. Raises DemoFailed when one cannot."""
    columns = (
        TextColumn("   {task.description:<12}"),
        BarColumn(30),
        TextColumn("{task.fields[phase]}"),
    )
    with Progress(*columns, console=console) as progress:
        tasks = {name: progress.add_task(name, total=None, phase="starting") for name in MODELS}
        waiting = set(MODELS)
        deaths: Counter[str] = Counter()
        until = time.monotonic() + _PATIENCE
        while waiting:
            try:
                event = gateway.events.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                raise DemoFailed(f"no word from {' and '.join(sorted(waiting))} for {_PATIENCE:g} s.") from None
            if event.get("event") == "process_died":
                deaths[event["process"]] += 1
                must(deaths[event["process"]] < _DEATHS, f"{event['process']} does not start: its log says why.")
            name = event.get("engine")
            if name not in waiting:
                continue
            until = time.monotonic() + _PATIENCE
            _show(progress, tasks[name], event)
            if event["event"] == "engine ready":
                waiting.discard(name)
                if name == "local-chat":  # the other one is not on the way to the first token
                    watch.steps[f"fetch weights of {name}"] = event["fetch_seconds"]
                    watch.steps[f"load {name}"] = event["load_seconds"]


def _show(progress: Progress, task: TaskID, event: dict[str, Any]) -> None:
    what = event["event"]
    if what in _ADVICE:
        detail = event.get("error") or event.get("missing") or "no reason given"
        raise DemoFailed(f"{event['engine']}: {what}: {detail}. {_ADVICE[what]}")
    if what == "fetching weights":
        done, total = event["bytes_done"], event["bytes_total"]
        shown = f"{done / 1e6:.0f} of {total / 1e6:.0f} MB" if total else f"{done / 1e6:.0f} MB"
        progress.update(task, phase=f"{what}: {shown}", completed=done, total=total)
    elif what == "engine ready":
        size = progress.tasks[task].total or 1
        seconds = f"fetched in {event['fetch_seconds']:.1f} s, loaded in {event['load_seconds']:.1f} s"
        progress.update(task, phase=f"ready: {seconds}", total=size, completed=size)
        progress.stop_task(task)
    elif what not in {"engine started", "engine stopped"}:
        progress.update(task, phase=what)
