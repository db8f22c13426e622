"""`gateline providers`: the vendors there are, and adding one to a configuration with a key that was tried."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateline.cli.failure import fail

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateline.control.config import ProviderSection
    from gateline.providers.row import Row

app = typer.Typer(help="Vendors of models: which there are, and adding one.", no_args_is_help=True)


@app.command("list")
def list_providers(
    as_json: Annotated[
        bool, typer.Option("--json", help="Machine-readable output, with documentation and quirks.")
    ] = False,
) -> None:
    """Every kind of provider: what it speaks, what its section needs beside a key, where it lives."""
    from gateline.control.config import LOCAL_PROVIDER
    from gateline.providers.table import TABLE

    rows = {kind: row for kind, row in TABLE.items() if kind != LOCAL_PROVIDER}
    if as_json:
        print(json.dumps([_as_object(kind, row) for kind, row in rows.items()], indent=2))
        return
    from rich.box import SIMPLE_HEAD
    from rich.table import Column, Table

    from gateline.cli.screen import screen
    from gateline.model.call import KINDS

    table = Table(
        "kind", "vendor", "does", "needs", Column("lives at", overflow="fold"), box=SIMPLE_HEAD, pad_edge=False
    )
    for kind, row in rows.items():
        does = dict.fromkeys(KINDS[operation] for operation in row.speaks)
        needs = [*row.options, *([] if row.base_url else ["base_url"])]
        table.add_row(kind, row.title, " ".join(does), " ".join(needs) or "–", row.base_url or "–")
    screen().print(table)


@app.command("add")
def add(
    kind: Annotated[str, typer.Argument(help="A kind that `gateline providers list` names.")],
    *,
    name: Annotated[str | None, typer.Option(help="What to call it (default: as its kind).")] = None,
    config: Annotated[Path, typer.Option(help="The configuration to make or extend.")] = Path("gateline.yaml"),
    api_key_env: Annotated[
        str | None,
        typer.Option(
            help="The variable that holds the key: the file refers to it. Else the key is asked for, "
            "or read from standard input."
        ),
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option(help="Where a key that was asked for goes, mode 0600 (default: NAME.key beside it).")
    ] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Put the key itself into the configuration.")] = False,
    option: Annotated[
        list[str] | None, typer.Option(help="FIELD=VALUE of the provider's section, such as account=… (repeatable).")
    ] = None,
    base_url: Annotated[str | None, typer.Option(help="Where it lives, in place of the vendor's own address.")] = None,
    no_models: Annotated[
        bool, typer.Option("--no-models", help="Do not serve its whole list of models (`models: auto`).")
    ] = False,
    no_test: Annotated[bool, typer.Option("--no-test", help="Do not try the key with a free call.")] = False,
) -> None:
    """Ask for a key, try it with a call that costs nothing, and write the provider into the configuration."""
    from gateline.control.appended import NotExtended, section, with_provider

    row = _row(kind)
    name = name or kind
    _refuse_taken(config, name)
    fields = _asked_fields(kind, row, option or [], base_url)
    key = _key(kind, row, api_key_env, is_needed=not no_test)
    checked = _checked(name, fields, key or ("unset" if api_key_env else ""))
    if not no_test and not _is_tried(name, checked, row, config):
        fail("nothing was written: --no-test writes it as it is")
    kept = _kept_key(name, key, api_key_env, key_file, config, plain=plain)
    if kept is not None:
        fields["api_key"] = kept.reference
    if not no_models:
        fields["models"] = "auto"
    try:
        text = config.read_bytes().decode() if config.exists() else ""
        _replace(config, with_provider(text, name, fields))
    except (NotExtended, OSError, UnicodeDecodeError) as error:
        if kept is not None:
            kept.forget()
        shown = section(name, {**fields, **({"api_key": "…"} if plain and key else {})})
        fail(f"{config} was left as it is: {error}. What would stand under `providers`:\n{shown}")
    where = f"; its key is in {kept.path}" if kept is not None and kept.path is not None else ""
    print(f"{config}: provider {name} added{where}" + ("" if no_models else f"; its models are served as {name}/…"))
    print(_next(name, config, no_models=no_models), file=sys.stderr)


def _refuse_taken(config: Path, name: str) -> None:
    """Before a key is asked for, tried and kept."""
    from gateline.control.appended import NotExtended, with_provider

    try:
        with_provider(config.read_bytes().decode() if config.exists() else "", name, {})
    except (NotExtended, OSError, UnicodeDecodeError) as error:
        if f"a provider called {name} already" in str(error):
            fail(f"{config} has a provider called {name} already: edit its section, or give this one another --name")


def _next(name: str, config: Path, *, no_models: bool) -> str:
    """What is left to do."""
    served = f"gateline serve --config {config} (one that runs already reads it on SIGHUP)"
    if not no_models:
        return f"next: {served}; GET /v1/models then lists them"
    model = f"models: {{mine: {{targets: [{{provider: {name}, model: ...}}]}}}}"
    return f"next: name a model in it, as in `{model}`; then {served}"


def _as_object(kind: str, row: Row) -> dict[str, Any]:
    return {
        "kind": kind,
        "title": row.title,
        "speaks": row.speaks,
        "auth": row.auth,
        "issuer": row.issuer or None,
        "options": row.options,
        "base_url": row.base_url or None,
        "docs": row.docs or None,
        "quirks": row.quirks or None,
    }


def _row(kind: str) -> Row:
    from difflib import get_close_matches

    from gateline.control.config import LOCAL_PROVIDER
    from gateline.providers.table import TABLE

    if kind not in TABLE or kind == LOCAL_PROVIDER:
        close = get_close_matches(kind, TABLE, n=1)
        hint = f"did you mean {close[0]}?" if close else "see `gateline providers list`, or use openai-compatible"
        fail(f"there is no kind {kind!a}: {hint}")
    return TABLE[kind]


def _asked_fields(kind: str, row: Row, given: list[str], base_url: str | None) -> dict[str, str]:
    """The section but for key and models, in the order in which it is written; what is missing is asked for."""
    fields = {"kind": kind}
    named = dict(each.split("=", 1) for each in given if "=" in each)
    if len(named) < len(given):
        fail("--option takes FIELD=VALUE, each field once")
    if base_url or not row.base_url:
        fields["base_url"] = base_url or named.pop("base_url", "") or _prompt("base_url", "--base-url")
    for field in row.options:
        if field not in named and not (base_url and f"{{{field}}}" in row.base_url and row.issuer != "aws"):
            named[field] = _prompt(field, f"--option {field}=…")
    return fields | named


def _prompt(field: str, option: str) -> str:
    if not sys.stdin.isatty():
        fail(f"this kind needs {field}: give it with {option}")
    return str(typer.prompt(field, err=True)).strip()


def _key(kind: str, row: Row, variable: str | None, *, is_needed: bool) -> str:
    """The key; empty where the vendor can do without one and none was given."""
    from gateline.providers.selfhosted import SELF_HOSTED

    if variable is not None:
        key = os.environ.get(variable, "")
        if not key and is_needed:
            fail(f"the environment has no {variable}: set it, or do not try the key (--no-test)")
        return key
    may_lack = row.issuer in {"aws", "google", "entra"} or kind in {*SELF_HOSTED, "ollama", "openai-compatible"}
    if sys.stdin.isatty():
        asked = f"API key of {row.title}" + (" (empty: none)" if may_lack else "")
        key = str(typer.prompt(asked, hide_input=True, default="" if may_lack else None, show_default=False, err=True))
    else:
        key = sys.stdin.readline()
    key = key.strip()
    if not key and not may_lack:
        fail("no key was given: it is read from standard input, or from the variable that --api-key-env names")
    return key


def _checked(name: str, fields: Mapping[str, str], key: str) -> ProviderSection:
    """The section as the gateway will read it."""
    from pydantic import ValidationError

    from gateline.control.config import Config
    from gateline.control.crosscheck import cross_check

    values = {"providers": {name: {**fields, **({"api_key": key} if key else {}), "models": "auto"}}}
    try:
        checked = Config.model_validate(values, context={"files": set()})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        if first["loc"][-1] == "[key]":
            fail(f"a provider cannot be called {name!a}: letters, digits, dots, hyphens and underscores, at most 64")
        fail(f"{first['loc'][-1]}: {first['msg'].removeprefix('Value error, ')}")
    found = [(field, words) for path, field, words in cross_check(checked, values) if path[:1] == ("providers",)]
    if found:
        fail(f"{found[0][0].removeprefix(f'providers.{name}.')} {found[0][1]}")
    return checked.providers[name]


def _is_tried(name: str, checked: ProviderSection, row: Row, config: Path) -> bool:
    """Tells what the free call found; false when it found that this will not work."""
    from gateline.control.compile import provider_of
    from gateline.control.config import load
    from gateline.control.mistakes import ConfigMistakes
    from gateline.control.probe import probe
    from gateline.net.egress import EgressPolicy

    try:
        allowed = load(config).egress.allow if config.exists() else ()
    except ConfigMistakes:  # for `gateline check`: a variable that is not set here is no reason not to add a provider
        allowed = ()
    verdict = probe(provider_of(name, checked), row, EgressPolicy(allowed))
    typer.echo(f"{name}: {verdict.words}", err=True)
    return verdict.is_good is not False


class _Kept:
    """A key where the configuration finds it. `reference` stands there for it; `path` is its file, if it has one."""

    def __init__(self, reference: str, path: Path | None = None) -> None:
        self.reference = reference
        self.path = path

    def forget(self) -> None:
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def _kept_key(
    name: str, key: str, variable: str | None, path: Path | None, config: Path, *, plain: bool
) -> _Kept | None:
    if variable is not None:
        return _Kept(f"${{{variable}}}")
    if not key:
        return None
    if plain:
        return _Kept(key)
    path = (path or config.parent / f"{name}.key").absolute()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        fail(f"the key cannot be kept in {path}: {error.strerror}; --key-file names another place")
    with os.fdopen(descriptor, "w") as file:
        file.write(key + "\n")
    return _Kept(f"file:{path}", path)


def _replace(config: Path, text: str) -> None:
    """Whole or not at all; whoever may read the file now may read it then."""
    from gateline.control.compile import write_whole

    path = config.resolve()
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    write_whole(path, text.encode())
    path.chmod(mode)
