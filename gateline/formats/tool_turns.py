"""Tool uses and their results in the order, and under the ids, that every vendor takes.

What clients may send and vendors answer with 400: results of one turn's uses that do not all stand directly behind it,
and an id that was used before.
"""

from __future__ import annotations

import msgspec

from gateline.model.chat import Part, ToolResult, ToolUse, Turn

_replace = msgspec.structs.replace


def gathered(turns: list[Turn]) -> list[Turn]:
    """The turns with all results between two answers in one turn ahead of whatever else was said there; as they were
    where that is so."""
    answers = [at for at, turn in enumerate(turns) if turn.role == "assistant"]
    found: list[Turn] = []
    is_changed = False
    for at, end in zip([-1, *answers], [*answers, len(turns)], strict=True):
        between = turns[at + 1 : end]
        if at >= 0:
            found.append(turns[at])
        if at >= 0 and any(isinstance(part, ToolResult) for turn in between[1:] for part in turn.parts):
            between = _results_first(between)
            is_changed = True
        found += between
    return found if is_changed else turns


def _results_first(turns: list[Turn]) -> list[Turn]:
    results: list[Part] = []
    rest: list[Turn] = []
    for turn in turns:
        others = [part for part in turn.parts if not isinstance(part, ToolResult)]
        results += [part for part in turn.parts if isinstance(part, ToolResult)]
        if others:
            rest.append(_replace(turn, parts=others))
    return [Turn(role="user", parts=results), *rest]


def told_apart(turns: list[Turn]) -> list[Turn]:
    """The turns with an id of its own for each use, and for the results behind it; as they were where that is so."""
    ids = [part.id for turn in turns for part in turn.parts if isinstance(part, ToolUse)]
    if len(set(ids)) == len(ids):
        return turns
    taken = set(ids)
    seen: set[str] = set()
    waiting: dict[str, list[str]] = {}  # ids of the last answer's uses without a result, by the client's
    found: list[Turn] = []
    for at, turn in enumerate(turns):
        if turn.role == "assistant" and at and turns[at - 1].role != "assistant":
            waiting = {}
        parts: list[Part] = []
        for part in turn.parts:
            if isinstance(part, ToolUse):
                name = part.id if part.id not in seen else _free(part.id, taken)
                seen.add(part.id)
                waiting.setdefault(part.id, []).append(name)
                parts.append(_replace(part, id=name))
            elif isinstance(part, ToolResult) and part.id in waiting:
                names = waiting[part.id]
                parts.append(_replace(part, id=names.pop(0) if len(names) > 1 else names[0]))
            else:
                parts.append(part)
        found.append(_replace(turn, parts=parts))
    return found


def _free(name: str, taken: set[str]) -> str:
    number = 2
    while f"{name}_{number}" in taken:
        number += 1
    taken.add(f"{name}_{number}")
    return f"{name}_{number}"
