"""The first schema: keys and the counter of their changes, the ledger and the importer's places."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _keys()
    _records()
    _segments()


def _keys() -> None:
    op.create_table(
        "key_changes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "keys",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("requests_per_minute", sa.Integer(), nullable=True),
        sa.Column("concurrency", sa.Integer(), nullable=True),
        sa.Column("models", sa.Text(), nullable=True),
        sa.Column("admin", sa.Boolean(), nullable=False),
        sa.Column("created", sa.Integer(), nullable=False),
        sa.Column("revoked_at", sa.Integer(), nullable=True),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("changed"),
        sa.UniqueConstraint("hash"),
        sa.UniqueConstraint("slot"),
    )
    op.execute("INSERT INTO key_changes (id, last) VALUES (1, 0)")


def _records() -> None:
    op.create_table(
        "kinds",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("operation", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("stream", sa.Boolean(), nullable=False),
        sa.Column("client_gone", sa.Boolean(), nullable=False),
        sa.Column("usage_source", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint(
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
    op.create_table(
        "callers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("tenant", "key_id", name="uq_callers"),
    )
    op.create_table(
        "calls",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("caller", sa.Integer(), nullable=False),
        sa.Column("started", sa.BigInteger(), nullable=False),
        sa.Column("first_byte", sa.BigInteger(), nullable=False),
        sa.Column("finished", sa.BigInteger(), nullable=False),
        sa.Column("overhead", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Text(), nullable=True),
        sa.Column("attempt_started", sa.BigInteger(), nullable=True),
        sa.Column("attempt_duration", sa.BigInteger(), nullable=True),
        sa.Column("input_tokens", sa.BigInteger(), nullable=True),
        sa.Column("output_tokens", sa.BigInteger(), nullable=True),
        sa.Column("cached_tokens", sa.BigInteger(), nullable=True),
        sa.Column("reasoning_tokens", sa.BigInteger(), nullable=True),
        sa.Column("cost", sa.BigInteger(), nullable=True),
        sa.Column("bytes_in", sa.BigInteger(), nullable=False),
        sa.Column("bytes_out", sa.BigInteger(), nullable=False),
        sa.Column("queue", sa.BigInteger(), nullable=False),
        sa.Column("connect", sa.BigInteger(), nullable=False),
        sa.Column("engine_cpu", sa.BigInteger(), nullable=False),
        sa.Column("gateway_cpu", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("id"),
    )
    op.create_table(
        "blocks",
        sa.Column("block", sa.Integer(), nullable=False),
        sa.Column("latest", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("block"),
    )
    op.execute(_RECORDS)


_RECORDS = """
CREATE VIEW records AS
SELECT calls.id, kinds.version, callers.tenant, callers.key_id, kinds.operation, kinds.model, kinds.target,
    kinds.status, kinds.error, kinds.stream, kinds.client_gone,
    calls.started, calls.first_byte, calls.finished, calls.overhead,
    coalesce(calls.attempts, json_array(json_object(
        'target', kinds.target, 'status', kinds.status, 'error', kinds.error,
        'started', calls.attempt_started, 'duration', calls.attempt_duration,
        'usage', json(CASE WHEN calls.input_tokens IS NOT NULL THEN json_object(
            'input', calls.input_tokens, 'output', calls.output_tokens,
            'cached', calls.cached_tokens, 'reasoning', calls.reasoning_tokens) END),
        'usage_source', kinds.usage_source, 'cost', calls.cost))) AS attempts,
    calls.input_tokens, calls.output_tokens, calls.cached_tokens, calls.reasoning_tokens, kinds.usage_source,
    calls.cost, calls.bytes_in, calls.bytes_out, calls.queue, calls.connect, calls.engine_cpu, calls.gateway_cpu
FROM calls JOIN kinds ON kinds.id = calls.kind JOIN callers ON callers.id = calls.caller
"""


def _segments() -> None:
    op.create_table(
        "offsets",
        sa.Column("segment", sa.String(), nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("segment"),
    )
    op.create_table(
        "unreadable",
        sa.Column("segment", sa.String(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("segment", "place"),
    )
