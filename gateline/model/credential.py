"""How a provider's token is got, for providers whose credential is no static key. It holds secrets and no token.

A part of the snapshot: written with it, mode 0600, and shown by no `repr`.
"""

from __future__ import annotations

import hashlib

import msgspec

from gateline.model.token import AwsKeys, Token


class _Hidden(msgspec.Struct, frozen=True):
    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"


class Aws(_Hidden, frozen=True, tag="aws"):
    """AWS's chain, narrowed by what is given: keys, else a profile of the shared files, else where the process runs.
    With `role_arn` the result assumes that role. `region` is the one that requests are signed for."""

    region: str
    access_key_id: str = ""
    secret_access_key: str = ""
    session_token: str = ""
    profile: str = ""
    role_arn: str = ""


class Google(_Hidden, frozen=True, tag="google"):
    """A credentials file of Google's, by its path or as its text; with neither, Application Default Credentials."""

    file: str = ""
    text: str = ""


class Entra(_Hidden, frozen=True, tag="entra"):
    """Microsoft Entra ID. With `client_secret` the client's own credentials; else the identity that the environment
    gives: workload identity, then managed identity, of which `client_id` may choose one. `scope` ends in `/.default`.
    """

    scope: str
    tenant_id: str = ""
    client_id: str = ""
    client_secret: str = ""


class Ibm(_Hidden, frozen=True, tag="ibm"):
    """An IBM Cloud API key, exchanged at IAM."""

    api_key: str


Credential = Aws | Google | Entra | Ibm


def ready_token(credential: Credential) -> Token | None:
    """The token of a credential that needs no exchange: keys of AWS that are given and used as they are."""
    if isinstance(credential, Aws) and credential.access_key_id and not credential.role_arn:
        return AwsKeys(credential.access_key_id, credential.secret_access_key, credential.session_token)
    return None


def credential_id(credential: Credential) -> bytes:
    """16 bytes that name it between our own processes: of two that differ in anything, a secret too, they differ."""
    return hashlib.blake2b(msgspec.msgpack.encode(credential), digest_size=16).digest()
