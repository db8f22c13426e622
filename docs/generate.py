"""Writes the pages of docs/reference that follow from the code: `python docs/generate.py` (or `make docs`).

A field, error or metric that has no words in `meanings.py`, or words for what is no longer there, is an error: a test
runs this and compares.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from types import NoneType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import typer
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from typer.models import ArgumentInfo

sys.path.insert(0, str(Path(__file__).parent.parent))

from docs import meanings, translation, vendors
from gateline.cli.main import app
from gateline.control.config import Config
from gateline.control.metrics import ColumnsCollector
from gateline.formats.contract import ErrorForm
from gateline.formats.table import ERRORS
from gateline.model import errors
from gateline.model.record import Record
from gateline.store import columns

REFERENCE = Path(__file__).parent / "reference"
_MARK = "<!-- Written by docs/generate.py: change the code or docs/meanings.py, then run `make docs`. -->"
_LIMITED = errors.RateLimited("…")
_SIZES = ((1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB"))


class Gap(Exception):
    """Code and words have parted."""


def pages() -> dict[str, str]:
    """File name → content."""
    return {
        "configuration.md": _configuration(),
        "providers.md": _providers(),
        "translation.md": _page("Translation", *translation.parts(_table, _check)),
        "errors.md": _errors(),
        "ledger.md": _ledger(),
        "metrics.md": _metrics(),
        "commands.md": _commands(),
    }


def _page(title: str, *parts: str) -> str:
    return "\n\n".join([f"# {title}", _MARK, *parts]) + "\n"


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _check(what: str, there: set[str], described: set[str]) -> None:
    if there != described:
        raise Gap(f"{what}: no words for {sorted(there - described)}; words for nothing: {sorted(described - there)}")


# --- configuration ---------------------------------------------------------------------------------------------------


def _configuration() -> str:
    fields = dict(_fields(Config, ""))
    _check("configuration", set(fields), set(meanings.FIELDS))
    rows = [
        (f"`{name}`", _default(name, field), _bounds(field), meanings.FIELDS[name]) for name, field in fields.items()
    ]
    return _page(
        "Configuration",
        "`gateline serve --config gateline.yaml`. Every field is optional; without `models` and `providers` the local "
        "models serve. Unknown fields are mistakes: `gateline check gateline.yaml` names each with its line.",
        "- Sizes: `64KiB`, `32MiB` or bytes. Durations: `500ms`, `10s`, `5m` or seconds.\n"
        "- `${NAME}` and `${NAME:-default}` are replaced from the environment, in values only, after parsing: a value "
        "cannot become structure.\n"
        "- SIGHUP reads the file again. A bad one is refused in one line of the log and the last good one stays in "
        "force; a good one takes over between requests, `logging` included. `server.host`, `port`, `workers`, "
        "`admin_*`, `drain_delay` and `grace` take effect at the next start, and so does turning TLS on or off; a "
        "changed certificate does not wait. A reload that changes such a field names it: `restart_needed`.\n"
        "- `models: auto` serves the whole list of every provider, each model as `provider/model`: see "
        "[models and prices](../how-to/models-and-prices.md).\n"
        "- `models` are those of every tenant: a key's `--tenant` parts keys, limits and records, not models. Which "
        "models a key may use is said with `--models`.",
        _table(("field", "default", "bounds", "meaning"), rows),
        "## Example\n\n```yaml\n"
        "server: {host: 0.0.0.0, port: 8080, workers: 4}\n"
        "providers:\n"
        "  openai: {kind: openai, api_key: ${OPENAI_API_KEY}}\n"
        "  vllm: {kind: openai-compatible, base_url: http://10.0.0.7:8000/v1, timeouts: {first_byte: 30s}}\n"
        "models:\n"
        "  gpt-4o:\n"
        "    targets: [{provider: openai, model: gpt-4o-2024-08-06}]\n"
        "    fallbacks: [house]\n"
        "  house:\n"
        "    targets: [{provider: vllm, model: meta-llama/Llama-3.1-8B-Instruct, price: {input: 0.05, output: 0.08}}]\n"
        "  local-chat:\n"
        "  local-embed:\n```",
    )


def _fields(section: type[BaseModel], prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    """Every field that a file may hold, by its place in it. A section that has a default is shown by its fields."""
    for name, field in section.model_fields.items():
        inner, shape = _inner(field.annotation)
        place = prefix + name + (".NAME" if shape is dict else "")
        if inner is None:
            yield place, field
        elif shape is dict:
            yield from _fields(inner, f"{place}.")
        elif shape is tuple:
            yield place, field
            yield from _fields(inner, f"{place}[].")
        else:
            if field.default is None:
                yield place, field
            yield from _fields(inner, f"{place}.")


def _inner(annotation: Any) -> tuple[type[BaseModel] | None, Any]:
    """The section class inside a field's annotation, and the mapping or list it comes in."""
    shape = get_origin(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, None
    for argument in get_args(annotation):
        found, _ = _inner(argument)
        if found is not None:
            return found, shape if shape in {dict, tuple} else None
    return None, None


def _default(name: str, field: FieldInfo) -> str:
    value = field.default
    if value is PydanticUndefined:
        return "required"
    if name == "server.workers":
        return "one a core"
    if isinstance(value, SecretStr) or value is None or value == ():
        return "–"
    return f"`{_value(name, value)}`"


def _value(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if name.endswith("_bytes"):
        return next(f"{value // size}{unit}" for size, unit in _SIZES if value % size == 0)
    return f"{value:g}s" if isinstance(value, float) else str(value)


def _bounds(field: FieldInfo) -> str:
    low = high = ""
    for rule in _rules(field):
        low = _number(getattr(rule, "ge", None)) or (f"above {_number(rule.gt)}" if hasattr(rule, "gt") else low) or low
        high = _number(getattr(rule, "le", None)) or high
    return f"{low} to {high}" if low and high else low or high


def _rules(field: FieldInfo) -> Iterator[Any]:
    yield from field.metadata
    for argument in get_args(field.annotation):
        for rule in getattr(argument, "__metadata__", ()):
            yield from getattr(rule, "metadata", (rule,))


def _number(value: Any) -> str:
    return "" if value is None else f"{value:,}" if isinstance(value, int | Decimal) else f"{value:g}"


# --- providers -------------------------------------------------------------------------------------------------------


def _providers() -> str:
    return _page(
        "Providers",
        "A `kind` is one vendor: where it lives, what it speaks, with which credential, and what it does otherwise "
        "than the format it speaks says. A call of an operation that the vendor speaks passes as it is; any other is "
        "translated into the first of its kind, and what the vendor is known to refuse is left out and told in "
        "`x-gateline-dropped`. `gateline providers list` prints this table, `gateline providers add KIND` writes the "
        "configuration. What is not here and speaks OpenAI's format is `openai-compatible`: see "
        "[adding a vendor](../how-to/add-a-vendor.md).",
        _table(vendors.HEADS, vendors.rows()),
    )


# --- errors ----------------------------------------------------------------------------------------------------------


def _errors() -> str:
    classes = list(_tree(errors.GatewayError))
    _check("errors", {each.__name__ for each in classes}, set(meanings.ERRORS))
    rows = []
    for each in classes:
        if each in {errors.GatewayError, errors.UpstreamError}:
            continue
        own = (str(each.status), f"`{each.code}`" if each.code else "–", each.type)
        shown = ("the upstream's",) * 3 if each is errors.UpstreamRefused else own
        rows.append((*shown, meanings.ERRORS[each.__name__]))
    return _page(
        "Errors",
        "One tree (`gateline/model/errors.py`) and one table. An answer that is an error has the shape that the called "
        "API gives its errors, so that each SDK raises its own exceptions, and the `x-request-id` under which ledger "
        "and log know the call. One and the same, 429, in each API:",
        _table(("API", "a body"), [(family, _worded(form)) for family, form in ERRORS.items()]),
        "Only OpenAI's shape has fields for code and parameter; the message says the same in words. A stream that has "
        "begun ends in its API's error event, without what ends a whole one (`[DONE]`, `message_stop`, ...); a plain "
        "answer that breaks off after its head ends in a reset connection. Neither can be taken for a whole answer.",
        _table(("status", "code", "type", "what happened, what to do"), rows),
        "## More codes",
        _table(("code", "meaning"), [(f"`{code}`", meaning) for code, meaning in meanings.CODES.items()]),
        "## In the ledger only",
        _table(
            ("`error`", "meaning"),
            [
                ("`client_gone`", "the client left before its answer was handed over; its status is 499"),
                ("`worker_died`", "the worker was killed; usage and cost are unknown"),
            ],
        ),
    )


def _worded(form: ErrorForm) -> str:
    said = [form.write(_LIMITED, "req_…").decode()]
    said += [f"{name.decode()}: {value.decode()}" for name, value in form.headers(_LIMITED)]
    return " with ".join(f"`{each}`" for each in said)


def _tree(root: type[errors.GatewayError]) -> Iterator[type[errors.GatewayError]]:
    yield root
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from _tree(child)


# --- ledger, metrics -------------------------------------------------------------------------------------------------


def _ledger() -> str:
    hints = get_type_hints(Record)
    _check("record", set(hints), set(meanings.RECORD))
    rows = [(f"`{name}`", _kind(hint), meanings.RECORD[name]) for name, hint in hints.items()]
    return _page(
        "The ledger",
        "Exactly one record a call whose caller is known, whatever dies and whenever: in the journal before the "
        "answer's last byte is handed over, in `records` of `gateline.db` moments later. What had no known "
        "caller is counted in `gateline_unknown_caller_responses_total` instead.",
        "Times are UTC nanoseconds since the epoch, durations nanoseconds, money integer nano-dollars (1e-9 USD).",
        _table(("field", "type", "meaning"), rows),
        "`records` is a view: it puts together what the importer keeps apart ([0014](../decisions/0014-calls-kinds-and-"
        "callers.md)). In it `usage` is a column a count (`input_tokens`, ...), NULL when unknown, and `attempts` is "
        "JSON. A record is quickest found by its `id`.",
        "`gateline usage [--since 1h] [--by model|key|tenant] [--json]` prints totals. Where *unpriced* or *unmetered* "
        "is above zero, the sums beside it are lower bounds: unknown is never counted as zero.",
        "The format is a MessagePack array. Fields are only ever added at its end, with a default; `version` then "
        "goes up by one. A reader takes older arrays (the tail has its defaults) and newer ones (the tail is ignored).",
    )


def _kind(hint: Any) -> str:
    if get_origin(hint) is Union or str(type(hint)) == "<class 'types.UnionType'>":
        return " or nothing".join([_kind(arg) for arg in get_args(hint) if arg is not NoneType] + [""])
    if get_origin(hint) is list:
        return "list"
    if get_args(hint):
        return "text"
    return {"str": "text", "bool": "boolean", "int": "integer"}.get(hint.__name__, "object")


def _metrics() -> str:
    cells = bytearray(columns.size(1))
    view = columns.Columns(cells, 1)
    view.worker(0)[columns.row_base(1)] = 1  # one used row, so that the families of rows have a sample to look at
    rows = []
    for family in ColumnsCollector(view, {1: ("model", "target")}).collect():
        labels = sorted({label for sample in family.samples for label in sample.labels} - {"le"})
        name = f"{family.name}_total" if family.type == "counter" else family.name
        shown = ", ".join(f"`{label}`" for label in labels) or "–"
        rows.append((f"`{name}`", family.type, shown, family.documentation))
    return _page(
        "Metrics",
        "`http://ADMIN_HOST:ADMIN_PORT/metrics` (127.0.0.1:8081 unless configured), in Prometheus' text format, summed "
        "over workers. Label values come from the configuration alone: whatever names clients invent, no series is "
        "made. Sums over all rows equal the requests sent. What a killed worker counted since its last tick (0.1 s) "
        "is lost here, never in the ledger.",
        _table(("metric", "type", "labels", "meaning"), rows),
        "The data plane itself answers `GET /livez` and `GET /readyz` on the main port, without a key and without "
        "asking anybody; `/readyz` is 503 from SIGTERM on.",
    )


# --- commands --------------------------------------------------------------------------------------------------------


def _commands() -> str:
    parts = [part for words, function in _functions(app, "gateline") for part in _command(words, function)]
    return _page(
        "Commands",
        "Every command has `--help`; `gateline --version` says which version this is. Exit status: 0 done, 1 not done "
        "(the last line says why and what to do), 2 called wrongly. `--data-dir` falls back to `$GATELINE_DATA`, then "
        "to the platform's own place for data.",
        *parts,
        "## Signals of `gateline serve`",
        _table(
            ("signal", "what happens"),
            [
                ("SIGTERM, SIGINT", "drains and exits 0: see [operating](../how-to/operate.md)"),
                ("the same again", "ends open requests now, each with its error and its record"),
                ("SIGHUP", "reads the configuration again"),
            ],
        ),
    )


def _functions(application: typer.Typer, words: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    for command in application.registered_commands:
        assert command.callback is not None
        yield f"{words} {command.name}", command.callback
    for group in application.registered_groups:
        assert group.typer_instance is not None
        yield from _functions(group.typer_instance, f"{words} {group.name}")


def _command(words: str, function: Callable[..., Any]) -> list[str]:
    hints = get_type_hints(function, include_extras=True)
    usage, rows = words, []
    for name, parameter in inspect.signature(function).parameters.items():
        kind, info = get_args(hints[name])[:2]
        if isinstance(info, ArgumentInfo):
            usage += f" {info.metavar or name.upper()}"
            continue
        named = [info.default, *(info.param_decls or ())]  # in `Annotated`, the first name stands where defaults do
        option = next((each for each in named if isinstance(each, str)), "--" + name.replace("_", "-"))
        rows.append((f"`{option}`", _takes(kind), _option_default(parameter.default), info.help or ""))
    parts = [f"## `{words}`", f"`{usage} [options]`" if rows else f"`{usage}`", inspect.getdoc(function) or ""]
    return [*parts, _table(("option", "takes", "default", "meaning"), rows)] if rows else parts


def _takes(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(kind))
    kinds = [each for each in get_args(kind) or (kind,) if each is not NoneType]
    if get_origin(kinds[0]) is Literal:
        return _takes(kinds[0])
    return {bool: "–", int: "number", float: "number", str: "text"}.get(kinds[0], "path")


def _option_default(value: Any) -> str:
    if value is inspect.Parameter.empty:
        return "required"
    return "–" if value is None or value is False else f"`{value}`"


def main() -> None:
    REFERENCE.mkdir(exist_ok=True)
    for name, text in pages().items():
        (REFERENCE / name).write_text(text)


if __name__ == "__main__":
    main()
