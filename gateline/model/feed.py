"""Messages between a worker and the control plane, one a frame, on `run/feed.sock`. Tagged MessagePack arrays.

A worker says `Hello`, asks `Lookup` for keys it does not know and acknowledges with `Seen`. The control plane sends a
`Publish` when the configuration changes, a `Changed` for each change of a key, in order, and a `Beat` every 250 ms.
`Cut` follows the revocation of a key whose running calls are to end as well; `Granted` brings the tokens of providers,
of which a worker says `Rejected` when a vendor will not have one.
"""

from __future__ import annotations

import msgspec

from gateline.model.key import Key
from gateline.model.token import Token


class Hello(msgspec.Struct, array_like=True, tag=1):
    """First frame of a worker. `snapshot` is the version it runs (0: none)."""

    worker: int
    pid: int
    snapshot: int


class Lookup(msgspec.Struct, array_like=True, tag=2):
    hash: bytes


class Seen(msgspec.Struct, array_like=True, tag=3):
    """The worker has applied every key change up to `changed` and runs snapshot `snapshot`."""

    changed: int
    snapshot: int


class Publish(msgspec.Struct, array_like=True, tag=4):
    """A new configuration: `snapshot` is `model.snapshot.encode`d."""

    version: int
    snapshot: bytes


class Changed(msgspec.Struct, array_like=True, tag=5):
    key: Key


class Found(msgspec.Struct, array_like=True, tag=6):
    """The answer to a `Lookup`, true as of change number `changed`; `key` is None when there is no such key."""

    hash: bytes
    key: Key | None
    changed: int


class Beat(msgspec.Struct, array_like=True, tag=7):
    """The control plane is alive and `changed` is the number of its last key change; -1 while it cannot read its store
    and so cannot say."""

    changed: int


class Cut(msgspec.Struct, array_like=True, tag=8):
    """The calls of this key that run are to end now."""

    key_id: str


class Refused(msgspec.Struct, array_like=True, tag=9):
    """The worker cannot run snapshot `version` and goes on with the one it has. `reason` holds no secret."""

    version: int
    reason: str


class Granted(msgspec.Struct, array_like=True, tag=10):
    """What requests of the providers with this credential (`model.credential.credential_id`) carry from now on. Without
    a token, `reason` says why there is none, and holds no secret. Said again after each `Publish` and `Hello`."""

    credential: bytes
    token: Token | None
    reason: str = ""


class Rejected(msgspec.Struct, array_like=True, tag=11):
    """A vendor answered that the token `token` (`model.token.token_id`) of a credential is none. A `Granted` follows:
    with another token, or with the same when there is no other now."""

    credential: bytes
    token: bytes


ToControl = Hello | Lookup | Seen | Refused | Rejected
ToWorker = Publish | Changed | Found | Beat | Cut | Granted
