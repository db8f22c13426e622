"""gateline.yaml: what is accepted, and every mistake with its line, field and remedy, at once."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateline.control.config import Config, load, load_with_sources
from gateline.control.crosscheck import model_names
from gateline.control.mistakes import ConfigMistakes

ISSUE_EXAMPLE = """\
server: {host: 127.0.0.1, port: 8080, workers: 2}          # all optional
providers:
  up: {kind: openai-compatible, base_url: http://127.0.0.1:9000/v1, api_key: ${UP_KEY}}
models:
  gpt-4o:                                                   # the name clients ask for
    targets: [{provider: up, model: gpt-4o-2024-08-06, weight: 1}]
    fallbacks: [local-chat]
"""
PROVIDER = "providers: {up: {kind: openai-compatible, base_url: http://h/v1}}\n"
SHOWN = " `gateline providers list` shows all"


def write(folder: Path, text: str) -> Path:
    path = folder / "gateline.yaml"
    path.write_text(text)
    return path


def accepted(folder: Path, text: str, **environment: str) -> Config:
    return load_with_sources(write(folder, text), environment).config


def mistakes(folder: Path, text: str, **environment: str) -> list[str]:
    with pytest.raises(ConfigMistakes) as caught:
        load_with_sources(write(folder, text), environment)
    return [str(mistake) for mistake in caught.value.mistakes]


def test_no_file_is_the_embedded_defaults() -> None:
    config = load(None)
    assert (config.server.host, config.server.port, config.server.admin_port) == ("127.0.0.1", 8080, 8081)
    assert model_names(config) == ("local-chat", "local-embed")


def test_the_documented_example_is_accepted(tmp_path: Path) -> None:
    loaded = load_with_sources(write(tmp_path, ISSUE_EXAMPLE), {"UP_KEY": "sk-up"})
    assert loaded.config.providers["up"].api_key.get_secret_value() == "sk-up"
    assert loaded.variables == ("UP_KEY",)
    assert model_names(loaded.config) == ("gpt-4o", "local-chat")


def test_every_mistake_is_found_at_once_with_its_line(tmp_path: Path) -> None:
    text = """\
server: {port: 99999, workrs: 2, head_timeout: 10x}
providers:
  up: {kind: openai-compatible, base_url: http://u:p@127.0.0.1:9000/v1}
  lo: {kind: opena, base_url: http://127.0.0.1:9000/v1, api_key: "a b"}
models:
  gpt-4o:
    targets:
      - {provider: up, model: x, weight: -1}
      - {provider: up}
    fallbacks: local-chat
  x y: {}
loging: {}
"""
    assert mistakes(tmp_path, text) == [
        "1: server.head_timeout: must be a duration such as 500ms, 10s, 5m or a number of seconds",
        "1: server.port: must be at most 65535",
        "1: server.workrs: there is no such field here: did you mean workers?",
        "3: providers.up.base_url: must not hold a user name or password: put the key into api_key",
        "4: providers.lo.api_key: a secret must be printable ASCII without spaces: it travels in a header",
        "4: providers.lo.kind: there is no such kind of provider: did you mean openai?" + SHOWN,
        "8: models.gpt-4o.targets[0].weight: must be at least 0",
        "9: models.gpt-4o.targets[1].model: is missing: add it",
        "10: models.gpt-4o.fallbacks: must be a list",
        "11: models.x y: is no good name: use printable ASCII without spaces, at most 200 characters",
        "12: loging: there is no such field here: did you mean logging?",
    ]


def test_sections_are_checked_against_each_other(tmp_path: Path) -> None:
    text = """\
server: {port: 8081}
providers:
  up: {kind: openai-compatible, base_url: http://h/v1}
  bare: {kind: openai-compatible}
models:
  a: {targets: [{provider: upp, model: x}], fallbacks: [b, gpt, b]}
  b:
    targets: [{provider: up, model: x, weight: 0}, {provider: up, model: x, weight: 0}]
    fallbacks: [a]
  c: {}
  d: {targets: [{provider: local, model: local-chta}]}
"""
    assert mistakes(tmp_path, text) == [
        "1: server.admin_port: is the same as server.port: choose another",
        "4: providers.bare.base_url: is missing: add it, such as https://host/v1",
        "6: models.a.fallbacks[1]: there is no model of this name: add it under models, or name one that is there",
        "6: models.a.fallbacks[2]: is named twice: keep the first",
        "6: models.a.targets[0].provider: there is no provider of this name: did you mean up?",
        "8: models.b.targets: every weight is 0: give at least one target a weight",
        "8: models.b.targets[1]: repeats targets[0]: keep one and add the weights",
        "9: models.b.fallbacks[0]: fallbacks go in a circle: a → b → a",
        "10: models.c.targets: is missing: name at least one {provider, model}",
        "11: models.d.targets[0].model: the local provider has local-chat and local-embed only",
    ]


def test_a_chain_of_a_thousand_fallbacks_is_no_circle(tmp_path: Path) -> None:
    lines = [f"  m{n}: {{targets: [{{provider: up, model: x}}], fallbacks: [m{n + 1}]}}" for n in range(1_000)]
    text = PROVIDER + "models:\n" + "\n".join(lines) + "\n  m1000: {targets: [{provider: up, model: x}]}\n"
    assert len(model_names(accepted(tmp_path, text))) == 1_001


@pytest.mark.parametrize(
    ("models", "names"),
    [
        ("{m: {targets: [{provider: up, model: x}]}}", ("m",)),
        ("{m: {targets: [{provider: up, model: x}], fallbacks: [local-embed]}}", ("m", "local-embed")),
        ("{m: {targets: [{provider: local, model: local-chat}]}}", ("m", "local-chat")),
        ("{local-chat: , m: {targets: [{provider: up, model: x}]}}", ("local-chat", "m")),
    ],
)
def test_local_models_join_only_when_the_file_names_them(tmp_path: Path, models: str, names: tuple[str, ...]) -> None:
    assert model_names(accepted(tmp_path, f"{PROVIDER}models: {models}\n")) == names


def test_a_file_of_settings_only_serves_the_local_models(tmp_path: Path) -> None:
    assert model_names(accepted(tmp_path, "server: {port: 9000}\n")) == ("local-chat", "local-embed")


def test_a_file_with_providers_and_no_model_is_a_mistake(tmp_path: Path) -> None:
    assert mistakes(tmp_path, PROVIDER) == [
        "1: models: no model is served: name at least one, such as local-chat, or write auto"
    ]


def test_an_open_provider_needs_no_model(tmp_path: Path) -> None:
    """Its own API is what is served."""
    config = accepted(tmp_path, "providers:\n  up: {kind: openai, api_key: k, passthrough: true}\n")
    assert config.providers["up"].passthrough
    assert model_names(config) == ()


def test_sizes_durations_and_prices_are_read_exactly(tmp_path: Path) -> None:
    text = """\
server: {body_bytes: 8MiB, head_bytes: 32KiB, head_timeout: 500ms, grace: 5m, idle_timeout: 1.5, tls: }
providers: {up: {kind: openai, timeouts: {connect: 2s}}}
models: {m: {targets: [{provider: up, model: x}], price: {input: 0.15, output: 0.6, cached: 0.075}}}
egress: {allow: [10.0.0.0/8, "fd00::/8"]}
keys: {serve_unverified_for: 1m}
"""
    config = accepted(tmp_path, text)
    server = config.server
    assert (server.body_bytes, server.head_bytes, server.head_timeout) == (8 * 2**20, 32 * 2**10, 0.5)
    assert (server.grace, server.idle_timeout, config.keys.serve_unverified_for) == (300.0, 1.5, 60.0)
    price = config.models["m"].price
    assert price is not None
    assert (price.input, price.output, price.cached) == (Decimal("0.15"), Decimal("0.6"), Decimal("0.075"))


def test_a_secret_comes_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("sk-from-file\n")
    text = f"providers: {{up: {{kind: openai, api_key: file:{secret}}}}}\nmodels: {{local-chat: }}\n"
    loaded = load_with_sources(write(tmp_path, text), {})
    assert loaded.config.providers["up"].api_key.get_secret_value() == "sk-from-file"
    assert loaded.secret_files == (str(secret),)


def test_a_secret_file_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    text = "providers:\n  up: {kind: openai, api_key: file:/nowhere/at/all}\nmodels: {local-chat: }\n"
    assert mistakes(tmp_path, text) == [
        "2: providers.up.api_key: its secret file cannot be read: No such file or directory"
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("base_url: ftp://h/v1", "must be http://host"),
        ("base_url: http://h/v1?key=x", "query or fragment"),
        ("base_url: http://h:99999/v1", "is not a URL"),
        ("base_url: 'http://h/v1 x'", "no space"),
        ("base_url: http:///v1", "must be http://host"),
        ("base_url: http://$HOST:8000/v1", "write ${NAME} for a variable"),
        ("base_url: http://h:$PORT/v1", "write ${NAME} for a variable"),
        ("base_url: http://$1/v1", "write ${NAME} for a variable"),
        ("base_url: 'http://${NOT_THERE}/v1'", "the environment has no NOT_THERE: set it"),
        ("base_url: 'http://h!x/v1'", "cannot stand in a request"),
        ("base_url: http://a*b/v1", "cannot stand in a request"),
        ("ca_file: /nowhere.pem", "names no file"),
        ("ca_file: relative.pem", "absolute path"),
        ("timeouts: {connect: 0s}", "above 0"),
        ("verify_tls: maybe", "true or false"),
        ("api_key: 12345", "put it in quotes"),
        ("timeouts: 5s", "must hold fields"),
    ],
)
def test_a_bad_provider_field_is_told_what_to_do(tmp_path: Path, line: str, said: str) -> None:
    base = "" if line.startswith("base_url") else "base_url: http://h/v1, "
    text = f"providers: {{up: {{kind: openai-compatible, {base}{line}}}}}\nmodels: {{local-chat: }}\n"
    assert said in mistakes(tmp_path, text)[0]


SECRET = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=6, max_size=40).map("CANARY".__add__)
PLACES = st.sampled_from(
    [
        "providers: {up: {kind: %s, base_url: http://h/v1}}",
        "providers: {up: {kind: openai, base_url: %s}}",
        "providers: {up: {kind: openai, base_url: http://%s:x@h/v1, api_key: %s}}",
        "providers: {up: {kind: openai, base_url: http://h/v1?%s}}",
        "providers: {up: {kind: openai, api_key: [%s]}}",
        "providers: {up: {kind: openai, api_key: %s }}",
        "providers: {up: {kind: openai, api_key: %s, nonsense: %s}}",
        "providers: {up: {kind: openai, api_key: file:%s}}",
        "providers: {up: {kind: openai, ca_file: %s, verify_tls: %s, timeouts: %s}}",
        "models: {m: {targets: [{provider: %s, model: x, weight: %s}], fallbacks: [%s]}}",
        "models: %s",
        "server: {port: %s, host: [%s], body_bytes: %s, grace: %s, workers: %s, cors: {origins: [%s]}}",
        "egress: {allow: [%s]}",
        "logging: {level: %s}",
        "%s",
    ]
)


@given(secret=SECRET, place=PLACES, way=st.sampled_from(["plain", "quoted", "variable"]))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_value_ever_shows_in_an_error_or_a_repr(tmp_path: Path, secret: str, place: str, way: str) -> None:
    """A value may be a secret in the wrong place: messages name fields, never what stands in them."""
    written = {"plain": secret, "quoted": "'" + secret.replace("'", "''") + "'", "variable": "${SECRET}"}[way]
    path = write(tmp_path, place.replace("%s", written) + "\n")
    try:
        loaded = load_with_sources(path, {"SECRET": secret})
    except ConfigMistakes as error:
        told = f"{error!r} {error} {error.__cause__} {[repr(mistake) for mistake in error.mistakes]}"
    else:
        providers = {name: repr(provider) for name, provider in loaded.config.providers.items()}
        told = repr(providers.values())
    if way == "plain" and any(mark in secret for mark in ":#{}[],&*!|>'\"%@`"):
        return  # unquoted, such text is YAML of its own and may be a field's name
    assert "CANARY" not in told


def test_an_access_log_that_could_not_be_written_is_a_mistake(tmp_path: Path) -> None:
    """A folder that is not there, a file in a folder's place, a folder in the file's: told before the first line is
    lost."""
    (tmp_path / "file").write_text("")
    text = f"logging:\n  access: {tmp_path}/%s\n"
    assert accepted(tmp_path, text % "access.log").logging.access == f"{tmp_path}/access.log"
    assert accepted(tmp_path, text % "file").logging.access == f"{tmp_path}/file"
    for place in ("none/access.log", "file/access.log"):
        (said,) = mistakes(tmp_path, text % place)
        assert said.startswith("2: logging.access: lies in a folder that is not there")
    (said,) = mistakes(tmp_path, text % "")
    assert said.startswith("2: logging.access: cannot be written")


@pytest.mark.parametrize(("name", "is_good"), [("é" * 128, True), ("é" * 129, False), ("x" * 257, False), ("", False)])
def test_an_upstreams_name_is_bounded_in_bytes(tmp_path: Path, name: str, is_good: bool) -> None:
    text = PROVIDER + f'models:\n  m: {{targets: [{{provider: up, model: "{name}"}}]}}\n'
    if is_good:
        assert accepted(tmp_path, text).models["m"].targets[0].model == name
    else:
        assert mistakes(tmp_path, text) == ["3: models.m.targets[0].model: must have 1 to 256 bytes of UTF-8"]
