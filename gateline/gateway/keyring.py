"""Several keys of one vendor, used in turn: a dead key is told from a busy one, and neither from a broken vendor.

Decides only; knows no socket. A dead key is dead for every model, so what is known of that is shared by all targets of
a provider (`Seat`); vendors count rates by model, so which keys are busy is each target's own (`Keyring`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gateline.model.errors import GatewayError, Unavailable, UpstreamRefused
from gateline.model.token import AwsKeys

DEAD_SECONDS = 300.0  # then the key is tried again: somebody may have paid, or have given it back its rights
LONGEST_BUSY = 60.0  # seconds; a vendor that asks for more is asked again after this all the same
_BUSY_SECONDS = 1.0  # when a vendor does not say for how long
_REFUSALS = 3  # calls in a row: a 403 may be about one caller's prompt, and must not cost everybody the key
# A 429 that waiting does not cure: the account is out of money (platform.openai.com/docs/guides/error-codes).
_UNPAID = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})


class Seat:
    """One key, or one token. `lines` are the header lines that carry it, with their line ends; where it signs instead,
    `aws` has what with. `secret` is what must be cut out of an upstream's words. `dead_until` is in the caller's
    monotonic seconds."""

    __slots__ = ("aws", "dead_until", "lines", "refusals", "secret")

    def __init__(self, lines: bytes, secret: str, aws: AwsKeys | None = None) -> None:
        self.lines = lines
        self.secret = secret
        self.aws = aws
        self.dead_until = 0.0
        self.refusals = 0  # calls since its last answer that were granted with another key, and with this one were not

    def __repr__(self) -> str:
        return f"Seat(dead_until={self.dead_until})"


class Ring(Protocol):
    """What the requests to one target may be made with. `spare` is how many more one call may try after its first."""

    @property
    def spare(self) -> int: ...

    def pick(self, now: float) -> Seat | None:
        """The one to use now (monotonic seconds); None when there is none, and `shortage` says why."""
        ...

    def shortage(self, now: float) -> GatewayError: ...

    def learn(self, seat: Seat, status: int, retry_after: float | None, now: float, code: str | None = None) -> None:
        """What the vendor's answer says about the one it was asked with. `code` is the one in the vendor's error."""
        ...

    def has_other(self, seat: Seat, now: float) -> bool:
        """Whether what was refused to `seat` is worth another try with another."""
        ...

    def awaits_other(self, seat: Seat, now: float) -> bool:
        """Whether that other one is not here yet, and may come soon."""
        ...


def granted_with_another(refused: Sequence[Seat], now: float) -> None:
    """A call that was answered 403 with `refused` has just been granted with another key of the same vendor. That alone
    speaks against a key: refused with each of them, it is the call that the vendor will not have."""
    for seat in refused:
        seat.refusals += 1
        if seat.refusals >= _REFUSALS:
            seat.dead_until = now + DEAD_SECONDS


class Keyring:
    """What one target may use of its provider's `seats`, of which there is at least one.

    A lone key is never withheld: there is no other to spare it for, and the vendor's own words say more than ours.
    """

    __slots__ = ("_busy_until", "_next", "_provider", "_seats")

    def __init__(self, provider: str, seats: Sequence[Seat]) -> None:
        if not seats:
            raise ValueError("a keyring needs a key")
        self._provider = provider
        self._seats = tuple(seats)
        self._busy_until = [0.0] * len(seats)
        self._next = 0

    @property
    def spare(self) -> int:
        return len(self._seats) - 1

    def pick(self, now: float) -> Seat | None:
        """The next key in turn that is neither dead nor busy; None when there is none (`shortage` says what then)."""
        seats, count = self._seats, len(self._seats)
        if count == 1:
            return seats[0]
        place = self._next
        for _ in range(count):
            seat = seats[place]
            following = place + 1 if place + 1 < count else 0
            if seat.dead_until <= now and self._busy_until[place] <= now:
                self._next = following
                return seat
            place = following
        return None

    def has_other(self, seat: Seat, now: float) -> bool:
        """Whether there is a key besides `seat` that nothing speaks against: worth another try at once."""
        return any(self._ready_at(place) <= now for place, other in enumerate(self._seats) if other is not seat)

    def learn(self, seat: Seat, status: int, retry_after: float | None, now: float, code: str | None = None) -> None:
        if status == 429 and code not in _UNPAID:
            wait = _BUSY_SECONDS if retry_after is None else min(max(retry_after, 0.0), LONGEST_BUSY)
            place = self._seats.index(seat)
            self._busy_until[place] = max(self._busy_until[place], now + wait)
        elif status in {401, 402, 429}:
            seat.dead_until = now + DEAD_SECONDS
        elif status < 400:
            seat.refusals = 0

    def awaits_other(self, seat: Seat, now: float) -> bool:
        return False

    def shortage(self, now: float) -> GatewayError:
        """Why `pick` gave none, to raise: 429 while a key is only busy, 503 when all are dead. Its `retry_after` is
        when the first of them returns, in whole seconds."""
        wait = max(1.0, float(-(-(min(map(self._ready_at, range(len(self._seats)))) - now) // 1)))
        if all(seat.dead_until > now for seat in self._seats):
            return Unavailable(
                f"Each key of the provider {self._provider!r} was refused by the vendor (401, 402 or 403): "
                "its keys or its account need attention.",
                code="upstream_keys_refused",
                retry_after=wait,
            )
        return UpstreamRefused(
            f"Each usable key of the provider {self._provider!r} is at its rate limit: wait and try again.",
            429,
            code="rate_limit_exceeded",
            retry_after=wait,
        )

    def _ready_at(self, place: int) -> float:
        return max(self._seats[place].dead_until, self._busy_until[place])
