"""Sizes and durations as people write them: `32MiB`, `500ms`, `10s`, `5m`. Pure."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator

_SIZE = re.compile(r"([0-9]{1,12})\s*([A-Za-z]*)\Z")
_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)\s*([a-z]*)\Z")
_SIZE_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
_DURATION_UNITS = {"": "1", "ms": "0.001", "s": "1", "m": "60", "h": "3600"}


def parse_size(value: Any) -> int:
    """Bytes. Raises ValueError that says how to write one."""
    match = _SIZE.match(value.strip()) if isinstance(value, str) else None
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if match is None or match[2].upper() not in _SIZE_UNITS:
        raise ValueError("must be a size such as 64KiB, 32MiB or a number of bytes")
    return int(match[1]) * _SIZE_UNITS[match[2].upper()]


def parse_duration(value: Any) -> float:
    """Seconds. Raises ValueError that says how to write one."""
    text = str(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else value
    match = _DURATION.match(text.strip()) if isinstance(text, str) else None
    if match is None or match[2] not in _DURATION_UNITS:
        raise ValueError("must be a duration such as 500ms, 10s, 5m or a number of seconds")
    return float(Decimal(match[1]) * Decimal(_DURATION_UNITS[match[2]]))


Size = Annotated[int, BeforeValidator(parse_size)]
Duration = Annotated[float, BeforeValidator(parse_duration)]
