"""A call at a target where an attempt has failed: what that says about the target, and what is done next."""

from __future__ import annotations

from time import monotonic

from gateline.gateway.billed import note_free
from gateline.gateway.exchange import Exchange
from gateline.gateway.keyring import Seat
from gateline.gateway.retry import Step, back_off, forbidden, has_other_key, next_step
from gateline.gateway.router import TargetRoute
from gateline.model.errors import ACCOUNT_STATUSES, GatewayError, UpstreamError, UpstreamRefused, UpstreamStale
from gateline.net.clock import Clock

_FAILURES = 3  # in a row without an answer, after which a target is left alone for a while
_COOL_DOWN = 5.0  # seconds
_ACCOUNT_COOL_DOWN = 30.0  # a credential that was refused will be refused again
_LONGEST_COOL_DOWN = 60.0


class Course:
    """`refused`: keys that this call was answered 403 with."""

    __slots__ = ("_clock", "_exchange", "_spare", "_target", "_turns", "refused")

    def __init__(self, exchange: Exchange, target: TargetRoute, clock: Clock) -> None:
        self._exchange = exchange
        self._target = target
        self._clock = clock
        self._turns = 1  # that are used up
        self._spare = target.authority.spare  # keys that the call has not tried yet
        self.refused: tuple[Seat, ...] = ()

    def learn(self, error: GatewayError) -> None:
        """A client's mistake says nothing about a target; a refused credential or a wish to wait does."""
        exchange, target, now = self._exchange, self._target, self._clock.now
        self.refused += forbidden(exchange, error)
        lease = exchange.lease
        if lease is None or lease.status >= 400:  # nothing was sent, or nothing was granted
            note_free(exchange)
        if isinstance(error, UpstreamRefused):
            if exchange.seat is not None:
                target.authority.learn(exchange.seat, error.status, error.retry_after, now, error.reason)
            if has_other_key(exchange, target, error, now) and (self._spare or error.status != 403):
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

    async def go_on(self, failure: GatewayError) -> Step:
        """Returns when it is time for what it says. Raises `failure` when nothing further may do better, or may be
        done, and ClientGone."""
        exchange, target = self._exchange, self._target
        step = next_step(exchange, target, failure, self._spare, self._clock.now)
        if step is Step.OTHER_KEY:
            self._spare -= 1
            if not await target.authority.other(exchange, self._clock):
                return Step.ELSEWHERE
        elif step is Step.AGAIN:
            retry = exchange.router.snapshot.retry
            if self._turns >= retry.attempts:
                return Step.ELSEWHERE
            await self._pause(back_off(self._turns, retry.base, retry.cap, failure))
            self._turns += 1
        return step

    async def _pause(self, seconds: float) -> None:
        exchange = self._exchange
        until = monotonic() + seconds  # the clock's last tick lies behind: measured from there, the wait were too short
        exchange.wake_at = until
        while self._clock.now < until <= exchange.call_ends_at:
            await exchange.flow.park()
            exchange.check()
