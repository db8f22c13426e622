"""AWS's credential chain, with the services and metadata endpoints of AWS on this machine."""

from __future__ import annotations

import asyncio
import builtins
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateline.control.tokens.aws import AwsChain
from gateline.control.tokens.source import NoToken
from gateline.model.credential import Aws
from gateline.model.token import AwsKeys
from tests.control.tokens.issuer import issuer

END = (datetime.now(UTC) + timedelta(hours=1)).replace(microsecond=0)
ROLE = "arn:aws:iam::123456789012:role/bedrock"


def assumed(action: str) -> bytes:
    return f"""<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result><Credentials>
<AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>role-secret</SecretAccessKey><SessionToken>role-token</SessionToken>
<Expiration>{END.isoformat().replace("+00:00", "Z")}</Expiration></Credentials>
<AssumedRoleUser><Arn>a</Arn><AssumedRoleId>i</AssumedRoleId></AssumedRoleUser></{action}Result></{action}Response>""".encode()


ASSUMED = AwsKeys("ASIAROLE", "role-secret", "role-token", END.timestamp())


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any credential of AWS, and with no metadata server."""
    import os

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def fetch(**credential: Any) -> AwsKeys:
    return asyncio.run(AwsChain(Aws("eu-west-3", **credential)).fetch())


def reason(**credential: Any) -> str:
    with pytest.raises(NoToken) as caught:
        fetch(**credential)
    return str(caught.value)


def test_keys_in_the_environment_need_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    without_botocore(monkeypatch)
    assert fetch() == AwsKeys("AKIA", "secret", "token", 0.0)


def without_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    there = builtins.__import__

    def imported(name: str, *more: Any, **named: Any) -> Any:
        if name.startswith("botocore"):
            raise ImportError(name)
        return there(name, *more, **named)

    monkeypatch.setattr(builtins, "__import__", imported)


def test_without_the_library_the_chain_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    without_botocore(monkeypatch)
    assert "pip install 'gateline[bedrock]'" in reason()


def test_a_profile_of_the_shared_files(nowhere: Path) -> None:
    (nowhere / "credentials").write_text("[work]\naws_access_key_id = AKIAWORK\naws_secret_access_key = s\n")
    assert fetch(profile="work") == AwsKeys("AKIAWORK", "s")


def test_a_profile_that_is_not_there(nowhere: Path) -> None:
    assert reason(profile="none") == "AWS's credential chain failed: The config profile (none) could not be found"


def test_a_profile_that_assumes_a_role(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its keys end when AWS says so."""
    (nowhere / "credentials").write_text("[base]\naws_access_key_id = AKIABASE\naws_secret_access_key = s\n")
    (nowhere / "config").write_text(f"[profile role]\nrole_arn = {ROLE}\nsource_profile = base\nregion = eu-west-3\n")
    with issuer((200, assumed("AssumeRole"))) as sts:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        assert fetch(profile="role") == ASSUMED
        assert sts.asked[0].form["RoleArn"] == ROLE


def test_a_role_of_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Assumed with the keys that are configured beside it, in a session that AWS's own logs can name."""
    with issuer((200, assumed("AssumeRole"))) as sts:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        assert fetch(access_key_id="AKIABASE", secret_access_key="s", role_arn=ROLE) == ASSUMED
        form = sts.asked[0].form
        assert (form["Action"], form["RoleArn"], form["RoleSessionName"]) == ("AssumeRole", ROLE, "gateline")
        assert "Credential=AKIABASE/" in sts.asked[0].headers["authorization"]


def test_a_role_that_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS's code is told; its words, which name accounts, are not."""
    said = (
        b'<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
        b"<Code>AccessDenied</Code><Message>arn:aws:iam::1:user/canary may not</Message></Error></ErrorResponse>"
    )
    with issuer((403, said)) as sts:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        assert reason(access_key_id="AKIABASE", secret_access_key="s", role_arn=ROLE) == "AWS refused: AccessDenied"


def test_a_web_identity(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What EKS gives its pods."""
    (nowhere / "token").write_text("eyJ.oidc")
    with issuer((200, assumed("AssumeRoleWithWebIdentity"))) as sts:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        monkeypatch.setenv("AWS_REGION", "eu-west-3")
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(nowhere / "token"))
        monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
        assert fetch() == ASSUMED
        assert sts.asked[0].form["WebIdentityToken"] == "eyJ.oidc"


def test_a_container(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ECS and EKS Pod Identity give."""
    given = {
        "AccessKeyId": "ASIAROLE",
        "SecretAccessKey": "role-secret",
        "Token": "role-token",
        "Expiration": END.isoformat().replace("+00:00", "Z"),
    }
    with issuer((200, given)) as container:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{container.url}/v1/credentials")
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "pod")
        assert fetch() == ASSUMED
        assert container.asked[0].headers["authorization"] == "pod"


def test_a_profile_that_signed_on(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SSO: what `aws sso login` left in its cache is exchanged for keys; when it has ended, that is said."""
    (nowhere / "config").write_text(
        "[profile person]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = Bedrock\n"
        "[sso-session corp]\nsso_region = eu-west-3\nsso_start_url = https://corp.example/start\n"
    )
    monkeypatch.setattr("botocore.tokens.SSOTokenProvider._SSO_TOKEN_CACHE_DIR", str(nowhere))  # read when imported
    signed_on = nowhere / f"{hashlib.sha1(b'corp').hexdigest()}.json"
    given = {"accessKeyId": "ASIAROLE", "secretAccessKey": "role-secret", "sessionToken": "role-token"}
    with issuer((200, {"roleCredentials": {**given, "expiration": int(END.timestamp()) * 1000}})) as portal:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SSO", portal.url)
        for left, expected in ((timedelta(hours=1), True), (timedelta(hours=-1), False)):
            end = (datetime.now(UTC) + left).strftime("%Y-%m-%dT%H:%M:%SZ")
            signed_on.write_text(json.dumps({"accessToken": "canary", "expiresAt": end}))
            if expected:
                assert fetch(profile="person") == ASSUMED
                assert portal.asked[0].query == {"role_name": "Bedrock", "account_id": "123456789012"}
            else:
                said = reason(profile="person")
                assert "aws sso login" in said or "expired" in said
                assert "canary" not in said


def test_a_machine_with_a_role(monkeypatch: pytest.MonkeyPatch) -> None:
    """IMDSv2: a session's token first, then the role's name, then its keys."""
    keys = {
        "Code": "Success",
        "AccessKeyId": "ASIAROLE",
        "SecretAccessKey": "role-secret",
        "Token": "role-token",
        "Expiration": END.isoformat().replace("+00:00", "Z"),
    }
    with issuer((200, b"session"), (200, b"my-role"), (200, keys)) as imds:
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "false")
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", imds.url)
        assert fetch() == ASSUMED
        assert imds.asked[0].method == "PUT"
        assert imds.asked[1].headers["x-aws-ec2-metadata-token"] == "session"
        assert imds.asked[2].path.endswith("/my-role")


def test_a_machine_without_anything_says_so() -> None:
    assert reason() == "no AWS credentials: neither keys, a profile, a role nor a machine's identity was found"


def test_keys_that_could_write_a_header_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "canary\r\nX: y")
    assert reason() == "AWS's credentials have characters that no key has"
