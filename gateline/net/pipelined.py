"""How many requests wait behind one that runs. Knows their bytes only: what a request is, is found when its turn comes.

Requests are read one at a time, so they can be counted only as they are begun. Those that were begun out of bytes that
lay there together were waiting together.
"""

from __future__ import annotations

_MOST = 32  # requests waiting behind one
_NEVER = 1 << 62


class Pipelined:
    """One a connection that has ever pipelined."""

    __slots__ = ("_batch", "_begun", "_later")

    def __init__(self) -> None:
        self._batch = 0  # bytes, of those that lay there together, that no request has taken yet
        self._begun = 0  # requests that were begun out of them
        self._later = _NEVER  # bytes that have come behind them

    def begin(self, waiting: int) -> None:
        """The next request is read out of `waiting` bytes."""
        if self._batch <= 0:
            self._batch = waiting
            self._begun = 0
        self._begun += 1
        self._later = waiting - self._batch

    def ended(self, taken: int) -> None:
        """That request has taken so many of them."""
        self._batch -= taken
        self._later = _NEVER

    def is_full(self, rest: int) -> bool:
        """Whether more than may wait were waiting: asked with what lies behind the request that is being read."""
        return self._begun >= _MOST and rest > self._later
