"""A stream on its way to the client."""

from __future__ import annotations

from time import monotonic_ns

from gateline.formats.marked import codec_of
from gateline.gateway.billed import note_usage
from gateline.gateway.exchange import Exchange
from gateline.gateway.hop import Hop
from gateline.gateway.patience import check_waiting
from gateline.gateway.router import TargetRoute
from gateline.gateway.translate import array_codec, dropped_line, stream_codec
from gateline.net.clock import Clock
from gateline.net.lease import Lease

_HELD_BYTES = 8_192  # of a stream before its first visible event, so that another target can still take over
_HELD_SECONDS = 5.0


class StreamRelay:
    """Events pass whole, each when its last byte has come; `[DONE]` is kept for after the record. The coroutine is
    there for all that may happen, `arrive` for what nearly always does."""

    __slots__ = ("_clock", "_codec", "_exchange", "_held", "_hold_until", "_idle", "_idle_at", "_lease", "_lines")

    def __init__(self, exchange: Exchange, lease: Lease, target: TargetRoute, hop: Hop, clock: Clock) -> None:
        self._exchange = exchange
        self._lease = lease
        self._clock = clock
        if hop.client is None:
            call, watch = exchange.call, hop.watch
            assert call is not None
            assert watch is not None
            if exchange.facts.asked.is_array:
                self._lines, self._codec = array_codec(exchange, hop.operation)
            else:
                self._lines = lease.lines + dropped_line(exchange)
                self._codec = codec_of(watch, call, exchange.secret, hop.dialect)
        else:
            self._lines, self._codec = stream_codec(exchange, hop)
        self._held = b""
        self._hold_until = clock.now + _HELD_SECONDS
        self._idle = target.provider.idle_timeout
        self._idle_at = clock.now + self._idle

    def arrive(self, piece: bytes) -> None:
        """Relays a piece in the callback that brought it. The coroutine waits meanwhile, and is woken only when this
        was the stream's end."""
        exchange, codec = self._exchange, self._codec
        if not exchange.connection.writable:
            lease = self._lease
            lease.tap = None
            lease.chunks.append(piece)
            lease.size = len(piece)
            return
        began = monotonic_ns()
        events = codec.feed(piece)
        if events:
            exchange.write(events)
        exchange.wake_at = self._idle_at = self._clock.now + self._idle
        flow = exchange.flow
        flow.busy += monotonic_ns() - began
        if codec.done or codec.error is not None:
            flow.wake()

    async def run(self, target: TargetRoute) -> None:
        codec = self._codec
        try:
            await self._pass(target)
        finally:  # also when the client leaves, the time is up or the call is cut: what was told is billed
            if self._lease.size and not codec.done:
                codec.feed(self._lease.take())
            note_usage(self._exchange, target, codec.usage)

    async def _pass(self, target: TargetRoute) -> None:
        exchange, lease, codec = self._exchange, self._lease, self._codec
        exchange.wake_at = min(self._hold_until, self._idle_at)
        while not codec.done and codec.error is None:
            piece = b""
            if lease.size and exchange.connection.writable:
                piece = codec.feed(lease.take())
                if lease.is_paused:
                    lease.resume()
                exchange.wake_at = self._idle_at = self._clock.now + self._idle
            elif lease.failure is not None and not lease.size:
                codec.error = lease.failure
            elif lease.complete and not lease.size:
                codec.end()
            else:
                await self._wait(target)
            if not exchange.has_started:
                self._hold(piece)
            elif piece:
                exchange.write(piece)
        lease.is_over = codec.done
        if codec.error is not None:
            raise codec.error
        if not exchange.has_started:
            self._start()
        exchange.hold(self._held + codec.last)
        if exchange.operation == "responses":
            exchange.reply = codec.last

    async def _wait(self, target: TargetRoute) -> None:
        exchange, lease, codec, clock = self._exchange, self._lease, self._codec, self._clock
        if exchange.has_started and not lease.size:
            lease.tap = self.arrive
        try:
            await exchange.flow.park()
        finally:
            lease.tap = None
        if codec.done or codec.error is not None:
            return  # `arrive` saw the end
        if exchange.connection.gone or clock.now > exchange.ends_at or clock.now > self._idle_at:
            check_waiting(exchange, target, clock, self._idle_at)

    def _start(self) -> None:
        self._exchange.codec = self._codec
        self._exchange.start(self._lease.status, self._lines)

    def _hold(self, piece: bytes) -> None:
        """Keeps what nobody would see yet, so that another target can still take over; not more of it, nor longer,
        than is good."""
        exchange, codec, now = self._exchange, self._codec, self._clock.now
        self._held += piece
        is_due = codec.visible or len(self._held) > _HELD_BYTES or now > self._hold_until
        if self._held and codec.error is None and is_due:
            self._start()
            exchange.write(self._held)
            self._held = b""
        else:
            exchange.wake_at = min(self._hold_until, self._idle_at) if now <= self._hold_until else self._idle_at
