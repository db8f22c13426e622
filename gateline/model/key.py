"""A client's key as the data plane knows it: its keyed hash and what it may do, never the key itself."""

from __future__ import annotations

import hashlib

import msgspec

PREFIX = "sk-gl-"
HASH_BYTES = 16


class Key(msgspec.Struct, frozen=True, array_like=True):
    """One version of one key. `slot` is its place in the shared limit columns; `changed` is the number of the change
    that made this version, so that an older version never replaces a newer one."""

    id: str
    hash: bytes
    tenant: str
    name: str
    slot: int
    changed: int
    requests_per_minute: int | None = None
    concurrency: int | None = None
    models: tuple[str, ...] | None = None
    admin: bool = False
    revoked: bool = False


def key_hash(token: bytes, pepper: bytes) -> bytes:
    """BLAKE2b keyed with the installation's `pepper` (32 bytes): useless to whoever steals only the database.

    A fast hash is right here: the tokens are 32 random bytes, so there is no dictionary to slow down.
    """
    return hashlib.blake2b(token, key=pepper, digest_size=HASH_BYTES).digest()
