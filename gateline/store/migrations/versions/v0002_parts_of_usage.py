"""Parts of usage that vendors price apart: written to the prompt cache, sound, pictures. Rows of before have NULL."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_COLUMNS = (
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "input_image_tokens",
    "output_image_tokens",
    "cached_audio_tokens",
)


def upgrade() -> None:
    op.execute("DROP VIEW records")
    for name in _COLUMNS:  # each changes the schema alone: no row is rewritten, however many there are
        op.add_column("calls", sa.Column(name, sa.BigInteger(), nullable=True))
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
