"""An upstream's reply on its way to the client: whole, as a stream of events, or as it comes when it is large."""

from __future__ import annotations

import re
from collections.abc import Sequence
from time import monotonic_ns

from gateline.formats.contract import Watch
from gateline.formats.mask import Mask, masked
from gateline.formats.openai.usage import is_json_object
from gateline.formats.tail import head_object
from gateline.gateway.exchange import Exchange
from gateline.gateway.hop import Hop
from gateline.gateway.router import TargetRoute
from gateline.gateway.thread import in_thread
from gateline.gateway.translate import array_codec, dropped_line, stream_codec, write_reply
from gateline.model.errors import UpstreamBroken, UpstreamError, UpstreamTimeout
from gateline.model.usage import Usage, cost
from gateline.net.clock import Clock
from gateline.net.lease import HIGH_WATER, Lease

_HELD_BYTES = 8_192  # of a stream before its first visible event, so that another target can still take over
_HELD_SECONDS = 5.0
_BLANK = re.compile(rb"[ \t\r\n]*")
_LARGEST_TRANSLATED = 33_554_432  # bytes of a whole reply that is held to be translated
_TAIL = 65_536  # bytes at the end of a large reply that its usage is looked for in


async def relay(exchange: Exchange, lease: Lease, target: TargetRoute, hop: Hop, clock: Clock) -> None:
    """Raises UpstreamError when the reply is not what it should be; `exchange.has_started` says whether the client
    has seen any of it."""
    if lease.is_stream:
        await _Stream(exchange, lease, target, hop, clock).run(target)
    elif hop.client is None:
        await _relay_large(exchange, lease, target, hop, clock)
    else:
        pieces = await _collect(exchange, lease, target, clock)
        await _translate_large(exchange, lease, target, hop, pieces)


def relay_whole(exchange: Exchange, lease: Lease, target: TargetRoute, hop: Hop) -> None:
    """Answers with a reply that is all there. Raises UpstreamBroken when it is no JSON object, UpstreamError when it is
    an error that calls itself a success."""
    body = lease.take()
    watch = hop.watch
    assert watch is not None
    is_json = watch.is_json and (watch.wants_text is None or not _wants_text(exchange, watch))
    if is_json and not (body[:1] == b"{" and body[-1:] == b"}") and not is_json_object(body):
        raise _no_object(lease, target)
    if body.find(watch.error_key) >= 0 and watch.reported is not None:
        failed = watch.reported(body, exchange.secret)
        if failed is not None:
            _note_usage(exchange, target, watch.usage(body) if is_json else None)  # it is billed all the same
            raise failed
    if hop.client is None:
        _note_usage(exchange, target, watch.usage(body) if is_json else None)
        if watch.has_answer is not None and not watch.has_answer(body):
            raise UpstreamBroken(f"{target.provider.name} answered without an answer.")
        body = masked(body, exchange.secret) if hop.is_raw else body
        lines = lease.lines + dropped_line(exchange) if exchange.dropped else lease.lines
        exchange.answer(lease.status, body, lines)
    else:
        try:
            lines, answer, usage = write_reply(exchange, hop, body)
        except UpstreamError:
            _note_usage(exchange, target, watch.usage(body) if is_json else None)
            raise
        body = answer
        _note_usage(exchange, target, usage)
        exchange.answer(lease.status, body, lines)
    if exchange.operation == "responses":
        exchange.reply = body


async def _collect(exchange: Exchange, lease: Lease, target: TargetRoute, clock: Clock) -> list[bytes]:
    """Waits for the whole of a large reply that is to be translated. Raises UpstreamBroken when it is too large."""
    exchange.wake_at = idle_at = clock.now + target.provider.idle_timeout
    pieces: list[bytes] = []
    size = 0
    while not lease.complete:
        if lease.failure is not None:
            raise lease.failure
        if lease.size:
            size += lease.size
            pieces.append(lease.take())
            if size > _LARGEST_TRANSLATED:
                raise UpstreamBroken(f"{target.provider.name} answered with over {_LARGEST_TRANSLATED} bytes.")
            lease.resume()
            exchange.wake_at = idle_at = clock.now + target.provider.idle_timeout
        await exchange.flow.park()
        _check(exchange, target, clock, idle_at)
    pieces.append(lease.take())
    return pieces


async def _translate_large(
    exchange: Exchange, lease: Lease, target: TargetRoute, hop: Hop, pieces: Sequence[bytes]
) -> None:
    """Answers with a large reply that is all there. In a thread: the interpreter is then held for one step of it at a
    time, of 10 ms for a picture of 10 MB, and other calls go on in between. Raises as `relay_whole` does."""

    def translate() -> tuple[bytes, bytes, Usage | None]:
        whole = b"".join(pieces)
        if not is_json_object(whole):
            raise _no_object(lease, target)
        return write_reply(exchange, hop, whole)

    lines, body, usage = await in_thread(exchange, translate)
    _note_usage(exchange, target, usage)
    exchange.start(lease.status, lines, len(body))
    exchange.hold(body)
    if exchange.operation == "responses":
        exchange.reply = body


def refuse_kind(exchange: Exchange, lease: Lease, target: TargetRoute, hop: Hop) -> UpstreamBroken:
    """Why a reply cannot be relayed that is a stream where none was asked for, or none where one was: the client's
    library would read an answer without content from it. What it cost is noted."""
    if lease.is_stream:
        return UpstreamBroken(f"{target.provider.name} answered with a stream, which was not asked for.")
    if lease.complete and hop.watch is not None:
        _note_usage(exchange, target, hop.watch.usage(lease.take()))
    return UpstreamBroken(f"{target.provider.name} answered without a stream, which was asked for.")


def late(exchange: Exchange, target: TargetRoute) -> UpstreamTimeout:
    """The attempt, or the call with all of its attempts, has taken all the time it may."""
    if exchange.ends_at < exchange.call_ends_at:
        return UpstreamTimeout(
            f"{target.provider.name} was still answering after {target.provider.total_timeout:g} s, all it may take."
        )
    seconds = exchange.router.snapshot.server.request_timeout
    return UpstreamTimeout(f"The call took longer than the {seconds:g} s a call may (server.request_timeout).")


async def _relay_large(exchange: Exchange, lease: Lease, target: TargetRoute, hop: Hop, clock: Clock) -> None:
    """Relays at the client's pace; what waits here is bounded by the lease's high-water mark."""
    watch = hop.watch
    assert watch is not None
    is_json = watch.is_json and not _wants_text(exchange, watch)
    await _look_at_beginning(exchange, lease, target, clock, is_json=is_json)
    exchange.start(lease.status, lease.lines + dropped_line(exchange), lease.length)
    mask = Mask(exchange.secret if hop.is_raw else "")
    head = tail = b""
    idle = target.provider.idle_timeout
    exchange.wake_at = idle_at = clock.now + idle
    while True:
        if lease.size and exchange.connection.writable:
            piece = mask.feed(lease.take())
            head = head or piece[:_TAIL]
            tail = piece[-_TAIL:] if len(piece) >= _TAIL else (tail + piece)[-_TAIL:]
            if lease.complete:
                _note_usage(exchange, target, _usage_at_ends(watch, head, tail) if is_json else None)
                exchange.hold(piece + mask.rest())
                return
            if piece:
                exchange.write(piece)
            lease.resume()
            exchange.wake_at = idle_at = clock.now + idle
        elif lease.complete and not lease.size:
            _note_usage(exchange, target, _usage_at_ends(watch, head, tail) if is_json else None)
            exchange.hold(mask.rest())
            return
        elif lease.failure is not None and not lease.size:
            raise lease.failure
        else:
            await exchange.flow.park()
            _check(exchange, target, clock, idle_at)


def _usage_at_ends(watch: Watch, head: bytes, tail: bytes) -> Usage | None:
    """Most vendors say it last; some ahead of what makes the reply large."""
    return watch.usage_in_tail(tail) or watch.usage(head_object(head))


def _wants_text(exchange: Exchange, watch: Watch) -> bool:
    """Whether this call's reply is something else than the JSON object that others of its operation get: then nothing
    that stands in it is the vendor's word."""
    return watch.wants_text is not None and exchange.call is not None and watch.wants_text(exchange.call)


async def _look_at_beginning(
    exchange: Exchange, lease: Lease, target: TargetRoute, clock: Clock, *, is_json: bool
) -> None:
    """Waits for the first byte of a large reply that says something, or for any where it need be no JSON object. Raises
    UpstreamBroken when it should begin one and does not: nothing has passed yet, so another target can still answer."""
    exchange.wake_at = idle_at = clock.now + target.provider.idle_timeout
    while is_json or not (lease.size or lease.complete):
        for chunk in lease.chunks:
            blank = _BLANK.match(chunk)
            assert blank is not None
            if blank.end() < len(chunk):
                if chunk[blank.end()] == 0x7B:
                    return
                raise _no_object(lease, target)
        if is_json and (lease.complete or lease.size > HIGH_WATER):
            raise _no_object(lease, target)
        if lease.failure is not None:
            raise lease.failure
        await exchange.flow.park()
        _check(exchange, target, clock, idle_at)


def _no_object(lease: Lease, target: TargetRoute) -> UpstreamBroken:
    return UpstreamBroken(f"{target.provider.name} answered {lease.status} with a body that is not a JSON object.")


class _Stream:
    """A stream on its way to the client. Events pass whole, each when its last byte has come; `[DONE]` is kept for
    after the record. The coroutine is there for all that may happen, `arrive` for what nearly always does."""

    __slots__ = ("_clock", "_codec", "_exchange", "_held", "_hold_until", "_idle", "_idle_at", "_lease", "_lines")

    def __init__(self, exchange: Exchange, lease: Lease, target: TargetRoute, hop: Hop, clock: Clock) -> None:
        self._exchange = exchange
        self._lease = lease
        self._clock = clock
        if hop.client is None:
            call, watch = exchange.call, hop.watch
            assert call is not None
            assert watch is not None
            assert watch.codec is not None
            if exchange.facts.asked.is_array:
                self._lines, self._codec = array_codec(exchange, hop.operation)
            else:
                self._lines, self._codec = lease.lines + dropped_line(exchange), watch.codec(call, exchange.secret)
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
        try:
            await self._pass(target)
        finally:  # also when the client leaves, the time is up or the call is cut: what was told is billed
            _note_usage(self._exchange, target, self._codec.usage)

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
            _check(exchange, target, clock, self._idle_at)

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


def _check(exchange: Exchange, target: TargetRoute, clock: Clock, idle_at: float) -> None:
    """After a wait. Raises ClientGone when the client left, UpstreamTimeout when the upstream takes too long."""
    exchange.check()
    now = clock.now
    if now > exchange.ends_at:
        raise late(exchange, target)
    if now > idle_at and exchange.connection.writable:
        raise UpstreamTimeout(f"{target.provider.name} sent nothing for {target.provider.idle_timeout:g} s.")


def _note_usage(exchange: Exchange, target: TargetRoute, usage: Usage | None) -> None:
    attempt = exchange.attempts[-1]
    if usage is not None:
        attempt.usage = exchange.usage = usage
        attempt.usage_source = exchange.usage_source = "provider"
        price = target.target.price
        if price is not None:
            attempt.cost = exchange.cost = cost(usage, price)
            if len(exchange.attempts) > 1:  # attempts that failed are billed as well
                exchange.cost = sum(each.cost for each in exchange.attempts if each.cost is not None)
