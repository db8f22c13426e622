"""Covers one credential in bytes of which nothing else is known: a server may answer with what it was sent."""

from __future__ import annotations

_SHORTEST = 8  # bytes: what is shorter is no secret, and may stand anywhere


class Mask:
    """What comes out is as long as what went in. Of a reply in pieces only what may be the credential's beginning waits
    for the next piece."""

    __slots__ = ("_held", "_secret", "_stars")

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode("utf-8", "replace") if len(secret) >= _SHORTEST else b""
        self._stars = b"*" * len(self._secret)
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """What can be shown now."""
        secret = self._secret
        if not secret:
            return data
        data = (self._held + data).replace(secret, self._stars)
        at = self._beginning(data)
        self._held = data[at:]
        return data[:at]

    def rest(self) -> bytes:
        """What was held back, once nothing more comes."""
        held, self._held = self._held, b""
        return held

    def _beginning(self, data: bytes) -> int:
        """Where the credential may begin that `data` ends in; its length when it does not."""
        secret = self._secret
        at = data.find(secret[:1], max(len(data) - len(secret) + 1, 0))
        while at >= 0:
            if secret.startswith(data[at:]):
                return at
            at = data.find(secret[:1], at + 1)
        return len(data)


def masked(body: bytes, secret: str) -> bytes:
    """The whole of a reply with the credential covered."""
    mask = Mask(secret)
    return mask.feed(body) + mask.rest()
