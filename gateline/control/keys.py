"""The service that makes, lists and revokes keys. A token exists in clear only in the value `create` returns."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine

from gateline.model.key import PREFIX, Key, key_hash
from gateline.model.snapshot import DEFAULT_TENANT
from gateline.store.sql.keys import NewKey, StoredKey, has_keys, insert_keys, page_of_keys, revoke_key, writing

PAGE = 1_000
_TOKEN_BYTES = 32
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")
_MODEL = re.compile(r"[!-~]{1,200}\Z")
_MOST = 2**31 - 1


class BadKey(ValueError):
    """The wish for a key cannot be granted; the message says what to change."""


class UnknownKey(LookupError):
    """No key has this id."""


@dataclass(frozen=True, slots=True)
class KeyWish:
    """What a new key may do; None is no limit and all models."""

    name: str
    tenant: str = DEFAULT_TENANT
    requests_per_minute: int | None = None
    concurrency: int | None = None
    models: tuple[str, ...] | None = None
    admin: bool = False

    def check(self) -> None:
        """Raises BadKey."""
        if not 1 <= len(self.name) <= 200 or not self.name.isprintable():
            raise BadKey("name: must be 1 to 200 printable characters")
        if not _TENANT.match(self.tenant):
            raise BadKey("tenant: must be at most 64 letters, digits, dots, dashes and underscores")
        for field, value in (
            ("requests_per_minute", self.requests_per_minute),
            ("concurrency", self.concurrency),
        ):
            if value is not None and not 1 <= value <= _MOST:
                raise BadKey(f"{field}: must be at least 1; leave it out for no limit")
        if self.models is not None and (not self.models or not all(map(_MODEL.match, self.models))):
            raise BadKey("models: must name at least one model; leave it out for all")


class Keys:
    def __init__(self, engine: Engine, pepper: bytes) -> None:
        self._engine = engine
        self._pepper = pepper

    def create(self, wish: KeyWish) -> tuple[str, Key]:
        """The token, seen here and never again, and its key. Raises BadKey, NoSlotLeft."""
        return self.create_all([wish])[0]

    def create_all(self, wishes: Sequence[KeyWish]) -> list[tuple[str, Key]]:
        """All of them in one transaction, or none."""
        for wish in wishes:
            wish.check()
        tokens = [PREFIX + secrets.token_urlsafe(_TOKEN_BYTES) for _ in wishes]
        with writing(self._engine) as connection:
            keys = insert_keys(connection, [self._new(*pair) for pair in zip(wishes, tokens, strict=True)])
        return list(zip(tokens, keys, strict=True))

    def create_first(self) -> str | None:
        """The token of the first admin key, when there is no key yet."""
        wish = KeyWish(name="first", admin=True)
        token = PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)
        with writing(self._engine) as connection:
            if has_keys(connection):
                return None
            insert_keys(connection, [self._new(wish, token)])
        return token

    def revoke(self, key_id: str) -> Key:
        """Raises UnknownKey. A revoked key stays revoked: revoking it again is no mistake."""
        with writing(self._engine) as connection:
            key = revoke_key(connection, key_id)
        if key is None:
            raise UnknownKey(f"there is no key {key_id}: see `gateline keys list`")
        return key

    def list_keys(self, after_slot: int = -1, limit: int = PAGE) -> list[StoredKey]:
        """One page, in the order of creation; the next one begins after the last slot of this one."""
        with self._engine.connect() as connection:
            return page_of_keys(connection, after_slot, limit)

    def _new(self, wish: KeyWish, token: str) -> NewKey:
        return NewKey(
            id=f"key_{secrets.token_hex(10)}",
            hash=key_hash(token.encode(), self._pepper),
            tenant=wish.tenant,
            name=wish.name,
            requests_per_minute=wish.requests_per_minute,
            concurrency=wish.concurrency,
            models=wish.models,
            admin=wish.admin,
        )


def described(key: Key) -> dict[str, Any]:
    """A key without its hash: that is nobody's business outside the database and the feed."""
    return {
        "id": key.id,
        "name": key.name,
        "tenant": key.tenant,
        "requests_per_minute": key.requests_per_minute,
        "concurrency": key.concurrency,
        "models": key.models,
        "admin": key.admin,
        "revoked": key.revoked,
    }


def listed(stored: StoredKey) -> dict[str, Any]:
    return {
        **described(stored.key),
        "slot": stored.key.slot,
        "created": stored.created,
        "revoked_at": stored.revoked_at,
    }
