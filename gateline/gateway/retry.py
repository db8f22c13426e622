"""What to do after an attempt that failed: the same again, now or in a moment, or another target. Decides only."""

from __future__ import annotations

from enum import Enum
from random import random

from gateline.gateway.exchange import Exchange
from gateline.gateway.keyring import Seat
from gateline.gateway.router import TargetRoute
from gateline.model.errors import (
    ACCOUNT_STATUSES,
    BadRequest,
    EgressRefused,
    GatewayError,
    Unavailable,
    Untranslatable,
    UpstreamError,
    UpstreamOverdue,
    UpstreamRefused,
    UpstreamStale,
)


class Step(Enum):
    """FRESH: at once on a connection of its own, in place of an attempt that a stale one cost. OTHER_KEY: at once with
    another key, or token. AGAIN: the same after a pause."""

    FRESH = 0
    OTHER_KEY = 1
    AGAIN = 2
    ELSEWHERE = 3


def next_step(exchange: Exchange, target: TargetRoute, failure: GatewayError, spare: int, now: float) -> Step:
    """`spare`: keys this call has not tried yet. Raises `failure` when nothing further may do better, or may be done:
    the client has seen some of an answer or is gone, or its time is up."""
    if now > exchange.call_ends_at or exchange.connection.gone:
        raise failure
    if _may_be_done(exchange):
        raise failure
    if isinstance(failure, UpstreamStale):
        return Step.FRESH
    if isinstance(failure, Untranslatable):
        return Step.ELSEWHERE
    if exchange.has_started or not _is_worth_more(failure):
        raise failure
    if spare and has_other_key(exchange, target, failure, now):
        return Step.OTHER_KEY
    return Step.AGAIN if _is_worth_the_same(failure, exchange.router.snapshot.retry.cap) else Step.ELSEWHERE


def has_other_key(exchange: Exchange, target: TargetRoute, error: GatewayError, now: float) -> bool:
    """Whether what was refused to one of several keys, or to a token, may be granted to another."""
    is_about_key = isinstance(error, UpstreamRefused) and (error.status in ACCOUNT_STATUSES or error.status == 429)
    return is_about_key and target.authority.has_other(exchange.seat, now)


def forbidden(exchange: Exchange, error: GatewayError) -> tuple[Seat, ...]:
    """The key that was answered 403, if it was."""
    is_forbidden = isinstance(error, UpstreamRefused) and error.status == 403
    return (exchange.seat,) if is_forbidden and exchange.seat is not None else ()


def worse(before: GatewayError | None, failure: GatewayError | None) -> GatewayError | None:
    """Of two targets' failures the one to tell: the last, but for one that only a strict caller has. Where another
    target has a place for all of the call, that it is out of order says more."""
    return before if before is not None and isinstance(failure, Untranslatable) else failure


def nowhere(exchange: Exchange) -> GatewayError:
    """No target was tried."""
    route = exchange.model_route
    if route is None or not any(target.target.weight for target in route.targets):
        return Unavailable("No target of this model is in service.", retry_after=5)
    return BadRequest(
        f"The model {exchange.model!r} cannot be asked for {exchange.operation}: its vendor has nothing like it.",
        param="model",
        code="unsupported_operation",
    )


def back_off(turn: int, base: float, cap: float, failure: GatewayError | None) -> float:
    """Full jitter over an exponential (aws.amazon.com/builders-library, "Timeouts, retries and backoff with jitter"),
    and never before the upstream asked for."""
    wait = random() * min(cap, base * 2.0 ** (turn - 1))  # noqa: S311 - spreads retries, hides nothing
    asked = failure.retry_after if failure is not None and failure.retry_after is not None else 0.0
    return max(wait, asked)


def _is_worth_more(error: GatewayError) -> bool:
    """Whether another try, here or elsewhere, may do better."""
    return isinstance(error, Unavailable) or (isinstance(error, UpstreamError) and error.retryable)


def _may_be_done(exchange: Exchange) -> bool:
    """Whether a second try might do something again that only its answer is missing of: a vendor's own API is asked for
    more than answers. What was sent on a connection that then ended without a byte may have been read all the same."""
    is_deed = exchange.operation == "passthrough" and exchange.connection.request.method not in {b"GET", b"HEAD"}
    return is_deed and exchange.upstream_ns > 0


def _is_worth_the_same(error: GatewayError, longest_wait: float) -> bool:
    """Whether the same target may do better in a moment: not with a refused credential, nor before it asked to wait,
    nor with what it could not do in all of its time."""
    if isinstance(error, Unavailable | EgressRefused | UpstreamOverdue):
        return False
    if isinstance(error, UpstreamRefused) and error.status in ACCOUNT_STATUSES:
        return False
    return error.retry_after is None or error.retry_after <= longest_wait
