"""gateline.yaml: its sections, and `load`, which finds every mistake at once. Knows no worker and no database.

Messages name the field and say what to do; they never repeat a value, since any value may hold a secret.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from gateline.control.document import read_document
from gateline.control.mistakes import ConfigMistakes, Mistake
from gateline.control.secret import read_secret
from gateline.control.units import Duration, Size
from gateline.providers.paths import fill
from gateline.providers.table import TABLE

LOCAL_PROVIDER = "local"
LOCAL_MODELS = ("local-chat", "local-embed")
_KINDS = sorted(TABLE.keys() - {LOCAL_PROVIDER})
_PROVIDER_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
_MODEL_NAME = r"^[!-~]{1,200}$"
_UPSTREAM_NAME_BYTES = 256


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _empty_when_null(value: Any) -> Any:
    """`local-chat:` with nothing after it is an empty section."""
    return {} if value is None else value


def _secret(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, str):
        return value
    files: set[str] = (info.context or {}).get("files", set())
    return read_secret(value, files)


def _credentials_text(value: Any) -> Any:
    """Google's credentials file as text, which a variable may hold."""
    if not isinstance(value, str) or not value:
        return value
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or "type" not in found:
        raise ValueError("must be the text of a credentials file of Google's; its path goes into credentials_file")
    return value


def _name(value: str) -> str:
    """What names an account, or a part of it, in an address or a form: never more than one label or path segment."""
    if value and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}", value) is None:
        raise ValueError("must be letters, digits, dots, hyphens, underscores or colons, at most 128")
    return value


def _host_part(value: str) -> str:
    """The same where it stands in a host's name: a colon would begin a port there."""
    if value and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", value) is None:
        raise ValueError("must be letters, digits, dots, hyphens or underscores, at most 128")
    return value


def _role_arn(value: str) -> str:
    if value and re.fullmatch(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[!-~]{1,512}", value) is None:
        raise ValueError("must be the ARN of a role, such as arn:aws:iam::123456789012:role/name")
    return value


def _kind(value: str) -> str:
    if value not in _KINDS:
        close = difflib.get_close_matches(value.lower(), _KINDS, n=1, cutoff=0.6)
        hint = f"did you mean {close[0]}?" if close else "a server that speaks OpenAI's API is openai-compatible;"
        raise ValueError(f"there is no such kind of provider: {hint} `gateline providers list` shows all")
    return value


def _base_url(value: str) -> str:
    if re.match(r"[a-z]+://[^/]*\$[A-Za-z_]", value):
        raise ValueError("has a bare $NAME in its host: write ${NAME} for a variable of the environment")
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise ValueError("is not a URL: write https://host/v1 or http://host:port/v1") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise ValueError("must be http://host[:port][/path] or https://host[:port][/path]")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user name or password: put the key into api_key")
    if "?" in value or "#" in value:
        raise ValueError("must not hold a query or fragment: end it with the path, such as /v1")
    if not value.isascii() or any(character <= " " for character in value):
        raise ValueError("must hold no space, control or non-ASCII character: percent-encode it")
    return value


def _network(value: str) -> str:
    try:
        return str(ip_network(value))
    except ValueError:
        raise ValueError("must be a network such as 10.0.0.0/8 or fd00::/8 with no host bits set") from None


def _readable_file(value: str) -> str:
    path = Path(value)
    if not path.is_absolute():
        raise ValueError("must be an absolute path")
    if not path.is_file() or not os.access(path, os.R_OK):
        raise ValueError("names no file that can be read: check the path and its permissions")
    return value


def _writable_file(value: str) -> str:
    """A file that is there can be written, and one that is not can be made."""
    path = Path(value)
    if not path.parent.is_dir():
        raise ValueError("lies in a folder that is not there: make it, or name another")
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ValueError("cannot be written: check the path and the permissions of its folder")
    return value


def _upstream_name(value: str) -> str:
    """Bounded in bytes: with the other names of a call it is kept in a slot of shared memory, which has a size."""
    if not 1 <= len(value.encode(errors="replace")) <= _UPSTREAM_NAME_BYTES:
        raise ValueError(f"must have 1 to {_UPSTREAM_NAME_BYTES} bytes of UTF-8")
    return value


def _origin(value: str) -> str:
    parts = urlsplit(value)
    if value != "*" and (parts.scheme not in {"http", "https"} or not parts.netloc or parts.path or "@" in value):
        raise ValueError("must be * or an origin such as https://app.example.com, with no path")
    return value


Secret = Annotated[SecretStr, BeforeValidator(_secret)]
CredentialsText = Annotated[SecretStr, BeforeValidator(_credentials_text)]
Name = Annotated[str, BeforeValidator(lambda value: _name(value) if isinstance(value, str) else value)]
HostPart = Annotated[str, BeforeValidator(lambda value: _host_part(value) if isinstance(value, str) else value)]
ProfileName = Annotated[str, Field(max_length=200)]
RoleArn = Annotated[str, BeforeValidator(lambda value: _role_arn(value) if isinstance(value, str) else value)]
BaseUrl = Annotated[str, BeforeValidator(lambda value: _base_url(value) if isinstance(value, str) else value)]
Network = Annotated[str, BeforeValidator(lambda value: _network(value) if isinstance(value, str) else value)]
ReadableFile = Annotated[str, BeforeValidator(lambda value: _readable_file(value) if isinstance(value, str) else value)]
WritableFile = Annotated[str, BeforeValidator(lambda value: _writable_file(value) if isinstance(value, str) else value)]
UpstreamName = Annotated[str, BeforeValidator(lambda value: _upstream_name(value) if isinstance(value, str) else value)]
Origin = Annotated[str, BeforeValidator(lambda value: _origin(value) if isinstance(value, str) else value)]
ProviderName = Annotated[str, Field(pattern=_PROVIDER_NAME)]
ModelName = Annotated[str, Field(pattern=_MODEL_NAME)]
Kind = Annotated[str, AfterValidator(_kind)]
Port = Annotated[int, Field(ge=0, le=65_535)]
PositiveDuration = Annotated[Duration, Field(gt=0, le=86_400)]
Dollars = Annotated[Decimal, Field(ge=0, le=1_000_000, decimal_places=10)]


class CorsSection(Section):
    origins: tuple[Origin, ...] = ()


class TlsSection(Section):
    certificate: ReadableFile
    key: ReadableFile


class ServerSection(Section):
    """`workers` None: one a core. Port 0 asks the system for a free one."""

    host: str = "127.0.0.1"
    port: Port = 8080
    workers: Annotated[int, Field(ge=1, le=64)] | None = None
    admin_host: str = "127.0.0.1"
    admin_port: Port = 8081
    head_bytes: Annotated[Size, Field(ge=1_024, le=1_048_576)] = 65_536
    head_count: Annotated[int, Field(ge=8, le=1_000)] = 100
    body_bytes: Annotated[Size, Field(ge=1_024, le=1_073_741_824)] = 33_554_432
    head_timeout: PositiveDuration = 10.0
    body_timeout: PositiveDuration = 60.0
    idle_timeout: PositiveDuration = 75.0
    request_timeout: PositiveDuration = 900.0
    write_timeout: PositiveDuration = 60.0
    connections: Annotated[int, Field(ge=1, le=1_000_000)] = 20_000
    drain_delay: Annotated[Duration, Field(ge=0, le=3_600)] = 5.0
    grace: Annotated[Duration, Field(ge=0, le=86_400)] = 600.0
    cors: CorsSection = CorsSection()
    tls: TlsSection | None = None


class TimeoutsSection(Section):
    connect: PositiveDuration = 5.0
    first_byte: PositiveDuration = 120.0
    idle: PositiveDuration = 60.0
    total: PositiveDuration = 600.0


class ProviderSection(Section):
    kind: Kind
    base_url: BaseUrl | None = None
    api_key: Secret = SecretStr("")
    api_keys: Annotated[tuple[Secret, ...], Field(max_length=100)] = ()
    account: HostPart = ""
    api_version: Name = ""
    location: HostPart = ""
    project: Name = ""
    project_id: Name = ""
    region: HostPart = ""
    workspace: HostPart = ""
    tenant_id: Name = ""
    client_id: Name = ""
    client_secret: Secret = SecretStr("")
    credentials_file: ReadableFile | None = None
    credentials: CredentialsText = SecretStr("")
    access_key_id: Name = ""
    secret_access_key: Secret = SecretStr("")
    session_token: Secret = SecretStr("")
    profile: ProfileName = ""
    role_arn: RoleArn = ""
    timeouts: TimeoutsSection = TimeoutsSection()
    verify_tls: bool = True
    ca_file: ReadableFile | None = None
    models: Literal["auto"] | None = None
    passthrough: bool = False
    requires_done: bool = True


class PriceSection(Section):
    """US dollars per million tokens. A part of input or output without a price of its own costs what the whole does."""

    input: Dollars
    output: Dollars
    cached: Dollars | None = None
    cache_write: Dollars | None = None
    cache_write_1h: Dollars | None = None
    input_audio: Dollars | None = None
    output_audio: Dollars | None = None
    input_image: Dollars | None = None
    output_image: Dollars | None = None
    cached_audio: Dollars | None = None


class TargetSection(Section):
    provider: str
    model: UpstreamName
    weight: Annotated[int, Field(ge=0, le=1_000_000)] = 1
    price: PriceSection | None = None


class ModelSection(Section):
    targets: tuple[TargetSection, ...] = ()
    fallbacks: tuple[str, ...] = ()
    price: PriceSection | None = None


class EgressSection(Section):
    """Networks that targets may lie in besides public addresses and the hosts that `base_url`s name."""

    allow: tuple[Network, ...] = ()


class RetrySection(Section):
    attempts: Annotated[int, Field(ge=1, le=10)] = 2
    base: Annotated[Duration, Field(ge=0, le=60)] = 0.1
    cap: Annotated[Duration, Field(ge=0, le=300)] = 2.0


class LoggingSection(Section):
    """`access` is a path for the access log; without it none is written."""

    access: WritableFile | None = None
    level: Literal["debug", "info", "warning", "error"] = "info"


class KeysSection(Section):
    serve_unverified_for: Annotated[Duration, Field(ge=0, le=86_400)] = 30.0


class Config(Section):
    """The whole file. Without `models` and `providers` the local models serve, as they do without any file.
    `models: auto` is the same as `models: auto` of every provider."""

    server: ServerSection = ServerSection()
    providers: dict[ProviderName, ProviderSection] = Field(default_factory=dict)
    models: dict[ModelName, Annotated[ModelSection, BeforeValidator(_empty_when_null)]] = Field(default_factory=dict)
    egress: EgressSection = EgressSection()
    retry: RetrySection = RetrySection()
    logging: LoggingSection = LoggingSection()
    keys: KeysSection = KeysSection()

    @model_validator(mode="before")
    @classmethod
    def _auto(cls, values: Any) -> Any:
        if not isinstance(values, dict) or values.get("models") != "auto":
            return values
        values = {**values, "models": {}}
        if isinstance(values.get("providers"), dict):
            values["providers"] = {
                name: {"models": "auto", **section} if isinstance(section, dict) else section
                for name, section in values["providers"].items()
            }
        return values


def base_url_of(provider: ProviderSection) -> str:
    """The address that is configured, else the vendor's own; empty when there is neither, or an option of it is
    missing."""
    from gateline.control.credentials import options_of

    if provider.base_url:
        return provider.base_url
    try:
        return fill(TABLE[provider.kind].base_url, options_of(provider))
    except ValueError:
        return ""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration and all it was made from: the variables and secret files that its values were read from."""

    config: Config
    variables: tuple[str, ...] = ()
    secret_files: tuple[str, ...] = ()


def load(path: Path | None) -> Config:
    """The checked configuration in `path`; None is the embedded defaults. Raises ConfigMistakes with all mistakes."""
    return load_with_sources(path).config


def load_with_sources(path: Path | None, environment: Mapping[str, str] = os.environ) -> Loaded:
    from gateline.control.crosscheck import cross_check
    from gateline.control.explain import explain

    if path is None:
        return Loaded(Config())
    document = read_document(path, environment)
    files: set[str] = set()
    values = _empty_when_null(document.values)
    try:
        config = Config.model_validate(values, context={"files": files})
    except ValidationError as error:
        raise ConfigMistakes(explain(error, document, Config)) from None
    mistakes = [
        Mistake(document.line_of(where), field, message) for where, field, message in cross_check(config, values)
    ]
    if mistakes:
        raise ConfigMistakes(mistakes)
    return Loaded(config, tuple(sorted(document.variables)), tuple(sorted(files)))
