"""The tokens that this worker's requests carry: brought by the control process, read from memory on the path.

One that a vendor refuses before its end is shown to the control process, which brings another. It is not withheld
meanwhile: another resource of the vendor may take it, and the vendor's own words say more than ours.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import time

from gateline.gateway.keyring import Seat
from gateline.model.credential import Credential, credential_id, ready_token
from gateline.model.errors import GatewayError, Unavailable
from gateline.model.feed import Granted, Rejected
from gateline.model.snapshot import Snapshot
from gateline.model.token import AwsKeys, Token, token_id
from gateline.net.clock import Clock

_NOT_ASKED = "the control process has not brought one"
_PATIENCE = 5.0  # seconds that calls wait for another token; an issuer takes a tenth of one
_PAUSE = 30.0  # between two that are refused: then it is no token that is wanting, but a right
# AWS says so in a 403, which it also gives for want of a right (docs.aws.amazon.com/bedrock/latest/APIReference/
# CommonErrors.html).
_REFUSALS = frozenset({"ExpiredTokenException", "UnrecognizedClientException", "InvalidClientTokenId"})


class Held:
    """What is held for one credential: a `Ring` of one token after another. `reject` asks for another than the one that
    it is given; None: nobody has another."""

    __slots__ = ("_asks_from", "_good_until", "_reason", "_reject", "_token", "_waits_until", "seat")

    def __init__(self, token: Token | None, now: float, reject: Callable[[Token], None] | None = None) -> None:
        self._reject = reject
        self._asks_from = 0.0
        self._token: Token | None = None
        self.seat: Seat | None = None
        self.take(token, _NOT_ASKED, now)

    def __repr__(self) -> str:
        return f"Held(good_until={self._good_until})"

    def take(self, token: Token | None, reason: str, now: float) -> None:
        """From now on (monotonic seconds) this, or none because of `reason`. The same again: there is no other."""
        self._waits_until = 0.0
        self._reason = reason
        if token is not None and token == self._token:
            return
        self._token = token
        self._good_until = 0.0
        self.seat = None if token is None else _seat(token)
        if token is not None:
            self._good_until = now + token.expires_at - time() if token.expires_at else float("inf")

    @property
    def spare(self) -> int:
        return 0 if self._reject is None else 1

    def pick(self, now: float) -> Seat | None:
        return self.seat if now < self._good_until else None

    def shortage(self, now: float) -> GatewayError:
        """503 until there is a token, with the reason."""
        reason = "the last one has expired" if self._good_until else self._reason
        return Unavailable(f"There is no token for the upstream yet: {reason}.", retry_after=1)

    def learn(self, seat: Seat, status: int, retry_after: float | None, now: float, code: str | None = None) -> None:
        """Asks for another token when this one is refused: once, however many calls have met it."""
        is_refusal = status == 401 or code in _REFUSALS
        if not is_refusal or seat is not self.seat or self._token is None or self._reject is None:
            return
        if now >= self._asks_from:
            self._asks_from = now + _PAUSE
            self._waits_until = now + _PATIENCE
            self._reject(self._token)

    def has_other(self, seat: Seat, now: float) -> bool:
        """Whether another token is here, or may come soon."""
        return seat is not self.seat or now < self._waits_until

    def awaits_other(self, seat: Seat, now: float) -> bool:
        return seat is self.seat and now < self._waits_until


def _seat(token: Token) -> Seat:
    if isinstance(token, AwsKeys):
        return Seat(b"", token.session_token or token.secret_key, token)
    return Seat(b"Authorization: Bearer %b\r\n" % token.value.encode("ascii"), token.value)


class TokenTable:
    """By credential, not by provider: a provider whose credential was changed never sends the old one's token. `say`
    tells the control process."""

    def __init__(self, clock: Clock, say: Callable[[Rejected], None]) -> None:
        self._clock = clock
        self._say = say
        self._held: dict[bytes, Held] = {}

    def of(self, credential: Credential) -> Held:
        """The same object as long as a snapshot has the credential: what comes later comes into it."""
        name = credential_id(credential)
        held = self._held.get(name)
        if held is None:
            token = ready_token(credential)
            held = Held(token, self._clock.now, None if token is not None else partial(self._rejected, name))
            self._held[name] = held
        return held

    def _rejected(self, name: bytes, token: Token) -> None:
        self._say(Rejected(name, token_id(token)))

    def granted(self, message: Granted) -> None:
        """A token of a credential that no snapshot here has is not kept: it comes again with the snapshot that has."""
        held = self._held.get(message.credential)
        if held is not None:
            held.take(message.token, message.reason, self._clock.now)

    def adopt(self, snapshot: Snapshot) -> None:
        """Drops what `snapshot`, now in force, does not name."""
        credentials = {provider.credential for provider in snapshot.providers()}
        named = {credential_id(credential) for credential in credentials if credential is not None}
        self._held = {name: held for name, held in self._held.items() if name in named}
