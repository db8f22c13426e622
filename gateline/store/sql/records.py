"""Tables of the ledger, made for the importer, and the view `records`, made for whoever reads.

What many calls have in common is written once: a call is a row of numbers that names its `kinds` and `callers` row.
The view puts a record together again, field by field as `model.record` has it, `attempts` as JSON.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import DDL, BigInteger, LargeBinary, Text, UniqueConstraint, event
from sqlalchemy.orm import Mapped, mapped_column

from gateline.store.sql.base import Base

BLOCK_BITS: Final = 12  # of a call's number: 4,096 calls are a block


class KindRow(Base):
    """What a call was, as far as many calls have been the same. Few rows: the configuration and the errors bound
    them."""

    __tablename__ = "kinds"
    __table_args__ = (
        UniqueConstraint(
            "version",
            "operation",
            "model",
            "target",
            "status",
            "error",
            "stream",
            "client_gone",
            "usage_source",
            name="uq_kinds",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int]
    operation: Mapped[str]
    model: Mapped[str]
    target: Mapped[str]
    status: Mapped[int]
    error: Mapped[str]
    stream: Mapped[bool]
    client_gone: Mapped[bool]
    usage_source: Mapped[str]


class CallerRow(Base):
    """Whose key a call was made with: a row for each key that was ever used."""

    __tablename__ = "callers"
    __table_args__ = (UniqueConstraint("tenant", "key_id", name="uq_callers"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant: Mapped[str]
    key_id: Mapped[str]


class CallRow(Base):
    """One call. Times are UTC nanoseconds since the epoch, durations nanoseconds, cost nano-dollars, NULL unknown.

    `number` counts up in the order of import. `attempts` is NULL where the only attempt had the target, status, error,
    usage and cost of the call itself, as nearly every one has: then only its times are kept beside it.
    """

    # No index on times: `blocks` serves questions by time, and costs a row for 4,096 calls instead of one for each.
    __tablename__ = "calls"

    number: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[int]
    caller: Mapped[int]
    started: Mapped[int] = mapped_column(BigInteger)
    first_byte: Mapped[int] = mapped_column(BigInteger)
    finished: Mapped[int] = mapped_column(BigInteger)
    overhead: Mapped[int] = mapped_column(BigInteger)
    attempts: Mapped[str | None] = mapped_column(Text)
    attempt_started: Mapped[int | None] = mapped_column(BigInteger)
    attempt_duration: Mapped[int | None] = mapped_column(BigInteger)
    input_tokens: Mapped[int | None] = mapped_column(BigInteger)
    output_tokens: Mapped[int | None] = mapped_column(BigInteger)
    cached_tokens: Mapped[int | None] = mapped_column(BigInteger)
    reasoning_tokens: Mapped[int | None] = mapped_column(BigInteger)
    cost: Mapped[int | None] = mapped_column(BigInteger)
    bytes_in: Mapped[int] = mapped_column(BigInteger)
    bytes_out: Mapped[int] = mapped_column(BigInteger)
    queue: Mapped[int] = mapped_column(BigInteger)
    connect: Mapped[int] = mapped_column(BigInteger)
    engine_cpu: Mapped[int] = mapped_column(BigInteger)
    gateway_cpu: Mapped[int] = mapped_column(BigInteger)
    cache_write_tokens: Mapped[int | None] = mapped_column(BigInteger)
    cache_write_1h_tokens: Mapped[int | None] = mapped_column(BigInteger)
    input_audio_tokens: Mapped[int | None] = mapped_column(BigInteger)
    output_audio_tokens: Mapped[int | None] = mapped_column(BigInteger)
    input_image_tokens: Mapped[int | None] = mapped_column(BigInteger)
    output_image_tokens: Mapped[int | None] = mapped_column(BigInteger)
    cached_audio_tokens: Mapped[int | None] = mapped_column(BigInteger)


class BlockRow(Base):
    """The latest `finished` among the calls of one block (`number >> BLOCK_BITS`): who asks for calls since a moment
    reads from the first block on that holds one, and skips all before."""

    __tablename__ = "blocks"

    block: Mapped[int] = mapped_column(primary_key=True)
    latest: Mapped[int] = mapped_column(BigInteger)


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


RECORDS_VIEW: Final = """
CREATE VIEW records AS
SELECT calls.id, kinds.version, callers.tenant, callers.key_id, kinds.operation, kinds.model, kinds.target,
    kinds.status, kinds.error, kinds.stream, kinds.client_gone,
    calls.started, calls.first_byte, calls.finished, calls.overhead,
    coalesce(calls.attempts, json_array(json_object(
        'target', kinds.target, 'status', kinds.status, 'error', kinds.error,
        'started', calls.attempt_started, 'duration', calls.attempt_duration,
        'usage', json(CASE WHEN calls.input_tokens IS NOT NULL THEN json_object(
            'input', calls.input_tokens, 'output', calls.output_tokens,
            'cached', calls.cached_tokens, 'reasoning', calls.reasoning_tokens,
            'cache_write', coalesce(calls.cache_write_tokens, 0),
            'cache_write_1h', coalesce(calls.cache_write_1h_tokens, 0),
            'input_audio', coalesce(calls.input_audio_tokens, 0),
            'output_audio', coalesce(calls.output_audio_tokens, 0),
            'input_image', coalesce(calls.input_image_tokens, 0),
            'output_image', coalesce(calls.output_image_tokens, 0),
            'cached_audio', coalesce(calls.cached_audio_tokens, 0)) END),
        'usage_source', kinds.usage_source, 'cost', calls.cost))) AS attempts,
    calls.input_tokens, calls.output_tokens, calls.cached_tokens, calls.reasoning_tokens,
    calls.cache_write_tokens, calls.cache_write_1h_tokens, calls.input_audio_tokens, calls.output_audio_tokens,
    calls.input_image_tokens, calls.output_image_tokens, calls.cached_audio_tokens, kinds.usage_source,
    calls.cost, calls.bytes_in, calls.bytes_out, calls.queue, calls.connect, calls.engine_cpu, calls.gateway_cpu
FROM calls JOIN kinds ON kinds.id = calls.kind JOIN callers ON callers.id = calls.caller
"""

event.listen(Base.metadata, "after_create", DDL(RECORDS_VIEW))  # type: ignore[no-untyped-call]
