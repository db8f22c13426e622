"""What one vendor is to a gateway, as a row: which operations it speaks, where, with which credential, its quirks."""

from __future__ import annotations

from typing import Literal

import msgspec

from gateline.formats.dialect import PLAIN, Dialect
from gateline.model.call import KINDS, Operation

# How a request shows a key.
AuthStyle = Literal["bearer", "x-api-key", "api-key", "x-goog-api-key", "none"]
# Who hands out tokens for a vendor that has no static key, or need not have one (`control/credentials.py`).
Issuer = Literal["", "aws", "google", "entra", "ibm"]

OPENAI_CHAT: tuple[Operation, ...] = ("chat.completions",)
OPENAI_TEXT: tuple[Operation, ...] = ("chat.completions", "completions", "embeddings")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """`speaks` are the operations the vendor serves: a call of another one is translated into the first of its kind.

    `base_url` is where the vendor lives when the configuration does not say; empty: the configuration must. It and
    `paths` (request targets that depart from the format's own) may name `options` of the provider in braces, which the
    configuration must then give. `issuer` hands out tokens; an `api_key` given in place of one goes out as `auth` says.
    `edition` is the header line that says which edition of the API is spoken, where the client does not say. `free` is
    where a GET costs nothing and is refused to a bad credential; empty where the vendor documents no such call.
    `routed_by` are fields with which a call would choose another model, host or account (`reroutes.py`). `quirks` is
    for people.
    """

    title: str
    speaks: tuple[Operation, ...] = OPENAI_CHAT
    auth: AuthStyle = "bearer"
    issuer: Issuer = ""
    base_url: str = ""
    dialect: Dialect = PLAIN
    paths: dict[Operation, str] = {}
    edition: bytes = b""
    options: tuple[str, ...] = ()
    free: str = "/models"
    routed_by: frozenset[str] = frozenset()
    docs: str = ""
    quirks: str = ""

    def spoken(self, operation: Operation) -> Operation | None:
        """What `operation` is sent as: itself, or else the first of its kind; None when the vendor has none."""
        if operation in self.speaks:
            return operation
        kind = KINDS[operation]
        return next((other for other in self.speaks if KINDS[other] == kind), None)
