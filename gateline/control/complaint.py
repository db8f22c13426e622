"""Says once that something fails, then at most once a minute while it goes on, and says when it is over."""

from __future__ import annotations

import time

import structlog

_AGAIN_SECONDS = 60.0


class Complaint:
    """About one thing, `event`. Not for two threads at once."""

    def __init__(self, event: str) -> None:
        self._event = event
        self._failures = 0
        self._next_line = 0.0
        self._log = structlog.get_logger()

    def failed(self, error: BaseException) -> None:
        self._failures += 1
        if time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + _AGAIN_SECONDS
            cause = str(error).split("\n", 1)[0][:300]
            self._log.error(self._event, error=type(error).__name__, cause=cause, failures=self._failures)

    def went_well(self) -> None:
        if self._failures:
            self._log.info(f"{self._event}_over", failures=self._failures)
            self._failures = 0
            self._next_line = 0.0
