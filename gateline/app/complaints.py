"""What a worker has to say: JSON lines on stderr, at a bounded rate, never a request's content.

Written without structlog, whose import would cost a worker a fifth of its start. The shape is the same.
"""

from __future__ import annotations

import json
import sys
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from time import monotonic

_BURST = 20  # lines of one kind
_WINDOW = 10.0  # seconds in which that many may be written; what is over is counted into the next line


class Complaints:
    """`source` names the kind of process, `place` which of them."""

    def __init__(self, source: str, place: int) -> None:
        self._source = source
        self._place = place
        self._seen: dict[str, tuple[float, int]] = {}

    def say(self, event: str, *, level: str = "error", **fields: object) -> None:
        """One line."""
        now = monotonic()
        began, count = self._seen.get(event, (now, 0))
        if now - began > _WINDOW:
            if count > _BURST:
                fields["suppressed"] = count - _BURST
            began, count = now, 0
        self._seen[event] = (began, count + 1)
        if count >= _BURST:
            return
        line = {
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "level": level,
            "event": event,
            "process": f"{self._source}-{self._place}",
            **fields,
        }
        with suppress(OSError):  # a full disk behind it: what cannot be told must not cost a request its answer
            sys.stderr.write(json.dumps(line) + "\n")
            sys.stderr.flush()

    def notice(self, event: str, status: int, code: str, request_id: str, about: str) -> None:
        """A request that was refused or failed, by no fault of ours."""
        self.say(event, level="warning", status=status, code=code, about=about, request_id=request_id)

    def unconnected(self, provider: str, address: str, reason: str) -> None:
        """An upstream was not reached. Its callers hear the provider's name only."""
        self.say("connect_failed", level="warning", provider=provider, address=address, reason=reason)

    def key_refused(self, provider: str, status: int) -> None:
        """A vendor has refused a provider's key (401), or what its account may spend (402) or do (403)."""
        self.say("key_refused", level="warning", provider=provider, status=status, remedy=_REMEDIES.get(status, ""))

    def defect(self, request_id: str, error: BaseException) -> None:
        """A defect of ours in one request: where it happened, not what was in it."""
        self.say("defect", request_id=request_id, error=type(error).__name__, at=_places(error))

    def crash(self, error: BaseException) -> None:
        """A defect outside a request's own handling. Messages of errors may quote data: only their type is said."""
        self.say("crash", error=type(error).__name__, at=_places(error))


_REMEDIES = {
    401: "its api_key is wrong, expired or missing: correct it in the configuration and reload",
    402: "the account behind its api_key has no credit left",
    403: "its api_key has no right to this model, or the vendor would not have the call",
}


def _places(error: BaseException) -> list[str]:
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)[-6:]]
