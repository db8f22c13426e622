"""Google: a service account's key, a user's or a workload's credentials file, or the machine's metadata server.

Service accounts sign a JWT (developers.google.com/identity/protocols/oauth2/service-account); the files and their
order are those of Application Default Credentials (google.aip.dev/auth/4110).
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from gateline.control.tokens.endpoint import ask, bearer, is_writable
from gateline.control.tokens.source import NoToken
from gateline.model.credential import Google
from gateline.model.token import Bearer

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
METADATA_HOST = "metadata.google.internal"
_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - a name of RFC 8693, no secret
_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - the same
_MAX_FILE = 65_536


class GoogleAccount:
    def __init__(
        self,
        credential: Google,
        environment: Mapping[str, str] = os.environ,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._credential = credential
        self._environment = environment
        self._now = now

    async def fetch(self) -> Bearer:
        """The file is read anew each time: a key that was replaced there is used from the next renewal on. Raises
        NoToken."""
        found = await asyncio.to_thread(self._read)
        if found is None:
            return await self._from_metadata()
        kind = found.get("type")
        try:
            if kind == "service_account":
                return await self._as_service_account(found)
            if kind == "authorized_user":
                return await self._as_user(found)
            if kind == "external_account":
                return await self._as_workload(found)
        except KeyError as error:
            raise NoToken(f"Google's credentials file lacks {error.args[0]}") from None
        raise NoToken(
            "Google's credentials file is of a type that is not read here: service_account, authorized_user and "
            "external_account with a file are"
        )

    def _read(self) -> dict[str, Any] | None:
        """The credentials file; None when there is none, and the machine is to be asked. Blocks."""
        if self._credential.text:
            return _parsed(self._credential.text)
        name = self._credential.file or self._environment.get("GOOGLE_APPLICATION_CREDENTIALS", "")
        path = Path(name) if name else _gcloud_folder(self._environment) / "application_default_credentials.json"
        if not name and not path.is_file():
            return None
        return _parsed(_text_of(path))

    async def _as_service_account(self, found: Mapping[str, Any]) -> Bearer:
        asked_at = self._now()
        assertion = await asyncio.to_thread(_assertion, found, int(asked_at))
        form = {"grant_type": _JWT_BEARER, "assertion": assertion}
        return bearer(await ask("POST", str(found["token_uri"]), form=form), asked_at)

    async def _as_user(self, found: Mapping[str, Any]) -> Bearer:
        asked_at = self._now()
        form = {"grant_type": "refresh_token"}
        form |= {name: str(found[name]) for name in ("client_id", "client_secret", "refresh_token")}
        url = str(found.get("token_uri") or "https://oauth2.googleapis.com/token")
        return bearer(await ask("POST", url, form=form), asked_at)

    async def _as_workload(self, found: Mapping[str, Any]) -> Bearer:
        """Workload identity federation: the token in a file for one of Google's, which may then act as a service
        account (google.aip.dev/auth/4117)."""
        asked_at = self._now()
        form = {
            "grant_type": _TOKEN_EXCHANGE,
            "audience": str(found["audience"]),
            "scope": SCOPE,
            "requested_token_type": _ACCESS_TOKEN,
            "subject_token_type": str(found["subject_token_type"]),
            "subject_token": await asyncio.to_thread(_subject, found["credential_source"]),
        }
        token = bearer(await ask("POST", str(found["token_url"]), form=form), asked_at)
        url = found.get("service_account_impersonation_url")
        return token if not url else await self._acting(str(url), token)

    async def _acting(self, url: str, token: Bearer) -> Bearer:
        reply = await ask("POST", url, body={"scope": [SCOPE]}, headers={"Authorization": f"Bearer {token.value}"})
        value, end = reply.get("accessToken"), reply.get("expireTime")
        try:
            expires_at = datetime.fromisoformat(str(end)).timestamp()
        except ValueError:
            raise NoToken("Google answered a token without its end") from None
        if not isinstance(value, str) or not is_writable(value):
            raise NoToken("Google answered without a token")
        return Bearer(value, expires_at)

    async def _from_metadata(self) -> Bearer:
        host = self._environment.get("GCE_METADATA_HOST", METADATA_HOST)
        url = f"http://{host}/computeMetadata/v1/instance/service-accounts/default/token"
        asked_at = self._now()
        try:
            reply = await ask("GET", url, headers={"Metadata-Flavor": "Google"}, on_host=True)
        except NoToken as error:
            raise NoToken(f"no credentials_file, no Application Default Credentials, and {error}") from None
        return bearer(reply, asked_at)


def _gcloud_folder(environment: Mapping[str, str]) -> Path:
    return Path(environment.get("CLOUDSDK_CONFIG") or Path(environment.get("HOME", "/")) / ".config" / "gcloud")


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_FILE).decode()
    except (OSError, UnicodeDecodeError):
        raise NoToken("Google's credentials file cannot be read") from None


def _parsed(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise NoToken("Google's credentials, or the file they name, are no JSON object")
    return found


def _subject(source: Any) -> str:
    """The workload's own token, from the file that its platform renews. Blocks."""
    name = source.get("file") if isinstance(source, dict) else None
    if not isinstance(name, str):
        raise NoToken("Google's credentials file names a source that is not read here: a file is")
    text = _text_of(Path(name)).strip()
    shape = source.get("format")
    if not isinstance(shape, dict) or shape.get("type") != "json":
        return text
    return str(_parsed(text)[shape.get("subject_token_field_name", "access_token")])


def _assertion(account: Mapping[str, Any], now: int) -> str:
    """A JWT signed with RS256, good for an hour. Blocks for some milliseconds."""
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError:
        raise NoToken("signing for a service account needs: pip install 'gateline[vertex]'") from None
    head = {"alg": "RS256", "typ": "JWT", "kid": account.get("private_key_id", "")}
    claims = {
        "iss": account["client_email"],
        "scope": SCOPE,
        "aud": account["token_uri"],
        "iat": now,
        "exp": now + 3600,
    }
    signed = b".".join(_base64url(json.dumps(part).encode()) for part in (head, claims))
    try:
        key = load_pem_private_key(str(account["private_key"]).encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise NoToken("the private_key in Google's credentials file is no PEM key without a password") from None
    if not isinstance(key, RSAPrivateKey):
        raise NoToken("the private_key in Google's credentials file is no RSA key")
    return b".".join((signed, _base64url(key.sign(signed, PKCS1v15(), SHA256())))).decode()


def _base64url(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")
