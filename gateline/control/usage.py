"""Totals of the ledger: what was asked, consumed and paid, by model, key or tenant. Reads the record table only."""

from __future__ import annotations

import time
from typing import Any, Final, Literal

import msgspec
from sqlalchemy import ColumnElement, Engine, Select, and_, case, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from gateline.control.units import parse_duration
from gateline.store.sql.records import BLOCK_BITS, BlockRow, CallerRow, CallRow, KindRow

By = Literal["model", "key", "tenant"]

_COLUMN: Final[dict[By, InstrumentedAttribute[str]]] = {
    "model": KindRow.model,
    "key": CallerRow.key_id,
    "tenant": CallerRow.tenant,
}
_SUMMED: Final[tuple[InstrumentedAttribute[int | None], ...]] = (
    CallRow.input_tokens,
    CallRow.output_tokens,
    CallRow.cached_tokens,
    CallRow.reasoning_tokens,
    CallRow.cost,
    CallRow.cache_write_tokens,
    CallRow.cache_write_1h_tokens,
    CallRow.input_audio_tokens,
    CallRow.output_audio_tokens,
    CallRow.input_image_tokens,
    CallRow.output_image_tokens,
    CallRow.cached_audio_tokens,
)


class Total(msgspec.Struct, frozen=True):
    """One group. `errors` of its requests ended in an error; `cost` is the known part, in nano-dollars.

    `unpriced` requests reached a target and nobody knows what they cost; of `unmetered` ones nobody knows what they
    consumed. Where either is above zero the sums are lower bounds. What cost nothing, since a target could not be
    reached or refused the call, is neither.
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
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    input_audio_tokens: int = 0
    output_audio_tokens: int = 0
    input_image_tokens: int = 0
    output_image_tokens: int = 0
    cached_audio_tokens: int = 0


def since_of(text: str | None, now: int | None = None) -> int | None:
    """The moment `text` ("1h", "30m") before `now`, in UTC nanoseconds; None stays None: all time.

    Raises ValueError that says how to write a duration.
    """
    if text is None:
        return None
    return (time.time_ns() if now is None else now) - round(parse_duration(text) * 1e9)


def totals(engine: Engine, since: int | None, by: By) -> list[Total]:
    """Groups of the records that finished at or after `since` (UTC nanoseconds; None: all), the most asked first."""
    sums = _sums(since).subquery()
    name = _COLUMN[by]
    added = {column.name: func.sum(column) for column in sums.c if column.name not in {"kind", "caller"}}
    requests = added["requests"]
    added["errors"] = func.sum(case((KindRow.error != "", sums.c.requests), else_=0))
    added["unmetered"] = func.sum(case((KindRow.usage_source == "none", sums.c.billed), else_=0))
    query = (
        select(name, *(added[field] for field in Total.__struct_fields__[1:]))
        .join_from(sums, KindRow, KindRow.id == sums.c.kind)
        .join(CallerRow, CallerRow.id == sums.c.caller)
        .group_by(name)
        .order_by(requests.desc(), name)
    )
    with engine.connect() as connection:
        return [Total(*row) for row in connection.execute(query)]


def _sums(since: int | None) -> Select[Any]:
    """Sums of the calls by the numbers of their kind and caller, which costs less than by their names: those are then
    looked at once a group. `billed` counts the calls that are not known to have cost nothing."""
    # A call that was refused before any target was asked consumed nothing and cost nothing: that is known.
    tried = or_(CallRow.attempts.is_(None), CallRow.attempts != "[]")
    query = select(
        CallRow.kind,
        CallRow.caller,
        func.count().label("requests"),
        *(_sum(column) for column in _SUMMED),
        _count(and_(CallRow.cost.is_(None), tried)).label("unpriced"),
        _count(and_(tried, or_(CallRow.cost.is_(None), CallRow.cost != 0))).label("billed"),
    )
    if since is not None:
        first = select(func.min(BlockRow.block)).where(BlockRow.latest >= since).scalar_subquery()
        query = query.where(CallRow.number >= first.op("<<")(BLOCK_BITS), CallRow.finished >= since)
    return query.group_by(CallRow.kind, CallRow.caller)


def _sum(column: InstrumentedAttribute[int | None]) -> ColumnElement[Any]:
    return func.coalesce(func.sum(column), 0).label(column.key)


def _count(condition: ColumnElement[bool]) -> ColumnElement[Any]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)
