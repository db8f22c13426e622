"""What to do after an attempt that failed: the same again, now or in a moment, or another target. Decides only."""

from __future__ import annotations

from enum import Enum
from random import random

from gateline.gateway.exchange import Exchange
from gateline.gateway.router import TargetRoute
from gateline.model.errors import (
    ACCOUNT_STATUSES,
    EgressRefused,
    GatewayError,
    Unavailable,
    UpstreamBroken,
    UpstreamError,
    UpstreamRefused,
    UpstreamStale,
    UpstreamTimeout,
)


class Step(Enum):
    """FRESH: at once on a connection of its own, in place of an attempt that a stale one cost. OTHER_KEY: at once with
    another key. AGAIN: the same after a pause."""

    FRESH = 0
    OTHER_KEY = 1
    AGAIN = 2
    ELSEWHERE = 3


def next_step(exchange: Exchange, target: TargetRoute, failure: GatewayError, spare: int, now: float) -> Step:
    """`spare`: keys this call has not tried yet. Raises `failure` when nothing further may do better, or may be done:
    the client has seen some of an answer, or its time is up."""
    if now > exchange.call_ends_at:
        raise failure
    if isinstance(failure, UpstreamStale):
        return Step.FRESH
    if exchange.has_started or not _is_worth_more(failure) or _may_be_done(exchange, failure):
        raise failure
    if spare and has_other_key(target, failure, now):
        return Step.OTHER_KEY
    return Step.AGAIN if _is_worth_the_same(failure, exchange.router.snapshot.retry.cap) else Step.ELSEWHERE


def has_other_key(target: TargetRoute, error: GatewayError, now: float) -> bool:
    """Whether what was refused to one of several keys may be granted to another."""
    is_about_key = isinstance(error, UpstreamRefused) and (error.status in ACCOUNT_STATUSES or error.status == 429)
    return is_about_key and target.authority.has_other_key(now)


def back_off(turn: int, base: float, cap: float, failure: GatewayError | None) -> float:
    """Full jitter over an exponential (aws.amazon.com/builders-library, "Timeouts, retries and backoff with jitter"),
    and never before the upstream asked for."""
    wait = random() * min(cap, base * 2.0 ** (turn - 1))  # noqa: S311 - spreads retries, hides nothing
    asked = failure.retry_after if failure is not None and failure.retry_after is not None else 0.0
    return max(wait, asked)


def _is_worth_more(error: GatewayError) -> bool:
    """Whether another try, here or elsewhere, may do better."""
    return isinstance(error, Unavailable) or (isinstance(error, UpstreamError) and error.retryable)


def _may_be_done(exchange: Exchange, error: GatewayError) -> bool:
    """Whether a second try might do something again that only its answer is missing of: a vendor's own API is asked for
    more than answers."""
    is_deed = exchange.operation == "passthrough" and exchange.connection.request.method != b"GET"
    return is_deed and isinstance(error, UpstreamTimeout | UpstreamBroken)


def _is_worth_the_same(error: GatewayError, longest_wait: float) -> bool:
    """Whether the same target may do better in a moment: not with a refused credential, nor before it asked to wait."""
    if isinstance(error, Unavailable | EgressRefused):
        return False
    if isinstance(error, UpstreamRefused) and error.status in ACCOUNT_STATUSES:
        return False
    return error.retry_after is None or error.retry_after <= longest_wait
