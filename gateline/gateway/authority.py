"""With what authority requests to one target go out: a key of several, a token brought from elsewhere, or a signature
over the whole request."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from time import time
from typing import TYPE_CHECKING

from gateline.gateway.keyring import Ring, Seat
from gateline.model.snapshot import Provider
from gateline.providers.authorization import authorization
from gateline.providers.row import AuthStyle
from gateline.providers.sigv4 import sign

if TYPE_CHECKING:
    from gateline.gateway.exchange import Exchange
    from gateline.net.clock import Clock

_SERVICE = "bedrock"


class Authority:
    """`ring` None: requests show nothing. `lone` is the only key, which is used whatever is known of it. With a
    `region` requests are signed as a whole, for it and `host`."""

    __slots__ = ("_host", "_region", "lone", "ring", "signs", "spare")

    def __init__(self, ring: Ring | None, *, host: str = "", region: str = "") -> None:
        self.ring = ring
        self.spare = 0 if ring is None else ring.spare
        self.lone = ring.pick(0.0) if ring is not None and not self.spare else None
        self.signs = bool(region)
        self._host = host
        self._region = region

    def seat(self, now: float) -> Seat | None:
        """What to use now, None where nothing is used. Raises what the caller is to be told when there is none good.
        `now` is in monotonic seconds."""
        ring = self.ring
        if ring is None:
            return None
        seat = ring.pick(now)
        if seat is None:
            raise ring.shortage(now)
        return seat

    def signature(self, seat: Seat, method: bytes, path: str, body: Sequence[bytes | memoryview]) -> bytes:
        """Header lines over the whole request; none where it is not signed. Takes about 0.5 ms for 1 MB."""
        if seat.aws is None:
            return b""
        digest = sha256()
        for piece in body:
            digest.update(piece)
        target, _, query = path.partition("?")
        digest_hex, verb = digest.hexdigest(), method.decode("ascii")
        return sign(verb, self._host, target, digest_hex, seat.aws, self._region, _SERVICE, time(), query)

    def learn(self, seat: Seat, status: int, retry_after: float | None, now: float, code: str | None) -> None:
        """See `Ring`."""
        if self.ring is not None:
            self.ring.learn(seat, status, retry_after, now, code)

    def has_other(self, seat: Seat | None, now: float) -> bool:
        """Whether what `seat` has just been refused may be granted to another."""
        return self.spare > 0 and self.ring is not None and seat is not None and self.ring.has_other(seat, now)

    async def other(self, exchange: Exchange, clock: Clock) -> bool:
        """Waits for what `has_other` promised; whether it is here. Looks at every tick. Raises ClientGone."""
        ring, refused = self.ring, exchange.seat
        if ring is None or refused is None:
            return False
        while ring.awaits_other(refused, clock.now):
            exchange.wake_at = clock.now
            await exchange.flow.park()
            exchange.check()
        return ring.has_other(refused, clock.now)


NOBODY = Authority(None)


def seats_of(provider: Provider, style: AuthStyle) -> list[Seat]:
    """The provider's keys, ready to use; none where it has none. Raises ValueError when one could not be a header
    value."""
    pairs = ((authorization(style, key, provider.name), key) for key in provider.keys)
    return [Seat(lines, key) for lines, key in pairs if lines]
