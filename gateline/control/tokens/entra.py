"""Microsoft Entra ID: a client's secret, a workload's federated token, or the managed identity of the machine.

The order is that of Azure's own libraries (learn.microsoft.com/azure/developer/python/sdk/authentication/
credential-chains), and so are the names of the variables.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlencode

from gateline.control.tokens.endpoint import ask, bearer
from gateline.control.tokens.source import NoToken
from gateline.model.credential import Entra
from gateline.model.token import Bearer

AUTHORITY = "https://login.microsoftonline.com"
IMDS = "http://169.254.169.254"
_MAX_ASSERTION = 16_384


class EntraId:
    def __init__(
        self,
        credential: Entra,
        environment: Mapping[str, str] = os.environ,
        imds: str = IMDS,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._credential = credential
        self._environment = environment
        self._imds = imds
        self._now = now

    async def fetch(self) -> Bearer:
        """Raises NoToken."""
        credential = self._credential
        if credential.client_secret:
            return await self._as_client({"client_secret": credential.client_secret})
        file = self._environment.get("AZURE_FEDERATED_TOKEN_FILE", "")
        if file:
            return await self._as_workload(file)
        return await self._as_machine()

    async def _as_workload(self, file: str) -> Bearer:
        """The file's token is renewed by the cluster: read anew each time (azure.github.io/azure-workload-identity)."""
        try:
            assertion = (await asyncio.to_thread(_head_of, Path(file))).decode("ascii").strip()
        except (OSError, UnicodeDecodeError):
            raise NoToken("the file that AZURE_FEDERATED_TOKEN_FILE names cannot be read") from None
        return await self._as_client(
            {
                "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                "client_assertion": assertion,
            }
        )

    async def _as_client(self, proof: Mapping[str, str]) -> Bearer:
        tenant = self._credential.tenant_id or self._environment.get("AZURE_TENANT_ID", "")
        client = self._credential.client_id or self._environment.get("AZURE_CLIENT_ID", "")
        if not tenant or not client:
            raise NoToken("tenant_id and client_id are needed, here or as AZURE_TENANT_ID and AZURE_CLIENT_ID")
        authority = self._environment.get("AZURE_AUTHORITY_HOST", AUTHORITY).rstrip("/")
        asked_at = self._now()
        form = {"grant_type": "client_credentials", "client_id": client, "scope": self._credential.scope, **proof}
        return bearer(await ask("POST", f"{authority}/{tenant}/oauth2/v2.0/token", form=form), asked_at)

    async def _as_machine(self) -> Bearer:
        """App Service, Functions and Container Apps say where to ask; a virtual machine has its metadata server."""
        query = {"resource": self._credential.scope.removesuffix("/.default")}
        if client := self._credential.client_id or self._environment.get("AZURE_CLIENT_ID", ""):
            query["client_id"] = client
        endpoint, header = (self._environment.get(name, "") for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"))
        if endpoint and header:
            url, version, headers = endpoint, "2019-08-01", {"X-IDENTITY-HEADER": header}
        else:
            url, version, headers = f"{self._imds}/metadata/identity/oauth2/token", "2018-02-01", {"Metadata": "true"}
        asked_at = self._now()
        url = f"{url}?{urlencode({'api-version': version, **query})}"
        return bearer(await ask("GET", url, headers=headers, on_host=True), asked_at)


def _head_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MAX_ASSERTION)
