"""The client's side of the wire: one HTTP/1.1 connection, from bytes to requests and back.

What it knows: heads, keep-alive, pipelining, deadlines, back-pressure, and how to end a connection so that the last
answer is seen. What a request means is its handler's business. The parser is fed heads only, one request at a time;
bodies are cut here and in `incoming.py`, so nothing of a next request is ever parsed while one runs.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import cast

from gateline.model.errors import GatewayError, TooSlow
from gateline.net.flow import Flow
from gateline.net.incoming import IncomingBody, start_body
from gateline.net.pipelined import Pipelined
from gateline.net.service import Service
from gateline.net.spool import Spool
from gateline.net.tls import end_writing
from gateline.wire.head_memo import HeadMemo
from gateline.wire.http1 import HeadGuard, RequestHead
from gateline.wire.http1_read import read_request_head

_PIPELINED = 65_536  # bytes of later requests kept while one runs
_MEMO = 4_096  # bytes of a head that is kept while the connection idles
_LINGER_BYTES = 1_048_576
_LINGER_SECONDS = 2.0
_FIRST_REQUEST_SECONDS = 1.0  # while the worker drains
_BODY_RATE = 65_536  # bytes a second below which a body counts as slow, beyond `body_timeout`
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_NOTSENT_LOWAT = 65_536
_RESET = b"\1\0\0\0\0\0\0\0"  # struct linger: on, for no time

HEAD, BODY, BUSY, LINGER, CLOSED = range(5)


_NO_REQUEST = RequestHead(b"", b"", b"", 1, {}, False, False, None, False, b"", b"", None)


def _write_nowhere(data: bytes) -> None:
    """There is no connection (any more)."""


class ClientConnection(asyncio.Protocol):
    """One client's connection. While a request runs its handler reads `request`, `body`, `body_complete`, `failure`,
    `gone`, `writable`, and is told of every change through `flow`."""

    __slots__ = (
        "_guard", "_in_head", "_is_new", "_linger_left", "_memo", "_pending", "_pipelined", "_transport", "_unsent",
        "_unwritable_since", "body", "body_complete", "body_started", "deadline", "failure", "flow", "gone", "held",
        "incoming", "leaves_more", "poisoned", "request", "service", "stage", "undelivered", "writable", "write",
    )  # fmt: skip

    request: RequestHead
    body: bytes | bytearray | Spool

    def __init__(self, service: Service) -> None:
        self.service = service
        self.stage = HEAD
        self.flow: Flow | None = None
        self.gone = False
        self.writable = True
        self.body = b""
        self.body_complete = False
        self.body_started = 0.0
        self.failure: GatewayError | None = None
        self.poisoned = False  # nothing after this request may be read: answer it and close
        self.deadline = 0.0
        self._transport: asyncio.Transport | None = None
        # The transport's own method while there is one: a frame less a write, and a stream has many.
        self.write: Callable[[bytes], None] = _write_nowhere
        self._pending = bytearray()
        self._guard = HeadGuard(service.limits.head_bytes)
        self._in_head = False
        self._memo: HeadMemo | None = None
        self._is_new = True  # no request has come yet
        self.held = 0  # bytes of the body that count against all connections' room
        self.leaves_more = False  # the request that runs: more than the next one replaces
        self._pipelined: Pipelined | None = None
        self.incoming: IncomingBody | None = None  # while the stage is BODY
        self._unwritable_since = 0.0
        self._linger_left = 0
        self.undelivered = -1  # bytes of a body that is not wanted and has not come yet, below 0 when unknown
        self._unsent = 0

    # --- transport callbacks ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast("asyncio.Transport", transport)
        self.write = transport.write
        service = self.service
        service.accepted += 1
        service.count(1)
        service.connections.add(self)
        self.deadline = service.clock.now + service.limits.head_timeout
        transport.set_write_buffer_limits(high=_NOTSENT_LOWAT, low=_NOTSENT_LOWAT // 4)
        sock = transport.get_extra_info("socket")
        if sock is not None and hasattr(socket, "TCP_NOTSENT_LOWAT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _NOTSENT_LOWAT)

    def data_received(self, data: bytes) -> None:
        stage = self.stage
        if stage == HEAD:
            if self._pending:
                self._pending += data  # read with the older bytes, now: they may be the middle of a body, which has
                self._next()  # bounds of its own
                return
            memo = self._memo
            body_at = memo.match(data) if memo is not None and not self._in_head else 0
            if body_at:
                self._begin(data[body_at:])
            else:
                self._read_head(data)
        elif stage == BODY:
            cast("IncomingBody", self.incoming).feed(data)
        elif stage == BUSY:
            self._keep(data)
        elif stage == LINGER:
            self._discard(len(data))

    def eof_received(self) -> bool:
        """A client that ends its side is gone: it reads no answer that matters (and nothing says that it would)."""
        if self.stage != LINGER:
            self._lose()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.service.count(-1)
        self.service.connections.discard(self)
        self._transport = None
        self.incoming = None
        self.write = _write_nowhere
        self._lose()
        self.stage = CLOSED

    def pause_writing(self) -> None:
        self.writable = False
        self._unwritable_since = self.service.clock.now

    def resume_writing(self) -> None:
        self.writable = True
        if self.flow is not None:
            self.flow.wake()

    # --- reading a head ---------------------------------------------------------------------------------------------

    def _read_head(self, data: bytes) -> None:
        try:
            found = self._guard.feed(data)
            if found is None:
                self._await_rest_of_head()
                return
            head, rest = found
            self.request = read_request_head(head, self.service.limits.head_count)
        except GatewayError as error:
            self._refuse(error)
            return
        self._in_head = False
        self._is_new = False
        if len(head) <= _MEMO:
            self._memo = HeadMemo(head, self.request)
        else:
            self.forget_head()
        self._begin(rest)

    def forget_head(self) -> None:
        """Keeps nothing of the head once the request is answered: it is large, or its caller unknown."""
        self._memo = None
        self.leaves_more = True

    def _begin(self, rest: bytes) -> None:
        """The head is whole; `rest` is what came behind it."""
        service = self.service
        service.busy.add(self)
        self.stage = BUSY
        length = len(rest)
        if length == self.request.content_length and length <= service.small:
            self.body = rest  # head and body came together: nothing to wait for, nothing to keep
            self.body_complete = True
        else:
            self.body_started = service.clock.now
            self.body = b""
            self.body_complete = False
            assert self._transport is not None
            start_body(self, self._transport, rest)
        service.handler.begin(self)

    def _await_rest_of_head(self) -> None:
        if not self._in_head:
            self._in_head = True
            self.deadline = self.service.clock.now + self.service.limits.head_timeout

    def _refuse(self, error: GatewayError) -> None:
        """Answers what never became a request, and ends the connection."""
        self.stage = BUSY
        self.write(self.service.handler.refusal(self, error))
        self.linger()

    # --- reading a body ---------------------------------------------------------------------------------------------

    def expect_body(self, incoming: IncomingBody) -> None:
        """It comes in pieces, from now on."""
        self.stage = BODY
        self.incoming = incoming

    def want_body(self) -> None:
        """The handler waits for the body: the client is told to send it, and the body's deadline starts."""
        self.body_started = self.service.clock.now
        incoming = self.incoming
        if incoming is not None:
            if self.request.expect_continue and not incoming.received:
                self.write(_CONTINUE)
            incoming.want()

    def complete_body(self, body: bytes | bytearray | Spool, rest: bytes) -> None:
        """The body is whole; `rest` is what came behind it."""
        self.body = body
        self.body_complete = True
        self.incoming = None
        self.stage = BUSY
        if rest:
            self._keep(rest)
        if self.flow is not None:
            self.flow.wake()

    def fail_body(self, error: GatewayError) -> None:
        """There will be no body: the handler says so, and the connection ends."""
        self.failure = error
        self.poisoned = True
        if self.flow is not None:
            self.flow.wake()

    def _keep(self, data: bytes) -> None:
        """Bytes of a later request, for when this one has been answered."""
        if self.poisoned:
            self.undelivered -= len(data)
            return
        pipelined = self._pipelined
        if pipelined is None:
            pipelined = self._pipelined = Pipelined()
        self._pending += data
        if len(self._pending) > _PIPELINED or pipelined.is_full(len(data)):
            self.poisoned = True
            self.service.pipelines_cut += 1
            del self._pending[_PIPELINED:]

    # --- writing ----------------------------------------------------------------------------------------------------

    @property
    def is_busy(self) -> bool:
        """A request of it runs."""
        return self.stage == BUSY

    @property
    def keeps_alive(self) -> bool:
        """Whether the connection goes on after this answer: what its head must say."""
        return self.request.keep_alive and self.body_complete and not self.poisoned and not self.service.draining

    def done(self, *, keep_alive: bool) -> None:
        """The answer has been handed over. `keep_alive`: what its head said."""
        self.flow = None
        service = self.service
        service.busy.discard(self)
        if self.leaves_more:
            self._clear_up()
        if self.gone:
            return
        self.body = b""
        # A stream that began before the drain promised to go on: kept, its connection would hold the drain up.
        if not keep_alive or self.poisoned or (service.draining and not self._pending):
            if self.body_complete and not self._pending:
                self._close()
            else:
                self.linger()  # the client is still sending: it would not see its answer
            return
        self.stage = HEAD
        self.deadline = service.clock.now + service.limits.idle_timeout
        if self._pending:
            # Not from here: the caller may be deep inside another connection's callback.
            asyncio.get_running_loop().call_soon(self._next)

    def _clear_up(self) -> None:
        self.leaves_more = False
        self.service.bodies -= self.held
        self.held = 0
        if self._memo is None:
            self.request = _NO_REQUEST

    def _next(self) -> None:
        pipelined = self._pipelined
        if self.stage == HEAD and self._pending and not self.gone and pipelined is not None:
            pending = bytes(self._pending)
            self._pending.clear()
            pipelined.begin(len(pending))
            self.data_received(pending)
            pipelined.ended(len(pending) - len(self._pending))

    def _close(self) -> None:
        """Ends the connection once all that was written is on its way, however slowly the client takes it."""
        self.stage = LINGER
        self._linger_left = 0
        transport = self._transport
        if transport is not None:
            self._unsent = transport.get_write_buffer_size()
            self.deadline = self.service.clock.now + self.service.limits.write_timeout
            transport.close()

    def linger(self) -> None:
        """Ends our side and drops what the client still sends: an immediate close would reset the answer away."""
        self.stage = LINGER
        self._pending.clear()
        self._linger_left = _LINGER_BYTES
        self.deadline = self.service.clock.now + _LINGER_SECONDS
        self.service.busy.add(self)
        incoming, self.incoming = self.incoming, None
        transport = self._transport
        if transport is None:
            return
        if incoming is not None:
            self.undelivered = incoming.missing
            incoming.leave()
        dropped = 0
        if transport.can_write_eof():
            transport.write_eof()
        else:
            dropped = end_writing(transport)
        self._discard(dropped)

    def _discard(self, size: int) -> None:
        """Bytes of a client whose answer is out. Once all that it announced has come, nothing can reset the answer."""
        self._linger_left -= size
        self.undelivered -= size
        if self.undelivered == 0:
            self._close()
        elif self._linger_left < 0:
            self.abort()

    def reset(self) -> None:
        """Breaks the connection off so that the client sees it: it must not take what it has for a whole answer."""
        sock = None if self._transport is None else self._transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)  # a plain end is how HTTP/1.0 says "whole"
        self.abort()

    def abort(self) -> None:
        """Ends the connection now, whatever was not sent."""
        transport, self._transport = self._transport, None  # nothing may be written to it from here on
        if transport is not None:
            transport.abort()
            self._lose()

    def close_if_idle(self) -> None:
        """Closes a kept connection at once; one that has just come may send what it came for."""
        if self.stage == HEAD and self._guard.is_idle and not self._pending and self._transport is not None:
            if self._is_new:
                self.deadline = min(self.deadline, self.service.clock.now + _FIRST_REQUEST_SECONDS)
            else:
                self._transport.close()

    # --- endings ----------------------------------------------------------------------------------------------------

    def _lose(self) -> None:
        if self.gone:
            return
        self.gone = True
        self.service.busy.discard(self)
        flow = self.flow
        if flow is not None:
            flow.wake()

    def check(self, now: float) -> None:
        """Called by the tick: ends whatever waits too long."""
        stage = self.stage
        if not self.writable and now - self._unwritable_since > self.service.limits.write_timeout:
            self.reset()
        elif stage == BODY and self.failure is None:
            received = cast("IncomingBody", self.incoming).received
            allowed = self.service.limits.body_timeout + received / _BODY_RATE
            if now - self.body_started > allowed:
                self.fail_body(TooSlow("The request body did not arrive in time: send it without pauses."))
        elif now > self.deadline:
            if stage == LINGER:
                self._end_linger(now)
            elif stage == HEAD:
                if self._in_head:
                    self._refuse(TooSlow("The request head did not arrive in time."))
                elif self._transport is not None:
                    self._transport.close()

    def _end_linger(self, now: float) -> None:
        """The time is over: for a client that still sends, or that took nothing of what is left meanwhile."""
        transport = self._transport
        if transport is not None:
            unsent, self._unsent = self._unsent, transport.get_write_buffer_size()
            if 0 < self._unsent < unsent:
                self.deadline = now + self.service.limits.write_timeout
            else:
                self.abort()
