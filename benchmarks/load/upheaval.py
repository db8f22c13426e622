"""Reload, a worker killed, a worker restarted: twenty times each at half of the peak, with a hundred open streams."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.harness.bench import Bench, FigureFailed, all_cores
from benchmarks.harness.report import Result, Row
from tests.journey.upheaval import STREAMS, Outcome, Upheaval, upheaval

_TURNS, _QUICK_TURNS = 20, 2
_TURNS_A_STORY = 5
_STORIES: dict[str, tuple[str, Callable[[Upheaval], None]]] = {
    "reload": ("SIGHUP with a changed file", Upheaval.reload),
    "kill": ("`kill -9` of a worker", Upheaval.kill),
    "restart": ("SIGTERM to a worker", Upheaval.restart),
}


def measure(bench: Bench) -> Result:
    turns = _QUICK_TURNS if bench.quick else _TURNS
    told: dict[str, Outcome] = {}
    for name, (_, disturb) in _STORIES.items():
        try:
            told[name] = _told(bench, name, turns, disturb)
        except AssertionError as error:  # the story's own way to say that a condition has not come
            raise FigureFailed(f"{name}: {error}") from error
    rows = [_row(name, outcome) for name, outcome in told.items()]
    how = (
        f"A gateway of two workers, the scripted provider and the clients on the same {all_cores()} cores; {STREAMS} "
        "streams of 2.4 s each are open all the while. A failure counts unless the request ended before the first "
        "byte of an answer on a connection of the worker that was ended, and was answered when asked again. After "
        "each story the ledger was compared with the provider's invoice by id, and every answer was found in it."
    )
    notes = [
        how,
        "",
        *(f"- {name}: {outcome}" for name, outcome in told.items()),
        *(f"- {name}, failed: {each}" for name, outcome in told.items() for each in outcome.unsound[:5]),
    ]
    return Result("Upheaval", rows, notes)


def _told(bench: Bench, name: str, turns: int, disturb: Callable[[Upheaval], None]) -> Outcome:
    """In several stories: of one, the provider's invoice must hold every line."""
    parts = [
        upheaval(bench.folder(f"{name}-{first}"), min(_TURNS_A_STORY, turns - first), disturb)
        for first in range(0, turns, _TURNS_A_STORY)
    ]
    whole = parts[0]
    for part in parts[1:]:
        whole.turns += part.turns
        whole.answered += part.answered
        whole.streamed += part.streamed
        whole.mended += part.mended
        whole.written_off += part.written_off
        whole.unsound += part.unsound
    return whole


def _row(name: str, outcome: Outcome) -> Row:
    mended = f", {outcome.mended} asked again" if outcome.mended else ""
    written_off = f", {outcome.written_off} streams died with their worker" if outcome.written_off else ""
    return Row(
        f"{_STORIES[name][0]}, {outcome.turns} times at half of the peak, {STREAMS} open streams",
        "0 failures",
        f"{len(outcome.unsound)} failures in {outcome.answered + outcome.streamed:,}{mended}{written_off}",
        not outcome.unsound,
    )
