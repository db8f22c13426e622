"""Entra ID: three ways to prove who one is, each against an endpoint on this machine."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateline.control.tokens.entra import EntraId
from gateline.control.tokens.source import NoToken
from gateline.model.credential import Entra
from gateline.model.token import Bearer
from tests.control.tokens.issuer import Issuer, issuer

NOW = 1_000_000.0
SCOPE = "https://cognitiveservices.azure.com/.default"
TOKEN = (200, {"access_token": "eyJ.azure", "expires_in": 3599, "token_type": "Bearer"})


def fetch(credential: Entra, at: Issuer, **environment: str) -> Bearer:
    environment = {"AZURE_AUTHORITY_HOST": f"{at.url}/", **environment}
    return asyncio.run(EntraId(credential, environment, at.url, lambda: NOW).fetch())


def test_a_client_shows_its_secret() -> None:
    """OAuth's client credentials, at the tenant's endpoint of the cloud that the environment names."""
    with issuer(TOKEN) as entra:
        token = fetch(Entra(SCOPE, "tenant-1", "client-1", "canary"), entra)
        assert token == Bearer("eyJ.azure", NOW + 3599)
        assert (entra.asked[0].method, entra.asked[0].path) == ("POST", "/tenant-1/oauth2/v2.0/token")
        assert entra.asked[0].form == {
            "grant_type": "client_credentials",
            "client_id": "client-1",
            "client_secret": "canary",
            "scope": SCOPE,
        }


def test_a_workload_shows_its_file(tmp_path: Path) -> None:
    """The token that the cluster puts there is read anew for each exchange."""
    file = tmp_path / "token"
    with issuer(TOKEN) as entra:
        for content in ("first", "second"):
            file.write_text(content + "\n")
            variables = {"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c", "AZURE_FEDERATED_TOKEN_FILE": str(file)}
            fetch(Entra(SCOPE), entra, **variables)
        assert [asked.form["client_assertion"] for asked in entra.asked] == ["first", "second"]
        assert entra.asked[0].path == "/t/oauth2/v2.0/token"
        assert entra.asked[0].form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def test_a_virtual_machine_asks_its_metadata_server() -> None:
    """IMDS writes its numbers as text; `client_id` chooses one of several identities."""
    with issuer((200, {"access_token": "eyJ.vm", "expires_in": "86399", "expires_on": "1"})) as imds:
        assert fetch(Entra(SCOPE, client_id="user-assigned"), imds) == Bearer("eyJ.vm", NOW + 86_399)
        asked = imds.asked[0]
        assert (asked.method, asked.path, asked.headers["metadata"]) == (
            "GET",
            "/metadata/identity/oauth2/token",
            "true",
        )
        assert asked.query == {
            "api-version": "2018-02-01",
            "resource": "https://cognitiveservices.azure.com",
            "client_id": "user-assigned",
        }


def test_app_service_is_asked_where_it_says() -> None:
    """Its answer has the moment of the token's end and no length of life."""
    with issuer((200, {"access_token": "eyJ.app", "expires_on": "1003600"})) as service:
        variables = {"IDENTITY_ENDPOINT": f"{service.url}/msi/token", "IDENTITY_HEADER": "canary"}
        assert fetch(Entra(SCOPE), service, **variables) == Bearer("eyJ.app", 1_003_600)
        asked = service.asked[0]
        assert (asked.path, asked.headers["x-identity-header"]) == ("/msi/token", "canary")
        assert asked.query == {"api-version": "2019-08-01", "resource": "https://cognitiveservices.azure.com"}


def test_entras_own_number_of_an_error_is_told() -> None:
    """It is what people search for; the words around it may quote what was sent."""
    said = "AADSTS7000215: Invalid client secret provided: canary. Trace ID: 1"
    with issuer((401, {"error": "invalid_client", "error_description": said})) as entra:
        with pytest.raises(NoToken) as caught:
            fetch(Entra(SCOPE, "t", "c", "canary"), entra)
        assert str(caught.value) == "127.0.0.1 answered 401 invalid_client AADSTS7000215"


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"AZURE_FEDERATED_TOKEN_FILE": "/nowhere/token", "AZURE_TENANT_ID": "t"}, "cannot be read"),
        ({"AZURE_FEDERATED_TOKEN_FILE": __file__}, "tenant_id and client_id are needed"),
    ],
)
def test_what_is_missing_is_named(variables: dict[str, str], message: str) -> None:
    with issuer(TOKEN) as entra:
        with pytest.raises(NoToken, match=message):
            fetch(Entra(SCOPE), entra, **variables)
        assert entra.asked == []
