"""An HTTP/1.1 connection to an upstream: one reply a lease, checked for wholeness, back to its pool or closed."""

from __future__ import annotations

import asyncio
import zlib
from time import monotonic_ns
from typing import TYPE_CHECKING, cast

import httptools

from gateline.model.errors import UpstreamBroken, UpstreamError, UpstreamUnreachable
from gateline.net.flow import Flow
from gateline.net.lease import COLLECT, HIGH_WATER, Lease
from gateline.wire.header_policy import FORWARDED_RESPONSE_HEADERS, filter_response_headers
from gateline.wire.inflate import CodingError, Inflater
from gateline.wire.plain_reply import PlainReply, read_plain_reply

if TYPE_CHECKING:
    from gateline.net.pool import OriginPool

_HEAD_BYTES = 65_536
_SETTLE_SECONDS = 2.0  # for the end of a reply whose content is over
_INFORMATIONAL = 8  # 1xx replies before the real one


# The response headers that anybody here reads; all others are dropped where they arrive.
_READ = FORWARDED_RESPONSE_HEADERS | {
    b"content-length", b"transfer-encoding", b"content-encoding", b"retry-after-ms", b"x-ms-retry-after-ms",
}  # fmt: skip
_SPELLINGS = 2_048
_NAMES: dict[bytes, bytes] = {}  # a name as some upstream spells it -> in lower case, or empty when nobody reads it


def _learn(name: bytes) -> bytes:
    lower = name.lower()
    known = lower if lower in _READ else b""
    if len(_NAMES) < _SPELLINGS:
        _NAMES[name] = known
    return known


class UpstreamConnection(asyncio.Protocol, Lease):
    """A connection of one pool. Leased while `flow` is set; anything that arrives otherwise closes it."""

    __slots__ = (
        "_announced",
        "_fed",
        "_framed",
        "_in_body",
        "_inflater",
        "_informational",
        "_keep",
        "_missing",
        "_parser",
        "_paused",
        "_settling",
        "_spare",
        "idle_since",
        "leased",
        "pool",
        "served",
        "settle_by",
        "transport",
    )

    def __init__(self, pool: OriginPool) -> None:
        Lease.__init__(self)
        self.pool = pool
        self.transport: asyncio.Transport | None = None
        self.idle_since = 0.0
        self.leased = False
        self.served = 0
        self.settle_by = 0.0
        self._parser = httptools.HttpResponseParser(self)
        self._paused = False
        self._begin()

    def _begin(self) -> None:
        self._fed = 0
        self._informational = 0
        self._in_body = False
        self._framed = False
        self._keep = False
        self._spare = False
        self._settling = False
        self._missing = 0
        self._inflater: Inflater | None = None

    # --- the lease --------------------------------------------------------------------------------------------------

    def send(self, flow: Flow, parts: list[bytes | memoryview]) -> None:
        """Starts a request: `parts` are its bytes, head and body."""
        self.reset(flow)
        self._begin()
        self.served += 1
        transport = self.transport
        if transport is None or transport.is_closing():
            self.failure = UpstreamUnreachable("The upstream closed the connection.")
            return
        self.sent_at = monotonic_ns()
        if len(parts) == 1:
            transport.write(parts[0])
        else:
            transport.writelines(parts)

    @property
    def is_settling(self) -> bool:
        return self._settling and self.flow is None

    @property
    def is_stale(self) -> bool:
        """It failed on a connection used before and without one byte of reply: the upstream had closed it while it
        was idle, and the request was not served. A fresh connection may be tried without counting an attempt."""
        return self.served > 1 and self._fed == 0

    def release(self) -> None:
        self.flow = None
        if self.complete and self._keep and not self._spare and self.failure is None and self.transport is not None:
            self.pool.give(self)
        else:
            self.abort()

    def settle(self) -> None:
        self.flow = None
        self.chunks = []
        self._settling = True
        self.settle_by = self.pool.now + _SETTLE_SECONDS
        self.pool.settling.append(self)
        self.resume()

    def _settle_with(self, data: bytes) -> None:
        """What is left of a stream whose end was already relayed: its terminator, and nothing else."""
        self._fed += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.abort()
            return
        if self.complete:
            self._settling = False
            self.release()
        elif self.size > HIGH_WATER:
            self.abort()

    def abort(self) -> None:
        self.flow = None
        self._settling = False
        self.pool.forget(self)
        if self.transport is not None:
            self.transport.abort()

    def resume(self) -> None:
        if self._paused and self.transport is not None:
            self._paused = False
            self.transport.resume_reading()

    # --- transport callbacks ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        flow = self.flow
        if flow is None or self.complete or self.failure is not None:
            if self._settling:
                self._settle_with(data)
                return
            # Nobody asked for these bytes: were they kept, the next request would take them for its reply.
            self._spare = True
            if flow is None:
                self.abort()
            return
        if not self._fed:
            self.first_byte_at = monotonic_ns()
            self._fed = len(data)
            plain = read_plain_reply(data)
            if plain is not None:
                if self._take_plain(plain, data):
                    flow.wake()
                return
        else:
            self._fed += len(data)
            if self._missing:
                self._read_plain_rest(data)
                return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.fail(UpstreamBroken("The upstream switched protocols without being asked to."))
            return
        except httptools.HttpParserCallbackError as error:
            cause = error.__cause__ or error.__context__
            self.fail(cause if isinstance(cause, UpstreamError) else UpstreamBroken("The upstream's reply is broken."))
            return
        except httptools.HttpParserError:
            self.fail(UpstreamBroken("The upstream's reply is not valid HTTP/1.1."))
            return
        if not self._in_body and self._fed > _HEAD_BYTES:
            self.fail(UpstreamBroken(f"The upstream's response head is over {_HEAD_BYTES} bytes."))
        elif self.complete:
            self.last_byte_at = monotonic_ns()
            flow.wake()
        elif self.is_stream or self.is_large or self.size > COLLECT:
            self.is_large = not self.is_stream
            if self.size > HIGH_WATER:
                self._pause()
            flow.wake()

    def _take_plain(self, plain: PlainReply, data: bytes) -> bool:
        """Takes the usual reply without the parser; True when it is whole, or so large that relaying may begin."""
        self.status = 200
        self.lines = plain.lines
        self._in_body = self._framed = self._keep = True
        body = data[plain.body_at :]
        missing = plain.length - len(body)
        if missing < 0:
            self._spare = True  # more than one reply to one request: the connection is not used again
            body = body[:missing]
        self.chunks.append(body)
        self.size = len(body)
        if missing <= 0:
            self.complete = True
            self.last_byte_at = self.first_byte_at
            return True
        self._missing = missing
        self.length = plain.length
        self.is_large = plain.length > COLLECT
        return self.is_large

    def _read_plain_rest(self, data: bytes) -> None:
        missing = self._missing - len(data)
        if missing < 0:
            self._spare = True
            data = data[:missing]
        self._missing = max(missing, 0)
        self.chunks.append(data)
        self.size += len(data)
        if missing <= 0:
            self.complete = True
            self.last_byte_at = monotonic_ns()
        elif not self.is_large:
            return
        elif self.size > HIGH_WATER:
            self._pause()
        if self.flow is not None:
            self.flow.wake()

    def _pause(self) -> None:
        if not self._paused and self.transport is not None:
            self._paused = True
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self.pool.forget(self)
        if self.flow is None or self.complete or self.failure is not None:
            return
        if self.status and self._in_body and not self._framed and exc is None:
            try:
                self._end_body()
            except UpstreamBroken as error:
                self.fail(error)
                return
            self._keep = False
            self.last_byte_at = monotonic_ns()
            self.flow.wake()
        elif self._fed:
            self.fail(UpstreamBroken("The upstream closed the connection before its reply was whole."))
        else:
            self.fail(UpstreamUnreachable("The upstream closed the connection without a reply."))

    def fail(self, error: UpstreamError) -> None:
        """Ends the lease with an error; the connection is not used again."""
        self.failure = error
        self.last_byte_at = monotonic_ns()
        flow = self.flow
        if self.transport is not None:
            self.transport.abort()
        if flow is not None:
            flow.wake()

    # --- parser callbacks -------------------------------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_body and not self.complete:
            known = _NAMES.get(name)
            if known is None:
                known = _learn(name)
            if known:
                self.headers.append((known, value))

    def on_headers_complete(self) -> None:
        if self.complete:
            self._spare = True
            return
        status = self._parser.get_status_code()
        if 100 <= status < 200:
            self._informational += 1
            if status == 101 or self._informational > _INFORMATIONAL:
                raise UpstreamBroken("The upstream sent informational replies without end.")
            return
        self.status = status
        self._in_body = True
        self._keep = self._parser.should_keep_alive()
        for name, value in self.headers:
            if name == b"content-type":
                self.is_stream = value[:17].lower() == b"text/event-stream"
            elif name == b"content-length":
                self._framed = True
                self.length = int(value)
                self.is_large = self.length > COLLECT
            elif name == b"transfer-encoding" and value[-7:].lower() == b"chunked":
                self._framed = True
            elif name == b"content-encoding" and value.lower() != b"identity":
                try:
                    self._inflater = Inflater(value)
                except CodingError as error:
                    raise UpstreamBroken(str(error)) from None
        if status in {204, 304}:
            self._framed = True
        if self._inflater is not None:
            self.length = None
        self.lines = filter_response_headers(self.headers)

    def on_body(self, data: bytes) -> None:
        if self.complete:
            return
        inflater = self._inflater
        if inflater is not None:
            try:
                data = inflater.feed(data)
            except CodingError as error:
                raise UpstreamBroken(f"The upstream's reply cannot be decoded: {error}") from None
            except zlib.error:
                raise UpstreamBroken("The upstream's reply is not the coding it names.") from None
        if data:
            self.chunks.append(data)
            self.size += len(data)

    def on_message_complete(self) -> None:
        if self.complete:
            return
        if not self._in_body:
            self.headers = []  # an informational reply: the real one follows
            return
        self._end_body()

    def _end_body(self) -> None:
        if self._inflater is not None and not self._inflater.finished:
            raise UpstreamBroken("The upstream's coded reply ends before its coding does.")
        self.complete = True
