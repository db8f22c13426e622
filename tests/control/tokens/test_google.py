"""Google's credentials: service accounts, users, federated workloads and the metadata server, on this machine."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateline.control.tokens.google import SCOPE, GoogleAccount
from gateline.control.tokens.source import NoToken
from gateline.model.credential import Google
from gateline.model.token import Bearer
from tests.control.tokens.issuer import issuer

NOW = 1_764_547_200.0
TOKEN = (200, {"access_token": "ya29.google", "expires_in": 3599, "token_type": "Bearer"})
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = KEY) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def account(url: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "service_account",
        "client_email": "gateline@project.iam.gserviceaccount.com",
        "private_key_id": "key-1",
        "private_key": pem(),
        "token_uri": f"{url}/token",
        **more,
    }


def workload(source: dict[str, Any]) -> str:
    parts = {"type": "external_account", "audience": "a", "subject_token_type": "t", "token_url": "u"}
    return json.dumps({**parts, "credential_source": source})


def fetch(credential: Google, **environment: str) -> Bearer:
    return asyncio.run(GoogleAccount(credential, environment, lambda: NOW).fetch())


def unpacked(part: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def test_a_service_account_signs_for_itself(tmp_path: Path) -> None:
    """The JWT names the account, the scope and the endpoint, holds for an hour, and its signature is the key's."""
    with issuer(TOKEN) as google:
        file = tmp_path / "account.json"
        file.write_text(json.dumps(account(google.url)))
        assert fetch(Google(file=str(file))) == Bearer("ya29.google", NOW + 3599)
        form = google.asked[0].form
        assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        head, claims, signature = form["assertion"].split(".")
        assert unpacked(head) == {"alg": "RS256", "typ": "JWT", "kid": "key-1"}
        assert unpacked(claims) == {
            "iss": "gateline@project.iam.gserviceaccount.com",
            "scope": SCOPE,
            "aud": f"{google.url}/token",
            "iat": int(NOW),
            "exp": int(NOW) + 3600,
        }
        raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
        KEY.public_key().verify(raw, f"{head}.{claims}".encode(), PKCS1v15(), SHA256())


def test_the_file_may_come_as_text_or_from_the_environment(tmp_path: Path) -> None:
    """GOOGLE_APPLICATION_CREDENTIALS comes before gcloud's own file, and that before the metadata server."""
    with issuer(TOKEN) as google:
        text = json.dumps(account(google.url))
        named = tmp_path / "named.json"
        named.write_text(text)
        (tmp_path / ".config" / "gcloud").mkdir(parents=True)
        gcloud = tmp_path / ".config" / "gcloud" / "application_default_credentials.json"
        gcloud.write_text(json.dumps(account(google.url, client_email="gcloud")))
        for credential, environment in (
            (Google(text=text), {}),
            (Google(), {"GOOGLE_APPLICATION_CREDENTIALS": str(named), "HOME": str(tmp_path)}),
            (Google(), {"HOME": str(tmp_path)}),
        ):
            fetch(credential, **environment)
        issued = [unpacked(asked.form["assertion"].split(".")[1])["iss"] for asked in google.asked]
        assert issued == ["gateline@project.iam.gserviceaccount.com"] * 2 + ["gcloud"]


def test_a_key_that_was_replaced_in_the_file_is_used_next(tmp_path: Path) -> None:
    file = tmp_path / "account.json"
    with issuer(TOKEN) as google:
        source = GoogleAccount(Google(file=str(file)), {}, lambda: NOW)
        for key_id in ("old", "new"):
            file.write_text(json.dumps(account(google.url, private_key_id=key_id)))
            asyncio.run(source.fetch())
        assert [unpacked(asked.form["assertion"].split(".")[0])["kid"] for asked in google.asked] == ["old", "new"]


def test_a_user_refreshes() -> None:
    """What `gcloud auth application-default login` leaves behind."""
    with issuer(TOKEN) as google:
        user = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}
        user["token_uri"] = f"{google.url}/token"
        assert fetch(Google(text=json.dumps(user))).value == "ya29.google"
        assert google.asked[0].form == {
            "grant_type": "refresh_token",
            "client_id": "c",
            "client_secret": "s",
            "refresh_token": "r",
        }


@pytest.mark.parametrize("shape", [None, {"type": "json", "subject_token_field_name": "id_token"}])
def test_a_workload_exchanges_its_token_and_acts_for_an_account(tmp_path: Path, shape: dict[str, str] | None) -> None:
    """Federation (RFC 8693): the platform's token from its file, plain or in JSON, for one that may act as another."""
    subject = tmp_path / "subject"
    subject.write_text("eyJ.oidc\n" if shape is None else json.dumps({"id_token": "eyJ.oidc"}))
    with issuer(TOKEN, (200, {"accessToken": "ya29.acting", "expireTime": "2025-12-01T01:00:00Z"})) as google:
        external = {
            "type": "external_account",
            "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/o",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": f"{google.url}/v1/token",
            "credential_source": {"file": str(subject), **({"format": shape} if shape else {})},
            "service_account_impersonation_url": f"{google.url}/v1/sa:generateAccessToken",
        }
        assert fetch(Google(text=json.dumps(external))) == Bearer("ya29.acting", NOW + 3600)
        exchanged, acted = google.asked
        assert exchanged.form["subject_token"] == "eyJ.oidc"
        assert exchanged.form["audience"] == external["audience"]
        assert (exchanged.path, acted.path) == ("/v1/token", "/v1/sa:generateAccessToken")
        assert acted.headers["authorization"] == "Bearer ya29.google"
        assert json.loads(acted.body) == {"scope": [SCOPE]}


def test_a_machine_of_googles_asks_its_metadata_server(tmp_path: Path) -> None:
    with issuer(TOKEN) as google:
        assert fetch(Google(), GCE_METADATA_HOST=google.host, HOME=str(tmp_path)) == Bearer("ya29.google", NOW + 3599)
        asked = google.asked[0]
        assert (asked.path, asked.headers["metadata-flavor"]) == (
            "/computeMetadata/v1/instance/service-accounts/default/token",
            "Google",
        )


def test_elsewhere_the_places_that_were_looked_at_are_named(tmp_path: Path) -> None:
    with issuer((404, b"")) as other:
        with pytest.raises(NoToken) as caught:
            fetch(Google(), GCE_METADATA_HOST=other.host, HOME=str(tmp_path))
        assert str(caught.value) == (
            "no credentials_file, no Application Default Credentials, and 127.0.0.1 answered 404"
        )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("canary", "are no JSON object"),
        ('["canary"]', "are no JSON object"),
        ('{"type": "canary"}', "of a type that is not read here"),
        ('{"type": "service_account", "token_uri": "http://127.0.0.1:1/"}', "lacks client_email"),
        (json.dumps(account("http://127.0.0.1:1", private_key="canary")), "is no PEM key without a password"),
        (
            json.dumps(account("http://127.0.0.1:1", private_key=pem(ec.generate_private_key(ec.SECP256R1())))),
            "is no RSA key",
        ),
        (json.dumps(account("http://canary.example")), "must be asked over https"),
        (workload({"url": "canary"}), "names a source that is not read here"),
        (workload({"file": "/dev/null", "format": {"type": "json"}}), "are no JSON object"),
        (workload({"file": "/dev/null"}), "no URL|over https"),
    ],
)
def test_a_file_that_is_no_good_says_what_is_wrong(content: str, message: str) -> None:
    """And repeats nothing of what it holds."""
    with pytest.raises(NoToken, match=message) as caught:
        fetch(Google(text=content))
    assert "BEGIN" not in str(caught.value)
    assert "canary" not in str(caught.value).replace("canary.example", "")


def test_a_file_that_is_not_there_is_said_to_be() -> None:
    with pytest.raises(NoToken, match="cannot be read"):
        fetch(Google(file="/nowhere/account.json"))
