"""What a provider's requests are authorised with when it is no static key: made beside the path, used on it."""

from __future__ import annotations

import hashlib

import msgspec


class Bearer(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """`value` travels as `Authorization: Bearer`. `expires_at` is in Unix seconds; 0 means never."""

    value: str
    expires_at: float = 0.0

    def __repr__(self) -> str:
        return f"Bearer(expires_at={self.expires_at})"


class AwsKeys(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """What AWS requests are signed with; `session_token` is empty for keys that last. `expires_at` as for `Bearer`."""

    access_key: str
    secret_key: str
    session_token: str = ""
    expires_at: float = 0.0

    def __repr__(self) -> str:
        return f"AwsKeys(expires_at={self.expires_at})"


Token = Bearer | AwsKeys


def token_id(token: Token) -> bytes:
    """16 bytes that name it between our own processes, and from which it cannot be had."""
    return hashlib.blake2b(msgspec.msgpack.encode(token), digest_size=16).digest()
