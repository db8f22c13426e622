"""Totals of the ledger: what was asked, consumed and paid, by model, key or tenant. Reads the record table only."""

from __future__ import annotations

import time
from typing import Any, Final, Literal

import msgspec
from sqlalchemy import ColumnElement, Engine, and_, case, func, select
from sqlalchemy.orm import InstrumentedAttribute

from gateline.control.units import parse_duration
from gateline.store.sql.records import RecordRow

By = Literal["model", "key", "tenant"]

_COLUMN: Final[dict[By, InstrumentedAttribute[str]]] = {
    "model": RecordRow.model,
    "key": RecordRow.key_id,
    "tenant": RecordRow.tenant,
}


class Total(msgspec.Struct, frozen=True):
    """One group. `errors` of its requests ended in an error; `cost` is the known part, in nano-dollars.

    `unpriced` requests reached a target and nobody knows what they cost; of `unmetered` ones nobody knows what they
    consumed. Where either is above zero the sums are lower bounds.
    """

    name: str
    requests: int
    errors: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    cost: int
    unpriced: int
    unmetered: int


def since_of(text: str | None, now: int | None = None) -> int | None:
    """The moment `text` ("1h", "30m") before `now`, in UTC nanoseconds; None stays None: all time.

    Raises ValueError that says how to write a duration.
    """
    if text is None:
        return None
    return (time.time_ns() if now is None else now) - round(parse_duration(text) * 1e9)


def totals(engine: Engine, since: int | None, by: By) -> list[Total]:
    """Groups of the records that finished at or after `since` (UTC nanoseconds; None: all), the most asked first."""
    group = _COLUMN[by]
    # A call that was refused before any target was asked consumed nothing and cost nothing: that is known.
    tried = func.json_array_length(RecordRow.attempts) > 0
    query = select(
        group,
        func.count(),
        _count(RecordRow.error != ""),
        _sum(RecordRow.input_tokens),
        _sum(RecordRow.output_tokens),
        _sum(RecordRow.cached_tokens),
        _sum(RecordRow.reasoning_tokens),
        _sum(RecordRow.cost),
        _count(and_(RecordRow.cost.is_(None), tried)),
        _count(and_(RecordRow.usage_source == "none", tried)),
    )
    if since is not None:
        query = query.where(RecordRow.finished >= since)
    query = query.group_by(group).order_by(func.count().desc(), group)
    with engine.connect() as connection:
        return [Total(*row) for row in connection.execute(query)]


def _sum(column: InstrumentedAttribute[int | None]) -> ColumnElement[Any]:
    return func.coalesce(func.sum(column), 0)


def _count(condition: ColumnElement[bool]) -> ColumnElement[Any]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)
