"""Newline-delimited JSON (Ollama's streams, `application/x-ndjson`): bytes -> whole lines, however they were cut.

A line is kept as the bytes it came in, with its line end, so that relaying it changes nothing; JSON decoders take the
line end for the white space it is. Knows lines, no JSON.
"""

from __future__ import annotations

from gateline.model.errors import UpstreamBroken
from gateline.wire.bound import MAX_EVENT


class LineSplitter:
    """Collects bytes and gives back whole lines, each with its LF or CR LF; blank ones are left out.

    is_between: nothing is held back. The last line may lack its end: it is the `rest()`.
    """

    __slots__ = ("_pending", "is_between")

    def __init__(self) -> None:
        self._pending = bytearray()
        self.is_between = True

    def feed(self, data: bytes) -> list[bytes]:
        """Raises UpstreamBroken when a line grows over `MAX_EVENT`, its end included."""
        end = data.rfind(b"\n") + 1
        if not end:
            return self._hold(data)
        pending = self._pending
        whole = data[:end]
        if pending:
            whole = bytes(pending) + whole
            pending.clear()
        if whole.find(b"\n") == len(whole) - 1:
            lines = [whole]
        else:
            lines = [line + b"\n" for line in whole.split(b"\n")]
            lines.pop()
        for line in lines:
            if len(line) > MAX_EVENT:
                raise _too_large()
        self.is_between = True
        if end < len(data):
            self._hold(data[end:])
        return [line for line in lines if not line.isspace()]

    def rest(self) -> bytes:
        """What has come of a line that has not ended; empty when it is blank so far."""
        rest = bytes(self._pending)
        return b"" if rest.isspace() else rest

    def _hold(self, data: bytes) -> list[bytes]:
        self._pending += data
        self.is_between = not self._pending
        if len(self._pending) > MAX_EVENT:
            raise _too_large()
        return []


def _too_large() -> UpstreamBroken:
    return UpstreamBroken(f"the upstream sent a line over {MAX_EVENT} bytes")
