"""One reply of an upstream as it arrives, whatever carries it: an HTTP/1.1 connection or a local engine's socket.

A lease is taken for one request and given back or broken off. The stage that holds it reads `status`, `headers`,
`take()`, `complete` and `failure`, and is woken through `flow`: at every arrival once `is_stream` or `is_large` is
set, else when the reply is whole or has failed. A reply is large when it is, or says it will be, over `COLLECT` bytes;
sound, which is heard while it comes, counts as large from its first byte.
"""

from __future__ import annotations

from collections.abc import Callable

from gateline.model.errors import UpstreamError
from gateline.net.flow import Flow

COLLECT = 1_048_576  # bytes of a plain reply held before it is relayed as it comes
HIGH_WATER = 65_536  # bytes waiting to be taken at which the upstream is told to pause
# What says of a reply that it comes in events: server-sent ones, lines of JSON (Ollama), or AWS's event stream.
STREAM_TYPES = frozenset({b"text/event-stream", b"application/x-ndjson", b"application/vnd.amazon.eventstream"})


class Lease:
    """Times are monotonic nanoseconds, 0 until they happen. `queue` and `engine_cpu` are what an engine reports.
    `headers` has lower-case names, and only those that somebody here reads; `lines` are those that pass to the client,
    ready to write. `length` is the body's when the upstream says it and sends it uncoded. `is_over` is set by whoever
    reads: the format says that nothing follows; `is_paused` says that no bytes come before `resume`. `tap` is set by
    whoever reads a stream and has taken all of it: a carrier that can may give it the next piece right away, in place
    of keeping it and waking the flow."""

    __slots__ = (
        "chunks",
        "complete",
        "engine_cpu",
        "failure",
        "first_byte_at",
        "flow",
        "headers",
        "is_large",
        "is_over",
        "is_paused",
        "is_stream",
        "last_byte_at",
        "length",
        "lines",
        "queue",
        "sent_at",
        "size",
        "status",
        "tap",
    )

    def __init__(self) -> None:
        self.reset(None)

    def reset(self, flow: Flow | None) -> None:
        self.flow = flow
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.lines = b""
        self.length: int | None = None
        self.chunks: list[bytes] = []
        self.size = 0
        self.complete = False
        self.is_stream = False
        self.is_large = False
        self.is_over = False
        self.is_paused = False
        self.failure: UpstreamError | None = None
        self.sent_at = 0
        self.first_byte_at = 0
        self.last_byte_at = 0
        self.queue = 0
        self.engine_cpu = 0
        self.tap: Callable[[bytes], None] | None = None

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header, by its lower-case name."""
        for key, value in self.headers:
            if key == name:
                return value
        return None

    def take(self) -> bytes:
        """What has arrived since the last call; reading goes on if it was paused."""
        chunks = self.chunks
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self.size = 0
        return data

    def release(self) -> None:
        """Gives the lease back: the next request may use what carried this one, if it is in a state to."""
        raise NotImplementedError

    def settle(self) -> None:
        """Gives back a lease that is over but whose carrier has not said so yet: that may take a moment."""
        raise NotImplementedError

    def abort(self) -> None:
        """Breaks the request off: the upstream is told at once."""
        raise NotImplementedError

    def resume(self) -> None:
        """Lets bytes come again after `HIGH_WATER`."""
        raise NotImplementedError
