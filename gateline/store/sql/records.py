"""Tables of the ledger: the records, how far each journal segment is imported, and payloads nobody could read."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import astuple, fields
from sqlalchemy import JSON, BigInteger, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from gateline.model.record import Attempt, Record
from gateline.model.usage import Usage
from gateline.store.sql.base import Base


class RecordRow(Base):
    """One call. Times are UTC nanoseconds since the epoch, durations nanoseconds, cost nano-dollars, NULL unknown."""

    __tablename__ = "records"
    # One index: each costs the importer as much again as a tenth of the row, and totals are asked for by time.
    __table_args__ = (Index("ix_records_finished", "finished"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    tenant: Mapped[str]
    key_id: Mapped[str]
    operation: Mapped[str]
    model: Mapped[str]
    target: Mapped[str]
    status: Mapped[int]
    error: Mapped[str]
    stream: Mapped[bool]
    client_gone: Mapped[bool]
    started: Mapped[int] = mapped_column(BigInteger)
    first_byte: Mapped[int] = mapped_column(BigInteger)
    finished: Mapped[int] = mapped_column(BigInteger)
    overhead: Mapped[int] = mapped_column(BigInteger)
    attempts: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    input_tokens: Mapped[int | None] = mapped_column(BigInteger)
    output_tokens: Mapped[int | None] = mapped_column(BigInteger)
    cached_tokens: Mapped[int | None] = mapped_column(BigInteger)
    reasoning_tokens: Mapped[int | None] = mapped_column(BigInteger)
    usage_source: Mapped[str]
    cost: Mapped[int | None] = mapped_column(BigInteger)
    bytes_in: Mapped[int] = mapped_column(BigInteger)
    bytes_out: Mapped[int] = mapped_column(BigInteger)
    queue: Mapped[int] = mapped_column(BigInteger)
    connect: Mapped[int] = mapped_column(BigInteger)
    engine_cpu: Mapped[int] = mapped_column(BigInteger)
    gateway_cpu: Mapped[int] = mapped_column(BigInteger)


class OffsetRow(Base):
    """The importer's place in one segment, moved on in the transaction that stored the records before it."""

    __tablename__ = "offsets"

    segment: Mapped[str] = mapped_column(primary_key=True)
    next_offset: Mapped[int] = mapped_column(BigInteger)


class UnreadableRow(Base):
    """A payload that is whole and yet no record this program can read: kept, so that nothing is lost silently.

    `place` is the offset of its batch in the segment plus its number in the batch."""

    __tablename__ = "unreadable"

    segment: Mapped[str] = mapped_column(primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True)
    payload: Mapped[bytes] = mapped_column(LargeBinary)


# The same fields, but written to JSON with their names.
_NamedUsage = msgspec.defstruct("_NamedUsage", [field.name for field in fields(Usage)])
_NamedAttempt = msgspec.defstruct("_NamedAttempt", [field.name for field in fields(Attempt)])
_USAGE = [field.name for field in fields(Attempt)].index("usage")
_NO_TOKENS = (None, None, None, None)
_encode = msgspec.json.Encoder().encode


def values_of(record: Record) -> tuple[Any, ...]:
    """The record as a row for the driver, in the order of the table's columns: the importer's hot path."""
    version, id_, *head = (values := astuple(record))[:_ATTEMPTS]
    usage = record.usage
    tokens = _NO_TOKENS if usage is None else astuple(usage)
    return (id_, version, *head, _attempts_json(record.attempts), *tokens, *values[_ATTEMPTS + 2 :])


_ATTEMPTS = [field.name for field in fields(Record)].index("attempts")  # `usage` follows, as four columns here


def _attempts_json(attempts: list[Attempt]) -> str:
    """Objects with named fields, for whoever reads the table; in the journal they are arrays."""
    return _encode([_named(attempt) for attempt in attempts]).decode()


def _named(attempt: Attempt) -> object:
    values = astuple(attempt)
    usage = attempt.usage
    if usage is not None:
        values = (*values[:_USAGE], _NamedUsage(*astuple(usage)), *values[_USAGE + 1 :])
    return _NamedAttempt(*values)
