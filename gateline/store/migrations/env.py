"""Alembic's entry: runs the steps on the connection that `migrate` opened, inside its transaction."""

from __future__ import annotations

from alembic import context

from gateline.store.sql import keys, records
from gateline.store.sql.base import Base

_TABLES_OF = (keys, records)  # importing them is what puts their tables on the metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite alters a table by copying it
)
with context.begin_transaction():
    context.run_migrations()
