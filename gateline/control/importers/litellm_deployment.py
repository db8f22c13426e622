"""One entry of LiteLLM's `model_list`: which provider of ours it is, and what the target says."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from gateline.control.importers.litellm_kinds import OPENAI_HOSTS, PREFIXES, parted
from gateline.control.written import VARIABLE
from gateline.providers.table import TABLE

# Our fields by LiteLLM's, for those kinds that have them.
_AWS: Final = {
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
    "aws_region_name": "region",
    "aws_profile_name": "profile",
    "aws_role_name": "role_arn",
    "aws_bedrock_runtime_endpoint": "base_url",
}
_AZURE: Final = {
    "api_version": "api_version",
    "tenant_id": "tenant_id",
    "client_id": "client_id",
    "client_secret": "client_secret",
}
_VERTEX: Final = {"vertex_project": "project", "vertex_location": "location"}
_FIELDS: Final = {"bedrock": _AWS, "azure": _AZURE, "vertex": _VERTEX, "vertex-anthropic": _VERTEX}
_DEFAULTS: Final = {
    "bedrock": {"region": "${AWS_REGION}"},
    "azure": {"api_version": "2024-10-21"},
    "vertex": {"project": "${VERTEXAI_PROJECT}", "location": "us-central1"},
    "vertex-anthropic": {"project": "${VERTEXAI_PROJECT}", "location": "us-central1"},
}
_PRICES: Final = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cached",
    "cache_creation_input_token_cost": "cache_write",
}
_REASONS: Final = {
    "rpm": "carried as the share of calls only: limits belong to keys here (`gateline keys create`)",
    "tpm": "tokens a minute are not limited by provider",
    "max_parallel_requests": "calls at once are limited by key (`gateline keys create --concurrency`)",
    "stream_timeout": "one bound holds for whole replies and streams: `timeouts` of the provider",
    "num_retries": "retries are set once, in `retry`",
    "max_retries": "retries are set once, in `retry`",
    "order": "targets of a model are chosen by weight; an order is said with `fallbacks`",
    "organization": "the key's own organization is used",
    "azure_ad_token": "a token that ends is not configured: leave it out, and Entra ID is asked for one",
    "model_info": "describes the model: `gateline models` knows what it can do",
    "use_in_pass_through": "see `/passthrough`",
}
_OTHERWISE: Final = "nothing here sets it by model: clients send it"
_CLAUDE: Final = re.compile(r"(?:^|/)claude-")
_MILLION: Final = 1_000_000
_USUAL_SECONDS: Final = 600  # for a whole reply, as everywhere here where nothing else is said


class NotCarried(Exception):
    """Why the whole entry is left out."""


class Deployment(msgspec.Struct):
    """`provider` is the section, without a name yet; `weight` None: not said."""

    provider: dict[str, Any]
    model: str
    weight: Decimal | None = None
    price: dict[str, Decimal] | None = None


def is_true(value: object) -> bool:
    return value is True or (isinstance(value, str) and value.lower() == "true")


def written_value(value: object) -> str:
    """A value of LiteLLM's as ours: `os.environ/NAME` is a variable. Raises NotCarried for what cannot be written."""
    text = f"{value:f}" if isinstance(value, Decimal) else str(value)
    if text.startswith("os.environ/"):
        name = text.removeprefix("os.environ/")
        if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) is None:
            raise NotCarried("a variable's name has letters, digits and underscores")
        return f"${{{name}}}"
    if "${" in text and not VARIABLE.fullmatch(text):
        raise NotCarried("`${` means a variable here")
    return text


def number(value: object) -> Decimal | None:
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return None
    return found if found.is_finite() and found >= 0 else None


def read_deployment(
    params: Mapping[str, Any], info: Mapping[str, Any], timeout: Decimal | None, leave: Callable[[str, str], None]
) -> Deployment:
    """`leave` is told of each field that was not carried, by name, and why. `timeout` holds where the entry says none.
    Raises NotCarried."""
    rest = dict(params)
    vendor, model = parted(str(rest.pop("model", "")), str(rest.pop("custom_llm_provider", "")))
    if not vendor:
        raise NotCarried("nothing says which vendor's model this is: put the vendor's name and a slash before it")
    known = PREFIXES.get(vendor)
    if known is None:
        raise NotCarried(f"no kind of provider here is LiteLLM's {vendor}: if it speaks OpenAI's format, it is "
                         "openai-compatible with a base_url")  # fmt: skip
    kind, model = _kind_and_model(known.kind, model)
    base = rest.pop("api_base", None) or rest.pop("base_url", None)
    base_url = _base_url(kind, written_value(base)) if base else ""
    kind = _kind_at(kind, base_url)
    provider: dict[str, Any] = {"kind": kind}
    if base_url:
        provider["base_url"] = base_url
    for name, ours in _FIELDS.get(kind, {}).items():
        if rest.get(name) is not None:
            provider[ours] = written_value(rest.pop(name))
    # A key of OpenAI's goes to nobody who only speaks its format.
    _put_credential(provider, rest, known.variable if kind != "openai-compatible" else "", leave)
    for name, value in _DEFAULTS.get(kind, {}).items():
        if name not in provider:
            provider[name] = value
            leave(name, f"is not said: {value} was put in, check it")
    missing = [name for name in TABLE[kind].options if name not in provider and f"{{{name}}}" in TABLE[kind].base_url]
    if not TABLE[kind].base_url and not base_url:
        raise NotCarried(f"kind {kind} needs base_url, and there is no api_base")
    if missing and not base_url:
        raise NotCarried(f"kind {kind} needs {' and '.join(missing)}, which nothing here says")
    seconds = number(rest.pop("timeout", None) or timeout or "")
    if seconds and seconds != _USUAL_SECONDS:
        provider["timeouts"] = {"total": min(seconds, Decimal(86_400))}
    found = Deployment(provider, model, _weight(rest), _price(rest, info, leave))
    for name in rest:
        leave(name, _REASONS.get(name, _OTHERWISE))
    return found


def _kind_and_model(kind: str, model: str) -> tuple[str, str]:
    """Bedrock's routes and Azure's are no part of a name; Claude on Vertex is a kind of its own."""
    if kind == "bedrock":
        route, slash, name = model.partition("/")
        if slash and route in {"converse", "converse_like", "invoke"}:
            return kind, name
    if kind == "azure":
        return kind, model.removeprefix("o_series/").removeprefix("responses/").removeprefix("gpt5_series/")
    if kind == "vertex":
        if _CLAUDE.search(model):
            return "vertex-anthropic", model
        if "/" in model:
            raise NotCarried("of Vertex AI, Gemini's models and Claude are served here")
    return kind, model


def _kind_at(kind: str, base_url: str) -> str:
    """What speaks OpenAI's format somewhere else is not OpenAI."""
    if kind != "openai" or not base_url or urlsplit(base_url).hostname in OPENAI_HOSTS:
        return kind
    return "openai-compatible"


def _base_url(kind: str, url: str) -> str:
    """LiteLLM adds the version to some addresses by itself; our base URLs have it."""
    url = url.rstrip("/")
    if kind == "anthropic" and "${" not in url:
        url = url.removesuffix("/messages")
        return url if url.endswith("/v1") else f"{url}/v1"
    return url.removesuffix("/chat/completions").rstrip("/")


def _put_credential(
    provider: dict[str, Any], rest: dict[str, Any], variable: str, leave: Callable[[str, str], None]
) -> None:
    """The key that is named, else the variable LiteLLM would have read; for Google a file or its text."""
    key = rest.pop("api_key", None)
    if provider["kind"] in {"vertex", "vertex-anthropic"}:
        credentials = rest.pop("vertex_credentials", None)
        if credentials is not None:
            found = written_value(credentials)
            field = "credentials" if found.lstrip().startswith("{") or "JSON" in found else "credentials_file"
            provider[field] = found
            if VARIABLE.fullmatch(found):
                leave("vertex_credentials", f"was taken for {field}: a variable does not say which of both it holds")
        return
    if key not in {None, "", "none", "None"}:
        provider["api_key"] = written_value(key)
        if not VARIABLE.fullmatch(provider["api_key"]):
            leave("api_key", "stands in the file as it is: a variable, or file:/path, keeps it out of sight")
    elif variable and not (provider["kind"] == "azure" and "client_secret" in provider):
        provider["api_key"] = f"${{{variable}}}"
        leave("api_key", f"is not said: ${{{variable}}} was put in, where LiteLLM looks for it")


def _weight(rest: dict[str, Any]) -> Decimal | None:
    """What LiteLLM's shuffle goes by: `weight`, else `rpm`, else `tpm`."""
    if (weight := rest.pop("weight", None)) is not None:
        return number(weight)
    return number(rest.get("rpm", rest.get("tpm", "")))


def _price(
    rest: dict[str, Any], info: Mapping[str, Any], leave: Callable[[str, str], None]
) -> dict[str, Decimal] | None:
    """In dollars per million tokens; LiteLLM takes it from either place."""
    found: dict[str, Decimal] = {}
    for name, ours in _PRICES.items():
        cost = number(rest.pop(name, info.get(name)))
        if cost is not None:
            found[ours] = (cost * _MILLION).quantize(Decimal("1e-10")).normalize()
    if found and not {"input", "output"} <= found.keys():
        leave("input_cost_per_token" if "output" in found else "output_cost_per_token",
              "is missing: a price has one for input and one for output")  # fmt: skip
        return None
    return found or None
