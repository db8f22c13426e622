"""Values as YAML that our reader reads back as they were, and variables as they are written. Knows no field."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

VARIABLE: Final = re.compile(r"\$\{[^}\n]*\}")
INDENT: Final = "  "
_PLAIN: Final = re.compile(r"[A-Za-z0-9_./+][A-Za-z0-9_./@:+-]*(?<!:)")
_NOT_TEXT: Final = re.compile(r"[-+.0-9_eExXoO]*|~|null|true|false|yes|no|on|off", re.IGNORECASE)


class AsWritten(Mapping[str, str]):
    """An environment that has every variable, whose value is how it is written: `${NAME}`."""

    def __getitem__(self, name: str) -> str:
        return f"${{{name}}}"

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def scalar(value: object) -> str:
    """Plain where YAML reads plain text as what it is, else quoted; a variable stands by itself."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, int):
        return str(value)
    text = str(value)
    if VARIABLE.fullmatch(text) or (_PLAIN.fullmatch(text) and not _NOT_TEXT.fullmatch(text)):
        return text
    return "'" + text.replace("'", "''") + "'"


def block(values: Mapping[str, Any], indent: str = "") -> str:
    """Fields a line each; what is inside of them is indented, and a list's items are one line each."""
    lines: list[str] = []
    for name, value in values.items():
        start = f"{indent}{scalar(name)}:"
        if isinstance(value, Mapping):
            lines.append(f"{start}\n{block(value, indent + INDENT)}")
        elif isinstance(value, list):
            items = [f"{indent}{INDENT}- {flow(item)}\n" for item in value]
            lines.append(f"{start}\n{''.join(items)}")
        else:
            lines.append(f"{start} {scalar(value)}\n")
    return "".join(lines)


def flow(value: Any) -> str:
    """On one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(name)}: {flow(each)}" for name, each in value.items()) + "}"
    return scalar(value)
