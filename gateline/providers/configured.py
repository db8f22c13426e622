"""A vendor's row as it holds for one configured provider."""

from __future__ import annotations

import hashlib
from urllib.parse import urlsplit

import msgspec

from gateline.model.snapshot import Provider
from gateline.providers.row import Row
from gateline.providers.table import TABLE


def row_of(provider: Provider) -> Row:
    """Its kind's, but for what the configuration says. A provider with an address of its own (an Azure resource, a
    server of one's own) is a maker of its own: what it sealed, no other account can have opened."""
    row = TABLE[provider.kind]
    dialect = row.dialect
    if not provider.requires_done:
        dialect = msgspec.structs.replace(dialect, ends_without_done=True)
    if dialect.maker and provider.host != urlsplit(row.base_url).hostname:
        address = f"{provider.host}:{provider.port}".encode()
        dialect = msgspec.structs.replace(dialect, account=hashlib.blake2b(address, digest_size=4).hexdigest())
    return row if dialect is row.dialect else msgspec.structs.replace(row, dialect=dialect)
