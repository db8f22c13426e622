"""May this caller make a call now: requests a minute and calls at once, decided before the body is read."""

from __future__ import annotations

from gateline.gateway.exchange import Exchange
from gateline.model.errors import RateLimited, Unavailable
from gateline.store.columns import JOURNAL_REFUSED
from gateline.store.journal import Journal
from gateline.store.limits import Limits, Verdict


class Admit:
    """The stage. Work that could not be recorded is refused: served but unrecorded work cannot be made good."""

    def __init__(self, limits: Limits, journal: Journal, cells: memoryview[int]) -> None:
        self._limits = limits
        self._journal = journal
        self._cells = cells

    def __call__(self, exchange: Exchange) -> None:
        """Counts the call in; `leave` counts it out. Raises RateLimited, or Unavailable when the journal is full:
        the one refusal of a known caller that leaves no record."""
        key = exchange.key
        assert key is not None
        if not self._journal.has_room():
            self._cells[JOURNAL_REFUSED] += 1
            # A record of each refusal would use up the room that is kept for the calls admitted before: only counted.
            exchange.key = None
            raise Unavailable("The gateway cannot record calls (disk full) and takes none: try later.", retry_after=30)
        verdict = self._limits.admit(key.slot, key.requests_per_minute, key.concurrency, exchange.flow.woken)
        exchange.verdict = verdict
        if not verdict.allowed:
            raise _refusal(verdict)

    def leave(self, exchange: Exchange) -> None:
        verdict = exchange.verdict
        if verdict is not None and verdict.allowed and exchange.key is not None:
            self._limits.leave(exchange.key.slot)


def _refusal(verdict: Verdict) -> RateLimited:
    wait = max(verdict.retry_after_ns / 1e9, 0.001)
    if verdict.which == "concurrency":
        message = f"This key has {verdict.limit} calls running, its limit: wait for one to end."
    else:
        message = f"This key may make {verdict.limit} requests a minute: try again in {wait:.1f} s."
    return RateLimited(message, retry_after=wait)
