"""An upstream's reply on its way to the client: whole, as a stream of events, or as it comes when it is large."""

from __future__ import annotations

import asyncio
import re
from time import monotonic_ns

from gateline.formats.contract import Watch
from gateline.formats.cut import is_cut
from gateline.formats.marked import codec_of, marked, marker_of
from gateline.formats.mask import Mask, masked
from gateline.formats.openai.usage import is_json_object
from gateline.formats.packed import pack
from gateline.gateway.billed import Ends, note_usage
from gateline.gateway.exchange import Exchange
from gateline.gateway.hop import Hop
from gateline.gateway.router import TargetRoute
from gateline.gateway.thread import in_thread, overdue
from gateline.gateway.translate import (
    array_codec,
    dropped_line,
    reply_lines,
    reply_room,
    stream_codec,
    write_reply,
    write_reply_apart,
)
from gateline.model.errors import UpstreamBroken, UpstreamError, UpstreamOverdue, UpstreamTimeout
from gateline.model.usage import Usage
from gateline.net.clock import Clock
from gateline.net.lease import HIGH_WATER, Lease
from gateline.net.peeklink import PeekLink
from gateline.net.spool import Spool

_HELD_BYTES = 8_192  # of a stream before its first visible event, so that another target can still take over
_HELD_SECONDS = 5.0
_BLANK = re.compile(rb"[ \t\r\n]*")
_LARGEST_TRANSLATED = 33_554_432  # bytes of a whole reply that is held to be translated
_PIECE = 262_144  # bytes of a translated reply that are written at once


async def relay(
    exchange: Exchange, lease: Lease, target: TargetRoute, hop: Hop, clock: Clock, peeker: PeekLink
) -> None:
    """Raises UpstreamError when the reply is not what it should be; `exchange.has_started` says whether the client
    has seen any of it."""
    if lease.is_stream:
        await _Stream(exchange, lease, target, hop, clock).run(target)
    elif hop.client is None:
        await _relay_large(exchange, lease, target, hop, clock)
    else:
        await _relay_translated(exchange, lease, target, hop, clock, peeker)


def relay_whole(exchange: Exchange, lease: Lease, target: TargetRoute, hop: Hop) -> None:
    """Answers with a reply that is all there. Raises UpstreamBroken when it is no JSON object, UpstreamError when it is
    an error that calls itself a success."""
    body = lease.take()
    glance = hop.glance
    usage = None if glance is None else glance(body)
    if usage is None:
        _relay_examined(exchange, lease, target, hop, body)
    else:
        note_usage(exchange, target, usage)
        exchange.answer(200, body, lease.lines + dropped_line(exchange) if exchange.dropped else lease.lines)


def _relay_examined(exchange: Exchange, lease: Lease, target: TargetRoute, hop: Hop, body: bytes) -> None:
    """`relay_whole` for a reply that is not as nearly all are, or of a format where each is looked at closely."""
    watch = hop.watch
    assert watch is not None
    is_json = watch.is_json and not _wants_text(exchange, watch)
    if is_json and not is_json_object(body):
        raise _no_object(lease, target)
    if body.find(watch.error_key) >= 0 and watch.reported is not None:
        failed = watch.reported(body, exchange.secret)
        if failed is not None:
            note_usage(exchange, target, watch.usage(body) if is_json else None)  # it is billed all the same
            raise failed
    if hop.client is None:
        usage = watch.usage(body) if is_json else None
        if is_json and usage is None and is_cut(body):  # a usage is read up to the reply's end, which is there then
            raise _no_object(lease, target)
        note_usage(exchange, target, usage)
        if watch.has_answer is not None and not watch.has_answer(body):
            raise UpstreamBroken(f"{target.provider.name} answered without an answer.")
        marker = marker_of(watch, hop.dialect)
        if marker is not None:
            body = marked(body, marker)
        elif hop.is_raw:
            body = masked(body, exchange.secret)
        lines = lease.lines + dropped_line(exchange) if exchange.dropped else lease.lines
        exchange.answer(lease.status, body, lines)
    else:
        try:
            body, usage = write_reply(exchange, hop, body)
        except UpstreamError:
            note_usage(exchange, target, watch.usage(body) if is_json else None)
            raise
        note_usage(exchange, target, usage)
        exchange.answer(lease.status, body, reply_lines(exchange))
    if exchange.operation == "responses":
        exchange.reply = body


async def _relay_translated(
    exchange: Exchange, lease: Lease, target: TargetRoute, hop: Hop, clock: Clock, peeker: PeekLink
) -> None:
    """Answers with a large reply once all of it is here. Raises as `relay_whole` does, and CallTimeout."""
    answer, usage = await _translated(exchange, lease, target, hop, clock, peeker)
    note_usage(exchange, target, usage)
    if exchange.operation == "responses":
        exchange.reply = bytes(answer)
    exchange.start(lease.status, reply_lines(exchange), len(answer))
    await _write_out(exchange, memoryview(answer), clock)


async def _translated(
    exchange: Exchange, lease: Lease, target: TargetRoute, hop: Hop, clock: Clock, peeker: PeekLink
) -> tuple[bytes | memoryview, Usage | None]:
    """The client's body for a large reply, and its usage. Written by another process: in a thread, which is what is
    left without it, the interpreter is held for one step at a time, of 30 ms for a picture of 10 MB."""
    packed = pack(exchange.ask) if exchange.ask is not None else b""
    body = reply_room(min(lease.length or _LARGEST_TRANSLATED, _LARGEST_TRANSLATED) + len(packed))
    ends = Ends()
    try:
        await _collect(exchange, lease, target, clock, body, ends)
        view = body.view() if isinstance(body, Spool) else memoryview(body)
        if packed and isinstance(body, Spool):
            body.extend(packed)
            written = await write_reply_apart(exchange, hop, body, len(packed), peeker, clock)
            if written is not None:
                return written
        return await in_thread(exchange, lambda: write_reply(exchange, hop, bytes(view)))
    except BaseException:  # also when the client leaves: what has come is billed
        ends.add(lease.take())
        if hop.watch is not None:
            note_usage(exchange, target, ends.usage(hop.watch))
        raise


async def _collect(
    exchange: Exchange, lease: Lease, target: TargetRoute, clock: Clock, body: Spool | bytearray, ends: Ends
) -> None:
    """Waits for the whole of a reply. Raises UpstreamBroken when it is too large to be held."""
    exchange.wake_at = idle_at = clock.now + target.provider.idle_timeout
    while lease.size or not lease.complete:
        if lease.size:
            if len(body) + lease.size > _LARGEST_TRANSLATED:
                raise UpstreamBroken(f"{target.provider.name} answered with over {_LARGEST_TRANSLATED} bytes.")
            body.extend(piece := lease.take())
            ends.add(piece)
            if lease.complete:
                break
            lease.resume()
            exchange.wake_at = idle_at = clock.now + target.provider.idle_timeout
        elif lease.failure is not None:
            raise lease.failure
        else:
            await exchange.flow.park()
            _check(exchange, target, clock, idle_at)


async def _write_out(exchange: Exchange, answer: memoryview, clock: Clock) -> None:
    """Writes an answer that was started, but for its last piece, as the client takes it: a piece a turn of the loop,
    since a fast client takes 10 MB in one of 10 ms."""
    exchange.wake_at = exchange.call_ends_at
    loop = asyncio.get_running_loop()
    while len(answer) > _PIECE:
        if exchange.connection.writable:
            exchange.write(bytes(answer[:_PIECE]))
            answer = answer[_PIECE:]
            loop.call_soon(exchange.flow.wake)
        await exchange.flow.park()
        exchange.check()
        if clock.now > exchange.call_ends_at:
            raise overdue(exchange)
    exchange.hold(bytes(answer))


def refuse_kind(exchange: Exchange, lease: Lease, target: TargetRoute, hop: Hop) -> UpstreamError:
    """Why a reply cannot be relayed that is a stream where none was asked for, or none where one was: the client's
    library would read an answer without content from it. What it cost is noted, and an error that it reports is why."""
    if lease.is_stream:
        return UpstreamBroken(f"{target.provider.name} answered with a stream, which was not asked for.")
    if lease.complete and hop.watch is not None:
        body = lease.take()
        note_usage(exchange, target, hop.watch.usage(body))
        failed = None if hop.watch.reported is None else hop.watch.reported(body, exchange.secret)
        if failed is not None:
            return failed
    return UpstreamBroken(f"{target.provider.name} answered without a stream, which was asked for.")


def late(exchange: Exchange, target: TargetRoute) -> UpstreamOverdue:
    """The attempt, or the call with all of its attempts, has taken all the time it may."""
    if exchange.ends_at < exchange.call_ends_at:
        return UpstreamOverdue(
            f"{target.provider.name} was still answering after {target.provider.total_timeout:g} s, all it may take."
        )
    seconds = exchange.router.snapshot.server.request_timeout
    return UpstreamOverdue(f"The call took longer than the {seconds:g} s a call may (server.request_timeout).")


async def _relay_large(exchange: Exchange, lease: Lease, target: TargetRoute, hop: Hop, clock: Clock) -> None:
    """Relays at the client's pace; what waits here is bounded by the lease's high-water mark. Raises UpstreamBroken
    when the reply does not end as it began."""
    watch = hop.watch
    assert watch is not None
    is_json = watch.is_json and not _wants_text(exchange, watch)
    await _look_at_beginning(exchange, lease, target, clock, is_json=is_json)
    marker = marker_of(watch, hop.dialect)
    exchange.start(lease.status, lease.lines + dropped_line(exchange), lease.length if marker is None else None)
    mask = marker or Mask(exchange.secret if hop.is_raw else "")
    ends = Ends()
    last = b""
    idle = target.provider.idle_timeout
    exchange.wake_at = idle_at = clock.now + idle
    try:
        while lease.size or not lease.complete:
            if lease.size and exchange.connection.writable:
                ends.add(piece := lease.take())
                piece = mask.feed(piece)
                if lease.complete:
                    last = piece
                    break
                if piece:
                    exchange.write(piece)
                lease.resume()
                exchange.wake_at = idle_at = clock.now + idle
            elif lease.failure is not None and not lease.size:
                raise lease.failure
            else:
                await exchange.flow.park()
                _check(exchange, target, clock, idle_at)
    finally:  # also when the client leaves: what has come is billed
        if is_json:
            ends.add(lease.take())
            note_usage(exchange, target, ends.usage(watch))
    if is_json and not ends.are_closed:
        raise _no_object(lease, target)
    exchange.hold(last + mask.rest())


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
    return UpstreamBroken(
        f"{target.provider.name} answered {lease.status} with a body that is not a JSON object, or not a whole one."
    )


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
