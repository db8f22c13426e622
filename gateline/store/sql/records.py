"""Tables of the ledger: the records, how far each journal segment is imported, and payloads nobody could read."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import JSON, BigInteger, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from gateline.model.record import Attempt, Record
from gateline.store.sql.base import Base


class RecordRow(Base):
    """One call. Times are UTC nanoseconds since the epoch, durations nanoseconds, cost nano-dollars, NULL unknown."""

    __tablename__ = "records"
    __table_args__ = (
        Index("ix_records_finished", "finished"),
        Index("ix_records_key_id_finished", "key_id", "finished"),
        Index("ix_records_model_finished", "model", "finished"),
    )

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


def values_of(record: Record) -> tuple[Any, ...]:
    """The record as a row for the driver, in the order of the table's columns: the importer's hot path."""
    usage = record.usage
    tokens = (None, None, None, None) if usage is None else (usage.input, usage.output, usage.cached, usage.reasoning)
    return (
        record.id,
        record.version,
        record.tenant,
        record.key_id,
        record.operation,
        record.model,
        record.target,
        record.status,
        record.error,
        record.stream,
        record.client_gone,
        record.started,
        record.first_byte,
        record.finished,
        record.overhead,
        _attempts_json(record.attempts),
        *tokens,
        record.usage_source,
        record.cost,
        record.bytes_in,
        record.bytes_out,
        record.queue,
        record.connect,
        record.engine_cpu,
        record.gateway_cpu,
    )


def _attempts_json(attempts: list[Attempt]) -> str:
    """Objects with named fields, for whoever reads the table; in the journal they are arrays."""
    return msgspec.json.encode([_attempt_dict(attempt) for attempt in attempts]).decode()


def _attempt_dict(attempt: Attempt) -> dict[str, Any]:
    named = msgspec.structs.asdict(attempt)
    if attempt.usage is not None:
        named["usage"] = msgspec.structs.asdict(attempt.usage)
    return named
