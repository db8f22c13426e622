"""AWS's credential chain: by botocore, in a thread. Keys in the environment need none of it.

The chain is botocore's own: environment, web identity, profiles of the shared files (roles, SSO, processes), the
container's endpoint, the machine's metadata server (docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import Any

from gateline.control.tokens.endpoint import is_writable
from gateline.control.tokens.source import NoToken
from gateline.formats.redact import redact
from gateline.model.credential import Aws
from gateline.model.token import AwsKeys

_SECONDS = 10.0  # for one answer of AWS's token service
_SESSION_NAME = "gateline"


class AwsChain:
    """`environment` is what is read before botocore, which reads the process's own."""

    def __init__(self, credential: Aws, environment: Mapping[str, str] = os.environ) -> None:
        self._credential = credential
        self._environment = environment

    async def fetch(self) -> AwsKeys:
        """Raises NoToken."""
        keys = self._from_environment()
        return keys if keys is not None else await asyncio.to_thread(self._from_chain)

    def _from_environment(self) -> AwsKeys | None:
        credential, environment = self._credential, self._environment
        if credential.access_key_id or credential.profile or credential.role_arn:
            return None
        key, secret = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
        if not key or not secret:
            return None
        return _usable(key, secret, environment.get("AWS_SESSION_TOKEN", ""), 0.0)

    def _from_chain(self) -> AwsKeys:
        try:
            from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
        except ImportError:
            raise NoToken("AWS's credential chain needs: pip install 'gateline[bedrock]'") from None
        try:
            return self._resolved()
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            raise NoToken(f"AWS refused: {redact(code)[:64] or 'without saying why'}") from None
        except HTTPClientError as error:
            raise NoToken(f"AWS cannot be asked ({type(error).__name__})") from None
        except BotoCoreError as error:
            reason = redact(str(error)).split("\n", 1)[0][:200]
            raise NoToken(f"AWS's credential chain failed: {reason}") from None

    def _resolved(self) -> AwsKeys:
        from botocore.session import Session

        credential = self._credential
        session = Session(profile=credential.profile or None)
        if credential.access_key_id:
            session.set_credentials(
                credential.access_key_id, credential.secret_access_key, credential.session_token or None
            )
        found = session.get_credentials()
        if found is None:
            raise NoToken("no AWS credentials: neither keys, a profile, a role nor a machine's identity was found")
        if credential.role_arn:
            return self._in_role(session)
        frozen = found.get_frozen_credentials()
        # botocore tells nobody when its credentials end, and renews them only when they are asked for again.
        end = getattr(found, "_expiry_time", None)
        return _usable(frozen.access_key, frozen.secret_key, frozen.token or "", end.timestamp() if end else 0.0)

    def _in_role(self, session: Any) -> AwsKeys:
        from botocore.config import Config

        config = Config(connect_timeout=_SECONDS, read_timeout=_SECONDS, retries={"total_max_attempts": 2})
        sts = session.create_client("sts", region_name=self._credential.region, config=config)
        try:
            given = sts.assume_role(RoleArn=self._credential.role_arn, RoleSessionName=_SESSION_NAME)["Credentials"]
        finally:
            sts.close()
        end = given["Expiration"].timestamp()
        return _usable(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], end)


def _usable(access_key: str, secret_key: str, session_token: str, expires_at: float) -> AwsKeys:
    if not is_writable(access_key) or not secret_key or (session_token and not is_writable(session_token)):
        raise NoToken("AWS's credentials have characters that no key has")
    return AwsKeys(access_key, secret_key, session_token, expires_at)
