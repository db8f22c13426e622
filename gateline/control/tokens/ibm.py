"""IBM Cloud IAM: an API key for a bearer token (cloud.ibm.com/apidocs/iam-identity-token-api)."""

from __future__ import annotations

import time
from collections.abc import Callable

from gateline.control.tokens.endpoint import ask, bearer
from gateline.model.credential import Ibm
from gateline.model.token import Bearer

URL = "https://iam.cloud.ibm.com/identity/token"


class IbmIam:
    def __init__(self, credential: Ibm, url: str = URL, now: Callable[[], float] = time.time) -> None:
        self._credential = credential
        self._url = url
        self._now = now

    async def fetch(self) -> Bearer:
        """Raises NoToken."""
        asked_at = self._now()
        form = {
            "grant_type": "urn:ibm:params:oauth:grant-type:apikey",
            "apikey": self._credential.api_key,
        }
        return bearer(await ask("POST", self._url, form=form), asked_at)
