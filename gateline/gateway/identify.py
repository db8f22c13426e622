"""Who is calling: a key in a header becomes a principal, from memory; a key not seen before costs one look-up."""

from __future__ import annotations

from hmac import compare_digest

from gateline.gateway.exchange import Exchange
from gateline.gateway.keytable import KeyTable
from gateline.model.errors import Unauthenticated, Unavailable
from gateline.model.key import Key, key_hash

_LONGEST = 256  # bytes: longer is not one of our keys, and not worth hashing
_HELP = "Send a Gateline key as `Authorization: Bearer sk-gl-…`; `gateline keys create` makes one."


class Identify:
    """The stage. `pepper` is the installation's secret that key hashes are made with."""

    def __init__(self, keys: KeyTable, pepper: bytes) -> None:
        self._keys = keys
        self._pepper = pepper

    async def __call__(self, exchange: Exchange) -> None:
        """Sets `exchange.key`. Raises Unauthenticated, or Unavailable when nobody can say whose key this is."""
        token = exchange.connection.request.credential
        if token is None:
            raise Unauthenticated(f"No API key was sent. {_HELP}", code="missing_api_key")
        if len(token) > _LONGEST:
            raise Unauthenticated(f"The API key is not valid. {_HELP}")
        digest = key_hash(token, self._pepper)
        key = self._keys.find(digest)
        if key is None:
            key = await self._look_up(exchange, digest)
        if key is None or not compare_digest(key.hash, digest):
            raise Unauthenticated(f"The API key is not valid. {_HELP}")
        if key.revoked:
            raise Unauthenticated("The API key was revoked. Ask for a new one.", code="revoked_api_key")
        exchange.key = key

    async def _look_up(self, exchange: Exchange, digest: bytes) -> Key | None:
        if self._keys.is_absent(digest):
            return None
        question = self._keys.ask(digest, exchange.flow)
        while not question.answered:
            await exchange.flow.park()
            exchange.check()
            if not question.answered and self._keys.gave_up(question):
                raise Unavailable("The key cannot be verified at the moment: try again shortly.", retry_after=2)
        return question.key
