"""One connection of the generator: sends a request, times its reply, tells the load."""

from __future__ import annotations

import asyncio
import ssl
from time import monotonic_ns
from typing import Protocol, cast

from gateline.bench.plan import Origin
from gateline.bench.reply import BadReply, ReplyReader


class Listener(Protocol):
    """Who is told. Both are called once a request at most, `lost` also for a connection that idles."""

    def finished(self, connection: Connection, now_ns: int) -> None: ...

    def lost(self, connection: Connection, reason: str) -> None: ...


class Connection(asyncio.Protocol):
    """`due_ns` is when the request was to be sent, `sent_ns` when it was; `first_ns` the first byte of the body,
    `reads` the times at which events of a stream came. `is_busy` from `send` to `finished` or `lost`."""

    __slots__ = ("_listener", "_transport", "due_ns", "first_ns", "gaps", "is_busy", "last_ns", "reply", "sent_ns",
                 "stamps", "stream")  # fmt: skip

    def __init__(self, listener: Listener, *, stream: bool) -> None:
        self._listener = listener
        self._transport: asyncio.Transport | None = None
        self.reply = ReplyReader()
        self.stream = stream
        self.is_busy = False
        self.due_ns = self.sent_ns = self.first_ns = self.last_ns = 0
        self.gaps: list[int] = []
        self.stamps: list[int] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is None:
            return
        if self.is_busy and exc is None and self.reply.end():
            self._finish(monotonic_ns())
            return
        self._fail("reset" if isinstance(exc, ConnectionError) else "closed early" if self.is_busy else "closed")

    def eof_received(self) -> bool:
        return False

    def send(self, request: bytes, due_ns: int) -> None:
        self.is_busy = True
        self.due_ns = due_ns
        self.first_ns = 0
        if self.gaps or self.stamps:  # left over from a request that failed
            self.gaps, self.stamps = [], []
        self.reply.begin()
        self.sent_ns = monotonic_ns()
        assert self._transport is not None
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        now = monotonic_ns()
        if not self.is_busy:
            self._fail("unasked bytes")
            return
        reply = self.reply
        events = reply.events
        try:
            whole = reply.feed(data)
        except BadReply as error:
            self._fail(str(error))
            return
        if self.stream and reply.events > events:
            self._timed(data, now)
        elif not self.first_ns and reply.body_bytes:
            self.first_ns = now
        if whole:
            self._finish(now)

    def close(self) -> None:
        """Closes without telling the listener."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()

    def expire(self) -> None:
        """Gives the request up."""
        self._fail("timeout")

    def _timed(self, data: bytes, now: int) -> None:
        if self.first_ns:
            self.gaps.append(now - self.last_ns)
        else:
            self.first_ns = now
        self.last_ns = now
        # the fast fake writes the time of sending into each event, on the clock that this process reads too
        at = data.find(_STAMP)
        if at >= 0:
            digits = data[at + _STAMP_AT : at + _STAMP_AT + 20]
            if digits.isdigit() and (sent := int(digits)):
                self.stamps.append(now - sent)

    def _finish(self, now: int) -> None:
        if self.reply.rest:
            self._fail("unasked bytes")
            return
        self.is_busy = False
        self._listener.finished(self, now)

    def _fail(self, reason: str) -> None:
        self.close()
        self._listener.lost(self, reason)
        self.is_busy = False


_STAMP = b'"content":"0'
_STAMP_AT = len(_STAMP) - 1


async def connect(origin: Origin, listener: Listener, tls: ssl.SSLContext | None, *, stream: bool) -> Connection:
    """Raises OSError, ssl.SSLError."""
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(
        lambda: Connection(listener, stream=stream), origin.host, origin.port, ssl=tls
    )
    return connection


def client_tls(*, verify: bool, ca: str | None) -> ssl.SSLContext:
    """Raises OSError or ssl.SSLError when `ca` (a PEM file) cannot be read."""
    context = ssl.create_default_context(cafile=ca)
    context.set_alpn_protocols(["http/1.1"])
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
