"""With what authority requests to one target go out: a key of several, a token brought from elsewhere, or a signature
over the whole request."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from time import time

from gateline.gateway.keyring import Keyring, Seat
from gateline.gateway.tokens import Held
from gateline.model.snapshot import Provider
from gateline.providers.authorization import authorization
from gateline.providers.row import AuthStyle
from gateline.providers.sigv4 import sign

_SERVICE = "bedrock"


class Authority:
    """`keyring` None: there are no keys to choose from. `lone` is the only one, which is used whatever is known of it.
    `host` and `region` are what signatures are made over."""

    __slots__ = ("_held", "_host", "_region", "keyring", "lone", "spare")

    def __init__(self, keyring: Keyring | None, held: Held | None, *, host: str = "", region: str = "") -> None:
        self.keyring = keyring
        self.spare = 0 if keyring is None else len(keyring) - 1  # keys that one call may try besides its first
        self.lone = keyring.pick(0.0) if keyring is not None and not self.spare else None
        self._held = held
        self._host = host
        self._region = region

    def seat(self, now: float) -> Seat | None:
        """The key to use now, None where none is used. Raises what the caller is to be told when each is dead or busy.
        `now` is in monotonic seconds."""
        keyring = self.keyring
        if keyring is None:
            return None
        seat = keyring.pick(now)
        if seat is None:
            raise keyring.shortage(now)
        return seat

    def lines(self, method: bytes, path: str, body: Sequence[bytes | memoryview], now: float) -> tuple[bytes, str]:
        """Header lines for a request that no key is used for, and their secret. Raises Unavailable without a token."""
        held = self._held
        if held is None:
            return b"", ""
        held.check(now)
        if held.aws is None:
            return held.line, held.secret
        digest = sha256()
        for piece in body:
            digest.update(piece)
        target, _, query = path.partition("?")
        digest_hex, verb = digest.hexdigest(), method.decode("ascii")
        lines = sign(verb, self._host, target, digest_hex, held.aws, self._region, _SERVICE, time(), query)
        return lines, held.secret

    @property
    def signs(self) -> bool:
        """Whether requests are signed as a whole."""
        return self._held is not None and self._held.aws is not None

    def has_other_key(self, now: float) -> bool:
        """Whether another key may do at once what one has just been refused."""
        return self.spare > 0 and self.keyring is not None and self.keyring.has_ready(now)


NOBODY = Authority(None, None)


def seats_of(provider: Provider, style: AuthStyle) -> list[Seat]:
    """The provider's keys, ready to use; none where it has none. Raises ValueError when one could not be a header
    value."""
    pairs = ((authorization(style, key, provider.name), key) for key in provider.keys)
    return [Seat(lines, key) for lines, key in pairs if lines]
