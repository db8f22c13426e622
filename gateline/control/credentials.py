"""What a provider's section says of its credential: for its vendor the right fields, made into what the snapshot holds.

Which vendor hands out tokens is its row's `issuer`; the fields are called what the vendor's own users call them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import SecretStr

from gateline.control.aws_region import PLACES, find_region
from gateline.model.credential import Aws, Credential, Entra, Google, Ibm
from gateline.providers.row import Issuer, Row
from gateline.providers.table import TABLE

if TYPE_CHECKING:
    from gateline.control.config import ProviderSection

Mistaken = tuple[str, str]

OPTIONS = ("account", "api_version", "location", "project", "project_id", "region", "workspace")
_FIELDS: dict[Issuer, tuple[str, ...]] = {
    "": (),
    "aws": ("access_key_id", "secret_access_key", "session_token", "profile", "role_arn"),
    "google": ("credentials_file", "credentials"),
    "entra": ("tenant_id", "client_id", "client_secret"),
    "ibm": (),
}


def options_of(section: ProviderSection) -> tuple[tuple[str, str], ...]:
    """What the vendor's addresses need besides, by name. `location_prefix` is how Google's regional hosts begin."""
    found = [(name, value) for name in OPTIONS if (value := _option(section, name))]
    if section.location:
        found.append(("location_prefix", "" if section.location == "global" else f"{section.location}-"))
    return tuple(found)


def _option(section: ProviderSection, name: str) -> str:
    """AWS's region is also found where AWS's own tools look for it."""
    given: str = getattr(section, name)
    if given or name != "region" or TABLE[section.kind].issuer != "aws":
        return given
    return find_region(urlsplit(section.base_url or "").hostname or "", section.profile, os.environ)


def keys_of(section: ProviderSection) -> tuple[str, ...]:
    """Its static keys, in order."""
    keys = (section.api_key, *section.api_keys)
    return tuple(dict.fromkeys(key.get_secret_value() for key in keys if key.get_secret_value()))


def credential_of(section: ProviderSection, row: Row, host: str) -> Credential | None:
    """How its tokens are got; None when static keys are all it needs. `host` is its address's."""
    issuer = row.issuer
    if issuer == "ibm":
        return Ibm(section.api_key.get_secret_value())
    if not issuer or keys_of(section):
        return None
    if issuer == "aws":
        return Aws(
            region=_option(section, "region"),
            access_key_id=section.access_key_id,
            secret_access_key=section.secret_access_key.get_secret_value(),
            session_token=section.session_token.get_secret_value(),
            profile=section.profile,
            role_arn=section.role_arn,
        )
    if issuer == "google":
        return Google(section.credentials_file or "", section.credentials.get_secret_value())
    return Entra(
        scope=_entra_scope(host),
        tenant_id=section.tenant_id,
        client_id=section.client_id,
        client_secret=section.client_secret.get_secret_value(),
    )


def _entra_scope(host: str) -> str:
    """Azure's national clouds have audiences of their own (learn.microsoft.com/azure/azure-government)."""
    cloud = next((end for end in ("us", "cn") if host.endswith(f".azure.{end}")), "com")
    return f"https://cognitiveservices.azure.{cloud}/.default"


def credential_mistakes(section: ProviderSection, row: Row) -> Iterator[Mistaken]:
    """What is missing, what excludes what, what the vendor has no use for: by field, with what to do."""
    kind = section.kind
    needed = [name for name in row.options if not _is_in_address(section, row, name)]
    missing = [name for name in needed if not _option(section, name)]
    if missing:
        elsewhere = f"; also taken from {PLACES}" if row.issuer == "aws" else ""
        yield missing[0], f"is missing: kind {kind} needs {' and '.join(needed)}{elsewhere}"
    given = [name for names in _FIELDS.values() for name in names if _is_given(section, name)]
    for name in given:
        if name not in _FIELDS[row.issuer]:
            yield name, f"means nothing to kind {kind}: remove it"
        elif keys_of(section):
            yield name, "and api_key exclude each other: keep one"
    yield from _pairs(section, row.issuer)
    if any(not key.get_secret_value() for key in section.api_keys):
        yield "api_keys", "has an empty key: remove it"
    elif len(keys_of(section)) < len(section.api_keys) + _is_given(section, "api_key"):
        yield "api_keys", "has a key twice: keep one"


def _is_in_address(section: ProviderSection, row: Row, name: str) -> bool:
    """Whether the option only says where the vendor lives, and the configured address says it already."""
    signs = row.issuer == "aws" and not keys_of(section)
    elsewhere = signs or any(f"{{{name}}}" in path for path in row.paths.values())
    return section.base_url is not None and f"{{{name}}}" in row.base_url and not elsewhere


def _pairs(section: ProviderSection, issuer: Issuer) -> Iterator[Mistaken]:
    """Fields that need one another, or that exclude one another."""

    def has(name: str) -> bool:
        return _is_given(section, name)

    if issuer == "aws":
        if has("access_key_id") != has("secret_access_key"):
            lacking = "secret_access_key" if has("access_key_id") else "access_key_id"
            yield lacking, "is missing: access_key_id and secret_access_key go together"
        if has("session_token") and not has("access_key_id"):
            yield "session_token", "needs access_key_id and secret_access_key"
        if has("profile") and has("access_key_id"):
            yield "profile", "and access_key_id exclude each other: keep one"
    if issuer == "google" and has("credentials_file") and has("credentials"):
        yield "credentials", "and credentials_file exclude each other: keep one"
    if issuer == "entra" and has("client_secret"):
        for name in ("tenant_id", "client_id"):
            if not has(name):
                yield name, "is missing: client_secret needs tenant_id and client_id"
    if issuer == "ibm":
        if not has("api_key"):
            yield "api_key", "is missing: it is exchanged for tokens"
        if section.api_keys:
            yield "api_keys", f"cannot be rotated with kind {section.kind}: keep api_key alone"


def _is_given(section: ProviderSection, name: str) -> bool:
    value = getattr(section, name)
    return bool(value.get_secret_value() if isinstance(value, SecretStr) else value)
