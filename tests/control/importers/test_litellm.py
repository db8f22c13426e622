"""LiteLLM configurations turned into ours: what comes along is right and is taken by the gateway; the rest is named."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateline.control.compile import RowRegistry, compile_snapshot
from gateline.control.config import Config, load_with_sources
from gateline.control.document import parse_document
from gateline.control.importers.litellm import Imported, import_litellm
from gateline.control.importers.litellm_kinds import PREFIXES
from gateline.control.written import AsWritten, block
from gateline.providers.table import TABLE


def imported(text: str) -> Imported:
    return import_litellm(parse_document(text, AsWritten()))


def entry(model: str, name: str = "m", **params: Any) -> str:
    """A configuration of one model."""
    fields = "".join(f", {key}: {value}" for key, value in params.items())
    return f"model_list:\n  - {{model_name: {name}, litellm_params: {{model: '{model}'{fields}}}}}\n"


def left(found: Imported) -> dict[str, str]:
    return {each.field.removeprefix("model_list[0].litellm_params."): each.reason for each in found.left}


def config(found: Imported, folder: Path, **environment: str) -> Config:
    """As the gateway reads it; it must be good, and compile."""
    path = folder / "gateline.yaml"
    path.write_text(found.text)
    read = load_with_sources(path, environment).config
    compile_snapshot(read, RowRegistry(), 1)
    return read


TEAM = """\
model_list:
  - model_name: gpt-4o
    litellm_params:
      model: azure/gpt-4o-eu
      api_base: https://europe.openai.azure.com/
      api_key: "os.environ/AZURE_API_KEY_EU"
      api_version: "2025-01-01-preview"
      rpm: 6
    model_info: {base_model: azure/gpt-4o}
  - model_name: gpt-4o
    litellm_params:
      model: openai/gpt-4o
      api_key: os.environ/OPENAI_API_KEY
      rpm: 12
      temperature: 0.2
  - model_name: claude
    litellm_params:
      model: claude-sonnet-4-5
      api_key: os.environ/ANTHROPIC_API_KEY
      input_cost_per_token: 3e-06
      output_cost_per_token: 0.000015
      cache_read_input_token_cost: 3.0e-7
  - model_name: house
    litellm_params: {model: openai/meta/llama, api_base: "http://10.0.0.7:8000/v1", api_key: none, timeout: 30}
  - model_name: "groq/*"
    litellm_params: {model: "groq/*", api_key: os.environ/GROQ_API_KEY}
litellm_settings:
  drop_params: True
  num_retries: 3
  request_timeout: 1200
  fallbacks: [{gpt-4o: [claude, groq/llama]}, {claude: [gpt-4, house]}]
  success_callback: [langfuse]
router_settings:
  routing_strategy: simple-shuffle
  model_group_alias: {gpt-4: gpt-4o}
general_settings:
  master_key: sk-canary-master
  database_url: postgresql://u:canary@h/db
"""
NAMES = ("AZURE_API_KEY_EU", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GROQ_API_KEY")


def test_a_teams_configuration_comes_along(tmp_path: Path) -> None:
    """Vendors, keys as variables, shares, prices, fallbacks, an alias, retries and times; and it is a good one."""
    found = imported(TEAM)
    read = config(found, tmp_path, **{name: f"key-{name}" for name in NAMES})
    assert (found.providers, found.models) == (5, 4)
    azure, openai = read.models["gpt-4o"].targets
    assert (azure.provider, azure.model, azure.weight) == ("azure", "gpt-4o-eu", 6)
    assert (openai.provider, openai.model, openai.weight) == ("openai", "gpt-4o", 12)
    section = read.providers["azure"]
    assert (section.kind, section.base_url, section.api_version) == (
        "azure", "https://europe.openai.azure.com", "2025-01-01-preview",
    )  # fmt: skip
    assert section.api_key.get_secret_value() == "key-AZURE_API_KEY_EU"
    (claude,) = read.models["claude"].targets
    assert claude.provider == "anthropic"
    assert claude.price is not None
    assert [claude.price.input, claude.price.output, claude.price.cached] == [Decimal(3), Decimal(15), Decimal("0.3")]
    house = read.providers["openai-compatible"]
    assert (house.base_url, house.api_key.get_secret_value()) == ("http://10.0.0.7:8000/v1", "")
    assert (house.timeouts.total, section.timeouts.total, read.server.request_timeout) == (30, 1200, 1200)
    assert (read.providers["groq"].kind, read.providers["groq"].models) == ("groq", "auto")
    assert read.models["gpt-4o"].fallbacks == ("claude", "groq/llama")
    assert read.models["gpt-4"] == read.models["gpt-4o"]
    assert read.models["claude"].fallbacks == ("house",)
    assert read.retry.attempts == 4


def test_what_does_not_come_along_is_named_with_line_and_reason() -> None:
    """In the order of the file; a value is never repeated."""
    found = imported(TEAM)
    assert [(each.line, each.field) for each in found.left] == [
        (8, "model_list[0].litellm_params.rpm"),
        (9, "model_list[0].model_info"),
        (14, "model_list[1].litellm_params.rpm"),
        (15, "model_list[1].litellm_params.temperature"),
        (31, "litellm_settings.fallbacks[1].claude"),
        (32, "litellm_settings.success_callback"),
        (37, "general_settings.master_key"),
        (38, "general_settings.database_url"),
    ]
    assert all(each.reason for each in found.left)
    assert "circle" in found.left[4].reason
    assert "canary" not in str(found.left)
    assert "canary" not in found.text


@pytest.mark.parametrize("prefix", sorted(PREFIXES))
def test_every_vendor_that_is_known_here_is_carried(prefix: str, tmp_path: Path) -> None:
    """With nothing but a model's name and what the vendor cannot do without, the result is good."""
    assert PREFIXES[prefix].kind in TABLE
    more = {} if prefix not in {"azure", "custom_openai", "llamafile", "openai_like", "databricks", "snowflake"} else {
        "api_base": "https://h.example/v1"
    }  # fmt: skip
    found = imported(entry(f"{prefix}/some-model", **more))
    variables = {name: "x1" for name in ("AWS_REGION", "VERTEXAI_PROJECT", PREFIXES[prefix].variable) if name}
    read = config(found, tmp_path, **variables)
    (target,) = read.models["m"].targets
    assert target.model == "some-model"
    assert read.providers[target.provider].kind == PREFIXES[prefix].kind


@pytest.mark.parametrize(
    ("text", "provider", "model"),
    [
        (
            entry("bedrock/converse/us.anthropic.claude-v1:0", aws_region_name="eu-west-3",
                  aws_access_key_id="os.environ/ID", aws_secret_access_key="os.environ/SECRET", aws_session_token="t"),
            {"kind": "bedrock", "region": "eu-west-3", "access_key_id": "${ID}", "secret_access_key": "${SECRET}",
             "session_token": "t"},
            "us.anthropic.claude-v1:0",
        ),
        (
            entry("bedrock/amazon.nova", aws_region_name="eu-west-3", aws_profile_name="p", aws_role_name="arn"),
            {"kind": "bedrock", "region": "eu-west-3", "profile": "p", "role_arn": "arn"},
            "amazon.nova",
        ),
        (
            entry("vertex_ai/gemini-2.5-pro", vertex_project="p", vertex_location="global",
                  vertex_credentials="/etc/key.json"),
            {"kind": "vertex", "project": "p", "location": "global", "credentials_file": "/etc/key.json"},
            "gemini-2.5-pro",
        ),
        (
            entry("vertex_ai/claude-sonnet-4@20250514", vertex_project="p", vertex_location="global"),
            {"kind": "vertex-anthropic", "project": "p", "location": "global"},
            "claude-sonnet-4@20250514",
        ),
        (
            entry("azure/o_series/o3", api_base="https://r.openai.azure.com", api_version="v", tenant_id="t",
                  client_id="c", client_secret="os.environ/S"),
            {"kind": "azure", "base_url": "https://r.openai.azure.com", "api_version": "v", "tenant_id": "t",
             "client_id": "c", "client_secret": "${S}"},
            "o3",
        ),
        (entry("anthropic/claude", api_base="https://p.example"),
         {"kind": "anthropic", "base_url": "https://p.example/v1", "api_key": "${ANTHROPIC_API_KEY}"}, "claude"),
        (entry("openai/x/y", api_base="https://p.example/v1/", api_key="k"),
         {"kind": "openai-compatible", "base_url": "https://p.example/v1", "api_key": "k"}, "x/y"),
        (entry("openai/x", api_base="https://p.example/v1"),
         {"kind": "openai-compatible", "base_url": "https://p.example/v1"}, "x"),
        (entry("gpt-4o-mini"), {"kind": "openai", "api_key": "${OPENAI_API_KEY}"}, "gpt-4o-mini"),
        (entry("some/model", custom_llm_provider="groq", api_key="k"), {"kind": "groq", "api_key": "k"}, "some/model"),
        (entry("ollama_chat/llama3", api_base="http://localhost:11434"),
         {"kind": "ollama", "base_url": "http://localhost:11434"}, "llama3"),
    ],
)  # fmt: skip
def test_each_vendors_own_fields_come_along(text: str, provider: dict[str, str], model: str) -> None:
    """Under the names they have here; a key that is not named is the variable that LiteLLM would have read, but
    OpenAI's goes to nobody else."""
    values = parse_document(imported(text).text, AsWritten()).values
    (name,) = values["providers"]
    assert values["providers"][name] == provider
    assert values["models"]["m"]["targets"] == [{"provider": name, "model": model}]


@pytest.mark.parametrize(
    ("text", "field", "reason"),
    [
        (entry("watsonx/ibm/granite"), "model", "the whole entry: no kind of provider here is LiteLLM's watsonx"),
        (entry("some-model"), "model", "the whole entry: nothing says which vendor's model this is"),
        (entry("databricks/dbrx", api_key="k"), "model", "the whole entry: kind databricks needs workspace"),
        (entry("openai_like/x"), "model", "the whole entry: kind openai-compatible needs base_url"),
        (entry("vertex_ai/meta/llama", vertex_project="p"), "model", "the whole entry: of Vertex AI, Gemini's"),
        (entry("groq/x", api_key="'a${B}'"), "model", "the whole entry: `${` means a variable here"),
        (entry("groq/x", name="'a b'"), "model_list[0].model_name", "a name has no spaces"),
        (entry("openai/*", name="'*'"), "model_list[0].model_name", "only NAME/*"),
        (entry("groq/x", input_cost_per_token="1e-6"), "output_cost_per_token", "is missing"),
        (entry("azure/x", api_base="https://h.example"), "api_version", "is not said: 2024-10-21 was put in"),
        (entry("groq/x", api_key="sk-canary"), "api_key", "stands in the file as it is"),
        (entry("groq/x", litellm_credential_name="c"), "litellm_credential_name", "names no entry of credential_list"),
        ("model_list: {}\n", "model_list", "is missing"),
        ("model_list: [3, {model_name: m}]\n", "model_list[0]", "has no model_name and litellm_params"),
        ("include: [a.yaml]\n", "include", "is not followed"),
    ],
)
def test_each_reason_is_told(text: str, field: str, reason: str) -> None:
    """The field that is at fault, and why it did not come along."""
    found = imported(text)
    assert left(found)[field].startswith(reason)
    assert "canary" not in str(found.left)


def test_credentials_by_name_are_looked_up() -> None:
    """What the entry says itself goes before them."""
    text = (
        "credential_list: [{credential_name: c, credential_values: {api_key: os.environ/K, api_base: https://a/v1}}]\n"
        "model_list: [{model_name: m, litellm_params: "
        "{model: openai/x, litellm_credential_name: c, api_base: https://b/v1}}]\n"
    )
    provider = parse_document(imported(text).text, AsWritten()).values["providers"]["openai-compatible"]
    assert provider == {"kind": "openai-compatible", "base_url": "https://b/v1", "api_key": "${K}"}


@pytest.mark.parametrize(
    ("given", "weights"),
    [
        ([("weight", "0.7"), ("weight", "0.3")], [700, 300]),
        ([("weight", "2"), ("weight", "1")], [2, 1]),
        ([("weight", "2"), None], [2, 2]),
        ([("tpm", "100000"), ("tpm", "5000000")], [20000, 1000000]),
        ([("weight", "0"), ("weight", "1")], [0, 1]),
        ([None, None], [1, 1]),
    ],
)
def test_shares_keep_their_proportion(given: list[tuple[str, str] | None], weights: list[int]) -> None:
    """Ours are whole numbers up to a million; who says nothing has the least of what others have."""
    lines = [
        f"  - {{model_name: m, litellm_params: {{model: groq/x, api_key: k{number}"
        + (f", {each[0]}: {each[1]}}}}}" if each else "}}")
        for number, each in enumerate(given)
    ]
    targets = parse_document(imported("model_list:\n" + "\n".join(lines) + "\n").text, AsWritten()).values["models"]
    assert [target.get("weight", 1) for target in targets["m"]["targets"]] == weights


def test_the_same_target_twice_is_one_with_both_shares() -> None:
    """Ours refuses a target that repeats another."""
    found = imported(entry("groq/x", api_key="k", weight=2) + entry("groq/x", api_key="k", weight=3).split("\n", 1)[1])
    (target,) = parse_document(found.text, AsWritten()).values["models"]["m"]["targets"]
    assert target == {"provider": "groq", "model": "x"}


def test_default_fallbacks_are_everybodys_but_their_own() -> None:
    """In the two ways that LiteLLM has for them; no circle comes of it."""
    models = "".join(
        f"  - {{model_name: {name}, litellm_params: {{model: groq/{name}, api_key: os.environ/K}}}}\n" for name in "abc"
    )
    for settings in ("{default_fallbacks: [c]}", '{fallbacks: [{"*": [c]}]}'):
        found = imported(f"model_list:\n{models}litellm_settings: {settings}\n")
        values = parse_document(found.text, AsWritten()).values["models"]
        assert {name: model.get("fallbacks") for name, model in values.items()} == {"a": ["c"], "b": ["c"], "c": None}
        assert found.left == []


def test_values_are_written_so_that_they_are_read_back() -> None:
    """Numbers, words and names that YAML would take for something else."""
    values = {"a": {"b": [{"c": "1", "d": Decimal("0.10")}], "no": True, "@x": "{y}", "n": 3}}
    assert parse_document(block(values), {}).values == values
