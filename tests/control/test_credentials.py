"""Credentials of vendors in gateline.yaml: what each becomes, and what is wrong with it, by line and field."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateline.control.aws_region import PLACES
from gateline.control.compile import RowRegistry, compile_snapshot
from gateline.control.config import load_with_sources
from gateline.control.mistakes import ConfigMistakes
from gateline.model.credential import Aws, Credential, Entra, Google, Ibm
from gateline.model.snapshot import Provider, decode, encode
from gateline.providers.table import TABLE

ACCOUNT = '{"type": "service_account", "private_key": "canary"}'


@pytest.fixture(autouse=True)
def no_region(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the machine that tests run on."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")


def write(folder: Path, fields: str) -> Path:
    path = folder / "gateline.yaml"
    path.write_text(f"providers:\n  p: {{{fields}}}\nmodels:\n  m: {{targets: [{{provider: p, model: x}}]}}\n")
    return path


def provider(folder: Path, fields: str, **environment: str) -> Provider:
    """As workers get it: compiled, encoded and decoded."""
    config = load_with_sources(write(folder, fields), environment).config
    snapshot = decode(encode(compile_snapshot(config, RowRegistry(), 1)))
    return snapshot.models["default"]["m"].targets[0].provider


def mistakes(folder: Path, fields: str) -> list[str]:
    with pytest.raises(ConfigMistakes) as caught:
        load_with_sources(write(folder, fields), {})
    assert "canary" not in str(caught.value)
    return [str(mistake).removeprefix("2: providers.p.") for mistake in caught.value.mistakes]


AWS = "kind: bedrock, region: eu-west-3"
VERTEX = "kind: vertex, project: my-project, location: europe-west4"
AZURE = "kind: azure, base_url: https://r.openai.azure.com, api_version: 2024-10-21"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (AWS, Aws("eu-west-3")),
        (f"{AWS}, access_key_id: AKIA, secret_access_key: s, session_token: t", Aws("eu-west-3", "AKIA", "s", "t")),
        (f"{AWS}, profile: work", Aws("eu-west-3", profile="work")),
        (
            f"{AWS}, access_key_id: AKIA, secret_access_key: s, role_arn: 'arn:aws:iam::123456789012:role/a/b'",
            Aws("eu-west-3", "AKIA", "s", role_arn="arn:aws:iam::123456789012:role/a/b"),
        ),
        (VERTEX, Google()),
        (f"{VERTEX}, credentials_file: {__file__}", Google(file=__file__)),
        (f"{VERTEX}, credentials: '{ACCOUNT}'", Google(text=ACCOUNT)),
        (AZURE, Entra("https://cognitiveservices.azure.com/.default")),
        (
            f"{AZURE}, tenant_id: t, client_id: c, client_secret: s",
            Entra("https://cognitiveservices.azure.com/.default", "t", "c", "s"),
        ),
        (
            "kind: azure, base_url: https://r.openai.azure.us, api_version: v1, client_id: user-assigned",
            Entra("https://cognitiveservices.azure.us/.default", client_id="user-assigned"),
        ),
    ],
)
def test_each_vendors_fields_make_its_credential(tmp_path: Path, fields: str, expected: Credential) -> None:
    """Without any field the environment or the machine gives one; a provider with a token has no key."""
    made = provider(tmp_path, fields)
    assert made.credential == expected
    assert made.keys == ()


@pytest.mark.parametrize("fields", [AWS, VERTEX, AZURE])
def test_a_key_in_place_of_a_token_needs_nobody(tmp_path: Path, fields: str) -> None:
    """Bedrock's API keys, Azure's, and a token that somebody else brings."""
    made = provider(tmp_path, f"{fields}, api_key: canary")
    assert (made.credential, made.keys) == (None, ("canary",))


def test_several_keys_are_used_in_their_order(tmp_path: Path) -> None:
    """`api_key` first, when both are given."""
    made = provider(tmp_path, "kind: openai, api_key: ${A}, api_keys: [two, three]", A="one")
    assert made.keys == ("one", "two", "three")
    assert provider(tmp_path, "kind: openai, api_keys: [two, three]").keys == ("two", "three")
    assert provider(tmp_path, "kind: openai").keys == ()


def test_options_are_what_addresses_are_made_of(tmp_path: Path) -> None:
    made = provider(tmp_path, VERTEX)
    assert made.host == "europe-west4-aiplatform.googleapis.com"
    assert made.path == "/v1/projects/my-project/locations/europe-west4"
    assert provider(tmp_path, "kind: vertex, project: p, location: global").host == "aiplatform.googleapis.com"
    assert provider(tmp_path, AWS).host == "bedrock-runtime.eu-west-3.amazonaws.com"
    assert ("api_version", "2024-10-21") in provider(tmp_path, AZURE).options


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("kind: vertex, project: p", ["location: is missing: kind vertex needs project and location"]),
        ("kind: bedrock", [f"region: is missing: kind bedrock needs region; also taken from {PLACES}"]),
        (
            f"{AWS}, access_key_id: AKIA",
            ["secret_access_key: is missing: access_key_id and secret_access_key go together"],
        ),
        (f"{AWS}, session_token: canary", ["session_token: needs access_key_id and secret_access_key"]),
        (
            f"{AWS}, profile: p, access_key_id: AKIA, secret_access_key: canary",
            ["profile: and access_key_id exclude each other: keep one"],
        ),
        (f"{AWS}, profile: p, api_key: canary", ["profile: and api_key exclude each other: keep one"]),
        (
            f"{AWS}, role_arn: canary",
            ["role_arn: must be the ARN of a role, such as arn:aws:iam::123456789012:role/name"],
        ),
        (f"{AWS}, client_secret: canary", ["client_secret: means nothing to kind bedrock: remove it"]),
        ("kind: openai, tenant_id: t", ["tenant_id: means nothing to kind openai: remove it"]),
        (
            f"{AZURE}, client_secret: canary",
            [
                "client_id: is missing: client_secret needs tenant_id and client_id",
                "tenant_id: is missing: client_secret needs tenant_id and client_id",
            ],
        ),
        (
            f"{VERTEX}, credentials_file: {__file__}, credentials: '{ACCOUNT}'",
            ["credentials: and credentials_file exclude each other: keep one"],
        ),
        (
            f"{VERTEX}, credentials: canary",
            ["credentials: must be the text of a credentials file of Google's; its path goes into credentials_file"],
        ),
        (
            f"{VERTEX}, credentials_file: /nowhere.json",
            ["credentials_file: names no file that can be read: check the path and its permissions"],
        ),
        (
            "kind: bedrock, region: evil.example/",
            ["region: must be letters, digits, dots, hyphens or underscores, at most 128"],
        ),
        (
            "kind: databricks, workspace: 'dbc:80'",
            ["workspace: must be letters, digits, dots, hyphens or underscores, at most 128"],
        ),
        ("kind: cloudflare, api_key: canary", ["account: is missing: kind cloudflare needs account"]),
        (
            "kind: bedrock, base_url: https://h.example",
            [f"region: is missing: kind bedrock needs region; also taken from {PLACES}"],
        ),
        (
            "kind: azure, base_url: https://h.example, api_key: canary",
            ["api_version: is missing: kind azure needs api_version"],
        ),
        ("kind: openai, api_keys: [a, a]", ["api_keys: has a key twice: keep one"]),
        ("kind: openai, api_key: a, api_keys: [a]", ["api_keys: has a key twice: keep one"]),
        ("kind: openai, api_keys: ['']", ["api_keys: has an empty key: remove it"]),
        (
            "kind: openai, api_keys: ['can ary']",
            ["api_keys[0]: a secret must be printable ASCII without spaces: it travels in a header"],
        ),
        ("kind: openai, api_keys: canary", ["api_keys: must be a list"]),
    ],
)
def test_every_mistake_says_what_to_do(tmp_path: Path, fields: str, expected: list[str]) -> None:
    assert sorted(mistakes(tmp_path, fields)) == expected


def test_awss_region_is_found_where_aws_looks_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the address, for signatures and for roles; what the file says comes first."""
    endpoint = "https://vpce-1.bedrock-runtime.us-west-2.vpce.amazonaws.com"
    assert provider(tmp_path, f"kind: bedrock, base_url: {endpoint}").credential == Aws("us-west-2")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-south-1")
    made = provider(tmp_path, "kind: bedrock")
    assert (made.host, made.credential) == ("bedrock-runtime.ap-south-1.amazonaws.com", Aws("ap-south-1"))
    assert provider(tmp_path, "kind: bedrock, base_url: http://localhost:4566").credential == Aws("ap-south-1")
    assert provider(tmp_path, AWS).credential == Aws("eu-west-3")
    assert mistakes(tmp_path, "kind: watsonx, api_key: a") == ["region: is missing: kind watsonx needs region"]


def test_a_bedrock_key_at_an_address_of_its_own_needs_no_region(tmp_path: Path) -> None:
    """Nothing is signed."""
    assert provider(tmp_path, "kind: bedrock, base_url: https://h.example, api_key: canary").credential is None


def test_ibms_key_is_exchanged(tmp_path: Path) -> None:
    """It is never sent itself, and is one."""
    made = provider(tmp_path, "kind: watsonx, region: us-south, api_key: canary")
    assert (made.credential, made.keys) == (Ibm("canary"), ())
    assert made.host == "us-south.ml.cloud.ibm.com"
    assert mistakes(tmp_path, "kind: watsonx, region: r") == ["api_key: is missing: it is exchanged for tokens"]
    assert mistakes(tmp_path, "kind: watsonx, region: r, api_key: a, api_keys: [canary]") == [
        "api_keys: cannot be rotated with kind watsonx: keep api_key alone"
    ]


@pytest.mark.parametrize("kind", [kind for kind, row in TABLE.items() if row.options and row.issuer in {"", "ibm"}])
def test_an_address_of_ones_own_says_what_options_would_have_said(tmp_path: Path, kind: str) -> None:
    """An account or a workspace that only stands in the vendor's address need not be named beside another address."""
    made = provider(tmp_path, f"kind: {kind}, base_url: https://proxy.example/v1, api_key: canary")
    assert (made.host, made.path) == ("proxy.example", "/v1")


def test_googles_text_may_come_from_a_variable(tmp_path: Path) -> None:
    made = provider(
        tmp_path, f"{VERTEX}, credentials: '${{ACCOUNT}}'", ACCOUNT=json.dumps(json.loads(ACCOUNT), indent=2)
    )
    assert isinstance(made.credential, Google)
    assert json.loads(made.credential.text) == json.loads(ACCOUNT)
