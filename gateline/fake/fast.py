"""Fast mode: canned bytes and the least parsing that keeps requests apart, so that the fake outruns what it tests.

It trusts its callers (a gateway under load) more than a server may: it finds the end of the head and the length of
the body, and looks at nothing else than the path and, in the body, at `stream` and `include_usage`.
"""

from __future__ import annotations

import asyncio
from time import monotonic_ns
from typing import cast

from gateline.fake.canned import Canned, Stream
from gateline.fake.counters import Counters
from gateline.fake.wheel import Wheel

_LOOK = 65_536  # of a body, the part that is searched for the fields of interest
_MAX_HEAD = 65_536
_CHAT = b"POST /v1/chat/completions "
_COMPLETION = b"POST /v1/completions "
_EMBEDDING = b"POST /v1/embeddings "
_MODELS = b"GET /v1/models "
_CHUNKED_UNSUPPORTED = (
    b"HTTP/1.1 411 Length Required\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"  # the plain mode takes them
)


class Stage:
    """What the connections of one process share. `wheel` is None for streams that leave in one piece."""

    def __init__(self, canned: Canned, counters: Counters, latency: float, wheel: Wheel | None) -> None:
        self.canned = canned
        self.counters = counters
        self.latency = latency
        self.wheel = wheel
        self.loop = asyncio.get_running_loop()


class FastConnection(asyncio.Protocol):
    __slots__ = (
        "_busy",
        "_canned",
        "_counters",
        "_known",
        "_left",
        "_pending",
        "_plain",
        "_skip",
        "_stage",
        "_stream",
        "_transport",
        "_write",
        "is_stuck",
    )

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._canned = stage.canned
        self._counters = stage.counters.own
        self._plain = stage.latency == 0
        self._pending = b""
        self._skip = 0
        self._known = b""
        self._busy = False
        self._stream: Stream | None = None
        self._left = 0
        self.is_stuck = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._write = self._transport.write

    def connection_lost(self, exc: Exception | None) -> None:
        if self._busy:
            self._counters[Counters.CANCELLED] += 1
        self._stream = None
        self._busy = True  # nothing that is still scheduled may write

    def pause_writing(self) -> None:
        self.is_stuck = True

    def resume_writing(self) -> None:
        self.is_stuck = False

    def data_received(self, data: bytes) -> None:
        if self._pending:
            data = self._pending + data
            self._pending = b""
        if self._skip:
            data = self._skipped(data)
            if self._skip:
                return
        while data:
            if self._busy:
                self._hold(data)
                return
            end = data.find(b"\r\n\r\n") + 4
            if end == 3:
                self._hold(data)
                return
            length = self._length(data, end)
            if length < 0:
                return
            total = end + length
            size = len(data)
            if size < total and size - end < _LOOK:
                self._pending = data
                return
            if size < total:
                self._known, self._skip = data[: end + _LOOK], total - size
                return
            self._answer(data, end, total)
            if size == total:
                return
            data = data[total:]

    def _length(self, data: bytes, end: int) -> int:
        """The body's length; -1 after a refusal."""
        at = data.find(b"ontent-", 0, end)
        # the usual spellings first: lowering the whole head costs as much as all the rest
        while at >= 0:
            if data[at + 7 : at + 14].lower() == b"length:":
                return int(data[at + 14 : data.find(b"\r", at)])
            at = data.find(b"ontent-", at + 7, end)
        lower = data[:end].lower()
        at = lower.find(b"\r\ncontent-length:")
        if at >= 0:
            return int(lower[at + 17 : lower.find(b"\r", at + 17)])
        if b"\r\ntransfer-encoding:" in lower:
            self._write(_CHUNKED_UNSUPPORTED)
            self._transport.close()
            return -1
        return 0

    def _skipped(self, data: bytes) -> bytes:
        """Passes over a long body unkept; at its end answers what its beginning asked."""
        if len(data) < self._skip:
            self._skip -= len(data)
            return b""
        data = data[self._skip :]
        known, self._known, self._skip = self._known, b"", 0
        self._answer(known, known.find(b"\r\n\r\n") + 4, len(known))
        return data

    def _hold(self, data: bytes) -> None:
        """Keeps what cannot be read yet: a part of a head, or requests behind one that is being answered."""
        if len(data) > _MAX_HEAD:
            self._transport.abort()
            return
        self._pending = data

    def _answer(self, data: bytes, end: int, stop: int) -> None:
        canned = self._canned
        if data.startswith(_CHAT):
            if data.find(b'"stream":true', end, stop) >= 0 or data.find(b'"stream": true', end, stop) >= 0:
                self._start_stream(data, end, stop)
                return
            self._counters[Counters.CHAT] += 1
            reply = canned.chat
        elif data.startswith(_EMBEDDING):
            self._counters[Counters.EMBEDDING] += 1
            reply = canned.embedding
        elif data.startswith(_COMPLETION):
            self._counters[Counters.CHAT] += 1
            reply = canned.completion
        elif data.startswith(b"GET /fake/invoice "):
            reply = self._stage.counters.written(canned)
        elif data.startswith(b"POST /fake/reset "):
            self._stage.counters.reset()
            reply = self._stage.counters.written(canned)
        else:
            reply = canned.models if data.startswith(_MODELS) else canned.not_found
        if self._plain:
            self._write(reply)
        else:
            self._busy = True
            self._stage.loop.call_later(self._stage.latency, self._later, reply)

    def _later(self, reply: bytes) -> None:
        if self._transport.is_closing():
            return
        self._write(reply)
        self._next()

    # --- streams -----------------------------------------------------------------------------------------------------

    def _start_stream(self, data: bytes, end: int, stop: int) -> None:
        asked = (
            data.find(b'"include_usage":true', end, stop) >= 0 or data.find(b'"include_usage": true', end, stop) >= 0
        )
        stream = self._canned.stream_with_usage if asked else self._canned.stream
        self._counters[Counters.STREAM] += 1
        self._busy = True
        if self._plain:
            self._begin(stream)
        else:
            self._stage.loop.call_later(self._stage.latency, self._begin, stream)

    def _begin(self, stream: Stream) -> None:
        if self._transport.is_closing():
            return
        wheel = self._stage.wheel
        if wheel is None:
            self._write(stream.unpaced)
            self._finish()
            return
        self._stream = stream
        self._left = stream.events
        self._write(stream.head + stream.first)
        wheel.join(self)

    def turn(self) -> bool:
        """Sends the next event of the stream; False when there is none to come."""
        stream = self._stream
        if stream is None:
            return False
        if self.is_stuck:
            return True
        if self._left:
            self._left -= 1
            self._write(b"%b%020d%b" % (stream.before, monotonic_ns(), stream.behind))
            return True
        self._stream = None
        self._write(stream.last)
        self._finish()
        return False

    def _finish(self) -> None:
        self._counters[Counters.STREAM_DONE] += 1
        self._next()

    def _next(self) -> None:
        """Free for the next request, which may be waiting already."""
        self._busy = False
        if self._pending:
            data, self._pending = self._pending, b""
            self.data_received(data)
