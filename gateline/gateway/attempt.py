"""Asks targets until one answers: connect, send, wait, and on failure again or elsewhere, while nothing is visible."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from time import monotonic_ns

import msgspec

from gateline.formats.redact import redact
from gateline.formats.vendor_error import read_error, retry_after
from gateline.gateway.course import Course
from gateline.gateway.exchange import ClientGone, Exchange
from gateline.gateway.hop import Hop
from gateline.gateway.keyring import granted_with_another
from gateline.gateway.outgoing import is_copied, write_request
from gateline.gateway.patience import late
from gateline.gateway.plan import Ways
from gateline.gateway.relay import refuse_kind, relay, relay_whole
from gateline.gateway.retry import Step, nowhere, worse
from gateline.gateway.router import TargetRoute
from gateline.gateway.thread import in_thread
from gateline.gateway.translate import APART_FROM, write_call_apart
from gateline.model.errors import (
    ACCOUNT_STATUSES,
    GatewayError,
    Unavailable,
    UpstreamBroken,
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

_ACCOUNT_SECONDS = 1.0


class Attempts:
    """The stage. One a worker. `notice_refused` hears of a provider's key or account that its vendor refused, and with
    which status."""

    def __init__(
        self, in_flight: InFlight, clock: Clock, peeker: PeekLink, notice_refused: Callable[[str, int], None]
    ) -> None:
        self._in_flight = in_flight
        self._notice_refused = notice_refused
        self._peeker = peeker
        self._clock = clock
        self._encode = msgspec.msgpack.Encoder().encode

    async def run(self, exchange: Exchange, ways: Ways) -> None:
        """Returns when an answer has been relayed. Raises the last target's error when none gave one."""
        clock = self._clock
        failure: GatewayError | None = None
        outage: GatewayError | None = None  # what to raise when no target is left
        for target, hop in ways:
            exchange.hop = hop
            pool = target.pool
            course: Course | None = None  # once an attempt here has failed
            while True:
                began = monotonic_ns()
                try:
                    self._begin(exchange, target, began)
                    request = (
                        write_request(exchange, target, hop, clock.now)
                        if len(exchange.body) < APART_FROM
                        else await self._large_request(exchange, target, hop)
                    )
                    connection = None if pool is None else pool.take()
                    if connection is None:
                        lease = await self._send_elsewise(exchange, target, hop, request)
                    else:
                        lease = exchange.lease = connection
                        connection.send(exchange.flow, request)
                    if not lease.complete and lease.failure is None:
                        # Of an answer that is no stream the first byte comes with the last.
                        patience = target.provider.first_byte_timeout
                        exchange.wake_at = clock.now + patience if exchange.stream else exchange.ends_at
                        await exchange.flow.park()
                    if not lease.complete or exchange.connection.gone:  # most replies are whole at the first wake
                        await self._answered(exchange, target, lease)
                    if lease.status != 200 or lease.is_stream is not exchange.stream:
                        await self._check_reply(exchange, lease, target, hop)
                    if lease.complete and not lease.is_stream and (hop.client is None or lease.size < APART_FROM):
                        relay_whole(exchange, lease, target, hop)
                    else:
                        await relay(exchange, lease, target, hop, clock, self._peeker)
                        if target.engine is not None:
                            await self._accounted(exchange, lease)
                except GatewayError as error:
                    failure = error.with_traceback(None)  # which would hold this frame, and this frame the error
                    exchange.attempts[-1].error = error.label
                    course = course or Course(exchange, target, clock)
                    course.learn(error)
                else:
                    target.failures = 0
                    if exchange.seat is not None:
                        exchange.seat.refusals = 0
                    if course is not None and course.refused:
                        granted_with_another(course.refused, clock.now)
                    return
                finally:
                    self._end(exchange, target, began)
                step = await course.go_on(failure)
                if step is Step.ELSEWHERE:
                    break
                pool = target.pool if step is not Step.FRESH else None
            outage = worse(outage, failure)
        raise outage or nowhere(exchange)

    # --- one attempt ---

    def _begin(self, exchange: Exchange, target: TargetRoute, began: int) -> None:
        """Says what is about to happen: in the record to come, in the target's load, and in memory that outlives this
        process. Raises Unavailable without a free slot there."""
        clock, key = self._clock, exchange.key
        assert key is not None
        attempts = exchange.attempts
        if attempts:  # what is known of one that failed stays there
            exchange.seat = exchange.usage = None
            exchange.cost = exchange.cost or None
            exchange.usage_source = "none"
            exchange.dropped = ()
        attempts.append(Attempt(target.label, 0, "", began + clock.epoch))
        exchange.target = target
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
                await _last_look(exchange, lease)
                return
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
            if lease.status in ACCOUNT_STATUSES:
                self._notice_refused(target.provider.name, lease.status)
            raise _refusal(exchange, lease, target)
        if not 200 <= lease.status < 300:
            raise UpstreamBroken(
                f"{target.provider.name} answered {lease.status}: redirects are not followed, correct its base_url."
            )
        if lease.is_stream is exchange.stream or (
            not lease.is_stream and hop.watch is not None and hop.watch.may_be_whole
        ):
            return
        if not lease.is_stream:
            await self._collect(exchange, lease, target)
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

    async def _large_request(self, exchange: Exchange, target: TargetRoute, hop: Hop) -> list[bytes | memoryview]:
        """Where it takes long: a call that is written anew by another process, what else is more than copied in a
        thread, as is the signature over all of it that some vendors want."""
        if hop.client is not None:
            await write_call_apart(exchange, hop, self._peeker, self._clock)
        write = partial(write_request, exchange, target, hop, self._clock.now)
        if not target.authority.signs and is_copied(exchange, hop):
            return write()
        return await in_thread(exchange, write)

    async def _send_elsewise(
        self, exchange: Exchange, target: TargetRoute, hop: Hop, request: list[bytes | memoryview]
    ) -> Lease:
        """Sends it to an engine, or on a connection that is made for it."""
        if target.engine is not None:
            exchange.lease = target.engine.submit(exchange.flow, hop.path, b"".join(request))
            return exchange.lease
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


async def _last_look(exchange: Exchange, lease: Lease) -> None:
    """The client has left. A whole reply that came with that, in one turn of the loop, is read after this and billed
    all the same. Raises ClientGone without one."""
    if not lease.complete:
        asyncio.get_running_loop().call_soon(exchange.flow.wake)
        await exchange.flow.park()
    if not lease.complete or lease.is_stream:
        raise ClientGone


def _refusal(exchange: Exchange, lease: Lease, target: TargetRoute) -> UpstreamRefused:
    """What the vendor said; of a 401 with whose key it means, or who called would look at the own one."""
    secret = exchange.secret
    detail = read_error(lease.status, lease.headers, lease.take(), secret=secret)
    message, code = redact(detail.message, secret), detail.code
    if lease.status == 401:
        code = "upstream_key_refused"
        message = f"The gateway's own credential for the provider {target.provider.name!r} was refused: {message}"
    return UpstreamRefused(
        message,
        lease.status,
        type=detail.type,
        param=detail.param,
        code=code,
        retry_after=detail.retry_after or retry_after(lease.headers),
    )
