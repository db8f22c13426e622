"""Recorded traffic as decided sends: Azure's CSV (TIMESTAMP,ContextTokens,GeneratedTokens), Mooncake's JSON lines."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from gateline.bench.plan import Send

MAX_SENDS = 5_000_000


class BadTrace(ValueError):
    """The file is no trace; the message names the line."""


class _Mooncake(msgspec.Struct):
    """`timestamp` in milliseconds."""

    timestamp: float
    input_length: int
    output_length: int


def load_trace(path: Path) -> list[Send]:
    """Times count from the trace's first request. Raises BadTrace, OSError."""
    with path.open(encoding="utf-8", newline="") as file:
        first = file.readline()
        file.seek(0)
        sends = list(_mooncake(file) if first.lstrip().startswith("{") else _azure(file))
    if not sends:
        raise BadTrace(f"{path} holds no request")
    start = min(send.at_ns for send in sends)
    return [Send(send.at_ns - start, send.prompt_tokens, send.max_tokens) for send in sends]


def _mooncake(lines: Iterable[str]) -> Iterable[Send]:
    decode = msgspec.json.Decoder(_Mooncake).decode
    for number, line in enumerate(lines, 1):
        if line.isspace():
            continue
        try:
            row = decode(line)
        except msgspec.DecodeError as error:
            raise BadTrace(f"line {number}: {error}") from error
        yield _bounded(number, Send(int(row.timestamp * 1_000_000), row.input_length, row.output_length))


def _azure(lines: Iterable[str]) -> Iterable[Send]:
    reader = csv.DictReader(lines)
    missing = {"TIMESTAMP", "ContextTokens", "GeneratedTokens"} - set(reader.fieldnames or ())
    if missing:
        raise BadTrace(f"line 1: no column named {', '.join(sorted(missing))}")
    for number, row in enumerate(reader, 2):
        try:
            at = _timestamp(row["TIMESTAMP"])
            yield _bounded(number, Send(at, int(row["ContextTokens"]), int(row["GeneratedTokens"])))
        except (ValueError, TypeError) as error:
            raise BadTrace(f"line {number}: {error}") from error


def _timestamp(text: str) -> int:
    """Nanoseconds since 1970; the trace has seven decimals, one more than datetime reads."""
    moment, _, fraction = text.strip().partition(".")
    digits = fraction[: next((i for i, c in enumerate(fraction) if not c.isdigit()), len(fraction))]
    zone = fraction[len(digits) :]
    parsed = datetime.fromisoformat(moment + zone)
    aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    return int(aware.timestamp()) * 1_000_000_000 + int(digits.ljust(9, "0")[:9])


def _bounded(number: int, send: Send) -> Send:
    if number > MAX_SENDS:
        raise BadTrace(f"line {number}: a trace has at most {MAX_SENDS} requests")
    if send.prompt_tokens < 0 or send.max_tokens < 0:
        raise BadTrace(f"line {number}: tokens cannot be negative")
    return send
