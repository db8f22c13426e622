"""An upstream's reply on its way to the client: whole, as a stream of events, or as it comes when it is large."""

from __future__ import annotations

from gateline.formats.openai_error import reported_error
from gateline.formats.openai_stream import StreamCodec
from gateline.formats.openai_usage import is_json_object, usage_in_tail, usage_of_reply
from gateline.gateway.exchange import Exchange
from gateline.gateway.router import TargetRoute
from gateline.model.errors import UpstreamBroken, UpstreamError, UpstreamTimeout
from gateline.model.usage import Usage, cost
from gateline.net.clock import Clock
from gateline.net.lease import Lease

_HELD_BYTES = 8_192  # of a stream before its first visible event, so that another target can still take over
_HELD_SECONDS = 5.0
_TAIL = 65_536  # bytes at the end of a large reply that its usage is looked for in


async def relay(exchange: Exchange, lease: Lease, target: TargetRoute, clock: Clock) -> None:
    """Raises UpstreamError when the reply is not what it should be; `exchange.has_started` says whether the client
    has seen any of it."""
    if lease.is_stream:
        await _relay_stream(exchange, lease, target, clock)
    else:
        await _relay_large(exchange, lease, target, clock)


def relay_whole(exchange: Exchange, lease: Lease, target: TargetRoute) -> None:
    """Answers with a reply that is all there. Raises UpstreamBroken when it is no JSON object, UpstreamError when it is
    an error that calls itself a success."""
    body = lease.take()
    if not (body[:1] == b"{" and body[-1:] == b"}") and not is_json_object(body):
        raise UpstreamBroken(f"{target.provider.name} answered {lease.status} with a body that is not a JSON object.")
    failed = reported_error(body, secret=target.provider.api_key)
    if failed is not None:
        raise UpstreamError(failed.message, code=failed.code, param=failed.param)
    _note_usage(exchange, target, usage_of_reply(body))
    exchange.answer(lease.status, body, lease.lines)


async def _relay_large(exchange: Exchange, lease: Lease, target: TargetRoute, clock: Clock) -> None:
    """Relays at the client's pace; what waits here is bounded by the lease's high-water mark."""
    exchange.start(lease.status, lease.lines, lease.length)
    tail = b""
    idle = target.provider.idle_timeout
    exchange.wake_at = idle_at = clock.now + idle
    while True:
        if lease.size and exchange.connection.writable:
            piece = lease.take()
            tail = piece[-_TAIL:] if len(piece) >= _TAIL else (tail + piece)[-_TAIL:]
            if lease.complete:
                _note_usage(exchange, target, usage_in_tail(tail))
                exchange.hold(piece)
                return
            exchange.write(piece)
            lease.resume()
            exchange.wake_at = idle_at = clock.now + idle
        elif lease.complete and not lease.size:
            _note_usage(exchange, target, usage_in_tail(tail))
            exchange.hold(b"")
            return
        elif lease.failure is not None and not lease.size:
            raise lease.failure
        else:
            await exchange.flow.park()
            _check(exchange, target, clock, idle_at)


async def _relay_stream(exchange: Exchange, lease: Lease, target: TargetRoute, clock: Clock) -> None:
    """Events pass whole, each when its last byte has come. `[DONE]` is kept for after the record."""
    call, connection = exchange.call, exchange.connection
    assert call is not None
    codec = StreamCodec(call.include_usage, secret=target.provider.api_key)
    idle = target.provider.idle_timeout
    held = b""
    hold_until = clock.now + _HELD_SECONDS
    idle_at = clock.now + idle
    exchange.wake_at = min(hold_until, idle_at)
    while not codec.done:
        piece = b""
        if lease.size and connection.writable:
            piece = codec.feed(lease.take())
            if lease.is_paused:
                lease.resume()
            exchange.wake_at = idle_at = clock.now + idle
        elif lease.failure is not None and not lease.size:
            codec.error = lease.failure
        elif lease.complete and not lease.size:
            codec.end()
        else:
            await exchange.flow.park()
            if connection.gone or clock.now > exchange.ends_at or clock.now > idle_at:
                _check(exchange, target, clock, idle_at)
        if not exchange.has_started:
            held += piece
            piece = b""
            if held and codec.error is None and (codec.visible or len(held) > _HELD_BYTES or clock.now > hold_until):
                exchange.start(lease.status, lease.lines)
                piece, held = held, b""
            else:
                exchange.wake_at = min(hold_until, idle_at) if clock.now <= hold_until else idle_at
        if piece:
            exchange.write(piece)
        if codec.error is not None:
            break
    lease.is_over = codec.done
    _note_usage(exchange, target, codec.usage)
    if codec.error is not None:
        raise codec.error
    if not exchange.has_started:
        exchange.start(lease.status, lease.lines)
    exchange.hold(held + codec.last)


def _check(exchange: Exchange, target: TargetRoute, clock: Clock, idle_at: float) -> None:
    """After a wait. Raises ClientGone when the client left, UpstreamTimeout when the upstream takes too long."""
    exchange.check()
    now = clock.now
    if now > exchange.ends_at:
        raise UpstreamTimeout(f"The call took longer than a call may: {target.provider.name} was still answering.")
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
