"""Asks targets until one answers: connect, send, wait, and on failure again or elsewhere, while nothing is visible."""

from __future__ import annotations

from functools import partial
from time import monotonic, monotonic_ns

import msgspec

from gateline.formats.call import write_body, write_body_parts
from gateline.formats.foreign import holds_foreign
from gateline.formats.form import write_form
from gateline.formats.redact import redact
from gateline.formats.renamed import NAMED_INSIDE, renamed
from gateline.formats.vendor_error import read_error, retry_after
from gateline.gateway.exchange import ClientGone, Exchange
from gateline.gateway.hop import Hop
from gateline.gateway.keyring import Seat, granted_with_another
from gateline.gateway.plan import Ways
from gateline.gateway.relay import late, refuse_kind, relay, relay_whole
from gateline.gateway.responses import passing
from gateline.gateway.retry import Step, back_off, forbidden, has_other_key, next_step, nowhere, worse
from gateline.gateway.router import TargetRoute
from gateline.gateway.thread import in_thread
from gateline.gateway.translate import APART_FROM, without_foreign, write_call, write_call_apart
from gateline.model.call import Call
from gateline.model.errors import (
    ACCOUNT_STATUSES,
    GatewayError,
    Unavailable,
    UpstreamBroken,
    UpstreamError,
    UpstreamRefused,
    UpstreamStale,
    UpstreamTimeout,
)
from gateline.model.record import Attempt
from gateline.net.clock import Clock
from gateline.net.lease import HIGH_WATER, Lease
from gateline.net.peeklink import PeekLink
from gateline.net.upstream import UpstreamConnection
from gateline.store.inflight import InFlight

_OpenedFields = tuple[str, str, str, int, str, str, str, bool, int]

_FAILURES = 3  # in a row without an answer, after which a target is left alone for a while
_COOL_DOWN = 5.0  # seconds
_ACCOUNT_COOL_DOWN = 30.0  # a credential that was refused will be refused again
_LONGEST_COOL_DOWN = 60.0
_ACCOUNT_SECONDS = 1.0
_LARGE = 1_048_576  # bytes of a body from which it is sent in views instead of one copy


class Attempts:
    """The stage. One a worker."""

    def __init__(self, in_flight: InFlight, clock: Clock, peeker: PeekLink) -> None:
        self._in_flight = in_flight
        self._peeker = peeker
        self._clock = clock
        self._encode = msgspec.msgpack.Encoder().encode

    async def run(self, exchange: Exchange, ways: Ways) -> None:
        """Returns when an answer has been relayed. Raises the last target's error when none gave one."""
        clock, retry = self._clock, exchange.router.snapshot.retry
        failure: GatewayError | None = None
        outage: GatewayError | None = None  # what to raise when no target is left
        for target, hop in ways:
            exchange.hop = hop
            if hop.client is not None and len(exchange.body) >= APART_FROM:
                await write_call_apart(exchange, hop, self._peeker, clock)
            turn = 0
            fresh = False  # on a connection of its own, at once, in place of an attempt that a stale one cost
            at_once = False  # the same, or with another key
            spare = target.authority.spare
            refused: tuple[Seat, ...] = ()  # keys that this call was answered 403 with
            while turn < retry.attempts:
                if turn and not at_once:
                    await self._pause(exchange, back_off(turn, retry.base, retry.cap, failure))
                began = monotonic_ns()
                try:
                    self._begin(exchange, target, began)
                    request = (
                        self._request(exchange, target, hop)
                        if len(exchange.body) < _LARGE
                        else await self._large_request(exchange, target, hop)
                    )
                    lease = None if fresh else self._send_now(exchange, target, hop, request)
                    lease = lease or await self._send_fresh(exchange, target, request)
                    if not lease.complete and lease.failure is None:
                        exchange.wake_at = clock.now + target.provider.first_byte_timeout
                        await exchange.flow.park()
                    if not lease.complete or exchange.connection.gone:  # most replies are whole at the first wake
                        await self._answered(exchange, target, lease)
                    if lease.status != 200 or lease.is_stream is not exchange.stream:
                        await self._check_reply(exchange, lease, target, hop)
                    if lease.complete and not lease.is_stream:
                        relay_whole(exchange, lease, target, hop)
                    else:
                        await relay(exchange, lease, target, hop, clock)
                        if target.engine is not None:
                            await self._accounted(exchange, lease)
                except GatewayError as error:
                    failure = error.with_traceback(None)  # which would hold this frame, and this frame the error
                    self._learn(exchange, target, error, spare)
                    refused += forbidden(exchange, error)
                else:
                    target.failures = 0
                    if exchange.seat is not None:
                        exchange.seat.refusals = 0
                    if refused:
                        granted_with_another(refused, clock.now)
                    return
                finally:
                    self._end(exchange, target, began)
                step = next_step(exchange, target, failure, spare, clock.now)
                if step is Step.ELSEWHERE:
                    break
                fresh = step is Step.FRESH
                at_once = step is not Step.AGAIN
                turn += step is Step.AGAIN
                spare -= step is Step.OTHER_KEY
            outage = worse(outage, failure)
        raise outage or nowhere(exchange)

    # --- one attempt ---

    def _begin(self, exchange: Exchange, target: TargetRoute, began: int) -> None:
        """Says what is about to happen: in the record to come, in the target's load, and in memory that outlives this
        process. Raises Unavailable without a free slot there."""
        clock, key = self._clock, exchange.key
        assert key is not None
        exchange.attempts.append(Attempt(target.label, started=began + clock.epoch))
        exchange.target = target
        exchange.seat = None
        if exchange.usage is not None:  # of an attempt that failed: it stays there
            exchange.usage = None
            exchange.usage_source = "none"
        ends_at = clock.now + target.provider.total_timeout
        if ends_at > exchange.call_ends_at:  # noqa: PLR1730 - min() costs more than all of this line and the next
            ends_at = exchange.call_ends_at
        exchange.ends_at = ends_at
        target.in_flight += 1
        in_flight = self._in_flight
        if exchange.slot >= 0:
            in_flight.close(exchange.slot)
            exchange.slot = -1
        # A tuple encodes as the struct `Opened` does, without making one.
        opened: _OpenedFields = (
            exchange.id.decode(),
            key.tenant,
            key.id,
            key.slot,
            exchange.operation,
            exchange.model,
            target.label,
            exchange.stream,
            exchange.started + clock.epoch,
        )
        slot = in_flight.open(self._encode(opened))
        if slot is None:
            raise Unavailable("Too many calls are running on this worker: try again shortly.", retry_after=1)
        exchange.slot = slot

    def _end(self, exchange: Exchange, target: TargetRoute, began: int) -> None:
        """Takes from the lease what the record wants and gives it back, or breaks it off if it is not at its end."""
        target.in_flight -= 1
        attempt = exchange.attempts[-1]
        attempt.duration = monotonic_ns() - began
        lease = exchange.lease
        if lease is None:
            return
        exchange.lease = None
        attempt.status = lease.status
        if lease.sent_at:
            exchange.upstream_ns += (lease.last_byte_at or monotonic_ns()) - lease.sent_at
        if lease.engine_cpu:
            exchange.queue += lease.queue
            exchange.engine_cpu += lease.engine_cpu
        if lease.complete:
            lease.release()
        elif lease.is_over and lease.failure is None:
            lease.settle()
        else:
            lease.abort()

    async def _answered(self, exchange: Exchange, target: TargetRoute, lease: Lease) -> None:
        """Waits on until the reply is whole, or has begun and is to be relayed as it comes. `wake_at` is set."""
        clock, provider = self._clock, target.provider
        while True:
            if exchange.connection.gone:
                raise ClientGone
            if lease.complete or (lease.status and (lease.is_stream or lease.is_large)):
                return
            failure = lease.failure
            if failure is not None:
                if isinstance(lease, UpstreamConnection) and lease.is_stale:
                    raise UpstreamStale(str(failure))
                raise failure
            if clock.now > exchange.ends_at:
                raise late(exchange, target)
            if clock.now > exchange.wake_at:
                raise UpstreamTimeout(
                    f"{provider.name} did not answer within {provider.first_byte_timeout:g} s: try again."
                )
            await exchange.flow.park()

    async def _accounted(self, exchange: Exchange, lease: Lease) -> None:
        """An engine says what a stream cost it right behind the stream's end."""
        exchange.wake_at = self._clock.now + _ACCOUNT_SECONDS
        while not lease.complete and lease.failure is None and self._clock.now <= exchange.wake_at:
            await exchange.flow.park()
            exchange.check()

    async def _check_reply(self, exchange: Exchange, lease: Lease, target: TargetRoute, hop: Hop) -> None:
        if hop.is_raw:
            exchange.stream = lease.is_stream
            return
        if lease.status >= 400:
            await self._collect(exchange, lease, target)
            raise _refusal(exchange, lease)
        if not 200 <= lease.status < 300:
            raise UpstreamBroken(
                f"{target.provider.name} answered {lease.status}: redirects are not followed, correct its base_url."
            )
        if lease.is_stream is exchange.stream or (
            not lease.is_stream and hop.watch is not None and hop.watch.may_be_whole
        ):
            return
        raise refuse_kind(exchange, lease, target, hop)

    async def _collect(self, exchange: Exchange, lease: Lease, target: TargetRoute) -> None:
        """Waits for a failed reply's body, as far as it is of use."""
        exchange.wake_at = self._clock.now + target.provider.idle_timeout
        while not lease.complete and lease.failure is None and lease.size <= HIGH_WATER:
            if self._clock.now > exchange.wake_at:
                return
            exchange.check()
            await exchange.flow.park()

    # --- a lease ---

    def _check(self, exchange: Exchange, target: TargetRoute) -> None:
        """After a wait. Raises ClientGone when the client left, UpstreamTimeout when the time is up."""
        exchange.check()
        if self._clock.now > exchange.ends_at:
            raise late(exchange, target)

    def _request(self, exchange: Exchange, target: TargetRoute, hop: Hop) -> list[bytes | memoryview]:
        """The upstream request's bytes; an engine gets the body only. Attempts after the first carry their number
        behind the request id. Raises what the caller is to be told when there is no authority to ask with."""
        if target.engine is not None:
            return _parts(exchange, hop)
        authority = target.authority
        exchange.seat = seat = authority.lone or authority.seat(self._clock.now)
        parts = _parts(exchange, hop)
        if seat is not None:
            credential, exchange.secret = seat.lines, seat.secret
        else:
            credential, exchange.secret = authority.lines(hop.method, hop.path, parts, self._clock.now)
        number = len(exchange.attempts)
        request_id = exchange.id if number == 1 else b"%b.%d" % (exchange.id, number)
        lines = hop.lines or exchange.facts.lines
        length = len(parts[0]) if len(parts) == 1 else sum(map(len, parts))
        rest = parts if length < _LARGE else ()
        head = b"".join((
            hop.head, credential, b"X-Request-Id: ", request_id, b"\r\n", lines,
            b"Content-Length: %d\r\n\r\n" % length, *rest,
        ))  # fmt: skip
        return [head] if rest else [head, *parts]

    async def _large_request(self, exchange: Exchange, target: TargetRoute, hop: Hop) -> list[bytes | memoryview]:
        """The same for a large body. In a thread where it takes long: calls that are written anew, and those whose
        vendor wants a signature over all of it."""
        if hop.is_plain and hop.client is None and not target.authority.signs:
            return self._request(exchange, target, hop)
        return await in_thread(exchange, partial(self._request, exchange, target, hop))

    def _send_now(
        self, exchange: Exchange, target: TargetRoute, hop: Hop, request: list[bytes | memoryview]
    ) -> Lease | None:
        """Sends the request on what is open already; None when a connection must be made first."""
        pool = target.pool
        if pool is None:
            assert target.engine is not None
            exchange.lease = target.engine.submit(exchange.flow, hop.path, b"".join(request))
            return exchange.lease
        connection = exchange.lease = pool.take()
        if connection is not None:
            connection.send(exchange.flow, request)
        return connection

    async def _send_fresh(self, exchange: Exchange, target: TargetRoute, request: list[bytes | memoryview]) -> Lease:
        """The same on a connection of its own."""
        connection = await self._dial(exchange, target)
        exchange.lease = connection
        connection.send(exchange.flow, request)
        return connection

    async def _dial(self, exchange: Exchange, target: TargetRoute) -> UpstreamConnection:
        assert target.pool is not None
        began = monotonic_ns()
        dial = target.pool.dial(exchange.flow)
        try:
            while dial.connection is None and dial.failure is None:
                await exchange.flow.park()
                self._check(exchange, target)
        except BaseException:
            dial.cancel()
            raise
        finally:
            exchange.connect += monotonic_ns() - began
        if dial.failure is not None:
            raise dial.failure
        assert dial.connection is not None
        return dial.connection

    # --- between attempts ---

    def _learn(self, exchange: Exchange, target: TargetRoute, error: GatewayError, spare: int) -> None:
        """A client's mistake says nothing about a target; a refused credential or a wish to wait does. `spare`: keys
        this call has not tried yet."""
        exchange.attempts[-1].error = error.label
        now = self._clock.now
        if isinstance(error, UpstreamRefused):
            seat, keyring = exchange.seat, target.authority.keyring
            if seat is not None and keyring is not None:
                keyring.learn(seat, error.status, error.retry_after, now, error.reason)
            if has_other_key(target, error, now) and (spare or error.status != 403):
                return
            if error.status == 403:
                # A refused credential, or one caller's prompt that the vendor will not have: only a row of them, from
                # which no other call stood out, says which.
                target.failures += 1
                if target.failures >= _FAILURES:
                    target.cooling_until = now + _ACCOUNT_COOL_DOWN
            elif error.status in ACCOUNT_STATUSES:
                target.cooling_until = now + _ACCOUNT_COOL_DOWN
            elif error.retryable and error.retry_after:
                target.cooling_until = now + min(error.retry_after, _LONGEST_COOL_DOWN)
            if error.status < 500:
                return
        if isinstance(error, UpstreamError) and not isinstance(error, UpstreamStale):
            target.failures += 1
            if target.failures >= _FAILURES and target.cooling_until <= now:
                target.cooling_until = now + _COOL_DOWN

    async def _pause(self, exchange: Exchange, seconds: float) -> None:
        until = monotonic() + seconds  # the clock's last tick lies behind: measured from there, the wait were too short
        exchange.wake_at = until
        while self._clock.now < until <= exchange.call_ends_at:
            await exchange.flow.park()
            exchange.check()


def _parts(exchange: Exchange, hop: Hop) -> list[bytes | memoryview]:
    """The body for `hop`, in pieces where it is large."""
    if hop.client is not None:
        return [write_call(exchange, hop)]
    if hop.is_raw:
        return [memoryview(exchange.body)]
    exchange.dropped = ()
    call = exchange.call if hop.is_plain else _passing(exchange, hop)
    assert call is not None
    if holds_foreign(hop.operation, exchange.body, hop.dialect):
        call = without_foreign(exchange, hop, call)
    if call.form:
        return write_form(call, exchange.body, hop.model)
    if len(exchange.body) >= _LARGE:
        return write_body_parts(call, hop.body_model, ask_usage=hop.asks_usage, added=hop.added)
    return [write_body(call, hop.body_model, ask_usage=hop.asks_usage, added=hop.added)]


def _passing(exchange: Exchange, hop: Hop) -> Call:
    """A call that passes, but for something inside its fields."""
    call = exchange.call
    assert call is not None
    if hop.operation in NAMED_INSIDE:
        return renamed(call, hop.model)
    assert exchange.target is not None
    return passing(call, exchange.recalled, exchange.target.provider)


def _refusal(exchange: Exchange, lease: Lease) -> UpstreamRefused:
    secret = exchange.secret
    detail = read_error(lease.status, lease.headers, lease.take(), secret=secret)
    return UpstreamRefused(
        redact(detail.message, secret),
        lease.status,
        type=detail.type,
        param=detail.param,
        code=detail.code,
        retry_after=detail.retry_after or retry_after(lease.headers),
    )
