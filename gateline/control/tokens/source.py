"""What a source of tokens promises, and how it fails."""

from __future__ import annotations

from typing import Protocol

from gateline.model.token import Token


class NoToken(Exception):
    """There is no token now. `str(error)` says why in words that hold no secret: callers of the gateway may see it."""


class Source(Protocol):
    async def fetch(self) -> Token:
        """A token that is good from now on. Raises NoToken."""
        ...
