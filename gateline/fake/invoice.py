"""The invoice: what the fake says it delivered to whom. A gateway's ledger is compared with it, row by row."""

from __future__ import annotations

from collections import deque
from time import monotonic_ns
from typing import Literal

import msgspec

from gateline.model.usage import Usage

MAX_LINES = 100_000
Outcome = Literal["open", "finished", "cancelled", "faulted"]


class Line(msgspec.Struct):
    """One request. `number` is its place in this process's sequence; `id` its `x-request-id`. `reported` is the usage
    that was sent to the caller, null when none was; `tokens_sent` the tokens whose bytes were handed to the kernel.
    `faulted` means that a fault struck, also when the reply then reached its end. Times: CLOCK_MONOTONIC, ns."""

    number: int
    id: str
    path: str
    model: str
    stream: bool
    accepted_ns: int
    status: int = 0
    outcome: Outcome = "open"
    fault: str | None = None
    tokens_sent: int = 0
    chunks_sent: int = 0
    reported: Usage | None = None
    first_ns: int | None = None
    last_ns: int | None = None


class Totals(msgspec.Struct):
    """Exact since the last reset, however many lines the ring has dropped."""

    requests: int = 0
    finished: int = 0
    cancelled: int = 0
    faulted: int = 0
    tokens_sent: int = 0
    input: int = 0
    output: int = 0
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0


class Invoice:
    def __init__(self, size: int = MAX_LINES) -> None:
        self._lines: deque[Line] = deque(maxlen=size)
        self._number = 0
        self.totals = Totals()

    def open(self, request_id: str, path: str, model: str, *, stream: bool) -> Line:
        """A blank `request_id` gets one made from the sequence."""
        self._number += 1
        known = request_id or f"fake-{self._number:06d}"
        line = Line(self._number, known, path, model, stream, monotonic_ns())
        self._lines.append(line)
        self.totals.requests += 1
        return line

    def close(self, line: Line, *, whole: bool) -> Outcome:
        """Settles a line once: `whole` when all that was planned has been sent. Returns the outcome."""
        totals = self.totals
        line.last_ns = monotonic_ns()
        line.outcome = "faulted" if line.fault else "finished" if whole else "cancelled"
        setattr(totals, line.outcome, getattr(totals, line.outcome) + 1)
        totals.tokens_sent += line.tokens_sent
        if line.reported is not None:
            totals.input += line.reported.input
            totals.output += line.reported.output
            totals.cached += line.reported.cached
            totals.cache_write += line.reported.cache_write
            totals.reasoning += line.reported.reasoning
        return line.outcome

    def lines(self) -> list[Line]:
        return list(self._lines)

    def written(self) -> bytes:
        """The JSON of `GET /fake/invoice`."""
        dropped = self.totals.requests - len(self._lines)
        body = {"totals": self.totals, "dropped": dropped, "requests": [_row(line) for line in self._lines]}
        return msgspec.json.encode(body)

    def clear(self) -> None:
        """Forgets all lines; the numbers go on, so that an id given by the fake stays unique."""
        self._lines.clear()
        self.totals = Totals()


def _row(line: Line) -> dict[str, object]:
    row: dict[str, object] = msgspec.structs.asdict(line)
    # Usage travels between our processes as an array; an invoice is read by people.
    row["reported"] = None if line.reported is None else msgspec.structs.asdict(line.reported)
    return row
