"""How long an answer is waited for, and by whom."""

from __future__ import annotations

from gateline.gateway.exchange import Exchange
from gateline.gateway.router import TargetRoute
from gateline.model.errors import UpstreamOverdue, UpstreamTimeout
from gateline.net.clock import Clock


def late(exchange: Exchange, target: TargetRoute) -> UpstreamOverdue:
    """The attempt, or the call with all of its attempts, has taken all the time it may."""
    if exchange.ends_at < exchange.call_ends_at:
        return UpstreamOverdue(
            f"{target.provider.name} was still answering after {target.provider.total_timeout:g} s, all it may take."
        )
    seconds = exchange.router.snapshot.server.request_timeout
    return UpstreamOverdue(f"The call took longer than the {seconds:g} s a call may (server.request_timeout).")


def check_waiting(exchange: Exchange, target: TargetRoute, clock: Clock, idle_at: float) -> None:
    """After a wait. Raises ClientGone when the client left, UpstreamTimeout when the upstream takes too long."""
    exchange.check()
    now = clock.now
    if now > exchange.ends_at:
        raise late(exchange, target)
    if now > idle_at and exchange.connection.writable:
        raise UpstreamTimeout(f"{target.provider.name} sent nothing for {target.provider.idle_timeout:g} s.")
