"""The tokens that this worker's requests carry: brought by the control process, read from memory on the path."""

from __future__ import annotations

from time import time

from gateline.model.credential import Credential, credential_id, ready_token
from gateline.model.errors import Unavailable
from gateline.model.feed import Granted
from gateline.model.snapshot import Snapshot
from gateline.model.token import AwsKeys, Token
from gateline.net.clock import Clock

_NOT_ASKED = "the control process has not brought one"


class Held:
    """What is held for one credential. `line` is the header line of a bearer, with its line end; `aws` are the keys to
    sign with, where they are AWS's; `secret` is what must be cut out of an upstream's words."""

    __slots__ = ("_good_until", "_reason", "aws", "line", "secret")

    def __init__(self, token: Token | None, now: float) -> None:
        self.aws: AwsKeys | None = None
        self.take(token, _NOT_ASKED, now)

    def __repr__(self) -> str:
        return f"Held(good_until={self._good_until})"

    def take(self, token: Token | None, reason: str, now: float) -> None:
        """From now on (monotonic seconds) this, or none because of `reason`."""
        self.line, self.secret, self.aws = b"", "", None
        self._reason = reason
        self._good_until = 0.0
        if token is None:
            return
        self._good_until = now + token.expires_at - time() if token.expires_at else float("inf")
        if isinstance(token, AwsKeys):
            self.aws = token
            self.secret = token.session_token or token.secret_key
        else:
            self.line = b"Authorization: Bearer %b\r\n" % token.value.encode("ascii")
            self.secret = token.value

    def check(self, now: float) -> None:
        """Raises Unavailable, which says why, when there is no token that is good at `now`."""
        if now >= self._good_until:
            reason = "the last one has expired" if self._good_until else self._reason
            raise Unavailable(f"There is no token for the upstream yet: {reason}.", retry_after=1)


class TokenTable:
    """By credential, not by provider: a provider whose credential was changed never sends the old one's token."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._held: dict[bytes, Held] = {}

    def of(self, credential: Credential) -> Held:
        """The same object as long as a snapshot has the credential: what comes later comes into it."""
        name = credential_id(credential)
        held = self._held.get(name)
        if held is None:
            held = self._held[name] = Held(ready_token(credential), self._clock.now)
        return held

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
