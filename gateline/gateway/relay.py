"""An upstream's reply on its way to the client: whole, as a stream of events, or as it comes when it is large."""

from __future__ import annotations

import asyncio
import re

from gateline.formats.contract import Watch
from gateline.formats.cut import is_cut
from gateline.formats.marked import marked, marker_of
from gateline.formats.mask import Mask, masked
from gateline.formats.openai.usage import is_json_object
from gateline.formats.packed import pack
from gateline.gateway.billed import Ends, note_usage
from gateline.gateway.exchange import Exchange
from gateline.gateway.hop import Hop
from gateline.gateway.patience import check_waiting
from gateline.gateway.relay_stream import StreamRelay
from gateline.gateway.router import TargetRoute
from gateline.gateway.thread import in_thread, overdue
from gateline.gateway.translate import (
    dropped_line,
    reply_lines,
    reply_room,
    write_reply,
    write_reply_apart,
)
from gateline.model.errors import UpstreamBroken, UpstreamError
from gateline.model.usage import Usage
from gateline.net.clock import Clock
from gateline.net.lease import HIGH_WATER, Lease
from gateline.net.peeklink import PeekLink
from gateline.net.spool import Spool

_BLANK = re.compile(rb"[ \t\r\n]*")
_LARGEST_TRANSLATED = 33_554_432  # bytes of a whole reply that is held to be translated
_PIECE = 262_144  # bytes of a translated reply that are written at once


async def relay(
    exchange: Exchange, lease: Lease, target: TargetRoute, hop: Hop, clock: Clock, peeker: PeekLink
) -> None:
    """Raises UpstreamError when the reply is not what it should be; `exchange.has_started` says whether the client
    has seen any of it."""
    if lease.is_stream:
        await StreamRelay(exchange, lease, target, hop, clock).run(target)
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
            check_waiting(exchange, target, clock, idle_at)


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
                check_waiting(exchange, target, clock, idle_at)
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
        check_waiting(exchange, target, clock, idle_at)


def _no_object(lease: Lease, target: TargetRoute) -> UpstreamBroken:
    return UpstreamBroken(
        f"{target.provider.name} answered {lease.status} with a body that is not a JSON object, or not a whole one."
    )
