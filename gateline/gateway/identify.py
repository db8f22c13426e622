"""Who is calling: a key in a header becomes a principal, from memory; a key not seen before costs one look-up."""

from __future__ import annotations

from hmac import compare_digest

from gateline.gateway.exchange import Exchange
from gateline.gateway.keytable import KeyTable
from gateline.model.errors import Unauthenticated, Unavailable
from gateline.model.key import Key

_HELP = "Send a Gateline key as `Authorization: Bearer sk-gl-…`; `gateline keys create` makes one."


class Identify:
    """The stage, in two steps: from memory, and the look-up that a key's first call here needs."""

    def __init__(self, keys: KeyTable) -> None:
        self._keys = keys

    def __call__(self, exchange: Exchange) -> bool:
        """Sets `exchange.key`; False when the key must be looked up first. Raises Unauthenticated, or Unavailable when
        nobody can say whose key this is."""
        facts = exchange.facts
        digest = facts.digest
        if digest is None:
            if facts.has_token:
                raise Unauthenticated(f"The API key is not valid. {_HELP}")
            raise Unauthenticated(f"No API key was sent. {_HELP}", code="missing_api_key")
        key = self._keys.find(digest)
        if key is None:
            if self._keys.is_absent(digest):
                raise Unauthenticated(f"The API key is not valid. {_HELP}")
            return False
        if key.revoked or not compare_digest(key.hash, digest):
            self._accept(exchange, key, digest)  # says why not
        exchange.key = key
        return True

    async def look_up(self, exchange: Exchange) -> None:
        """Sets `exchange.key` from the control plane's answer. Raises as `__call__` does."""
        digest = exchange.facts.digest
        assert digest is not None
        question = self._keys.ask(digest, exchange.flow)
        while not question.answered:
            await exchange.flow.park()
            exchange.check()
            if not question.answered and self._keys.gave_up(question):
                raise Unavailable("The key cannot be verified at the moment: try again shortly.", retry_after=2)
        if question.key is None:
            raise Unauthenticated(f"The API key is not valid. {_HELP}")
        self._accept(exchange, question.key, digest)

    def _accept(self, exchange: Exchange, key: Key, digest: bytes) -> None:
        if not compare_digest(key.hash, digest):
            raise Unauthenticated(f"The API key is not valid. {_HELP}")
        if key.revoked:
            raise Unauthenticated("The API key was revoked. Ask for a new one.", code="revoked_api_key")
        exchange.key = key
