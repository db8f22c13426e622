"""Writes records into the ledger's tables: the importer's hot path, plain tuples for the driver. Knows no journal."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

import msgspec
from msgspec.structs import astuple, fields
from sqlalchemy import Connection

from gateline.model.record import Attempt, Record
from gateline.model.usage import Usage
from gateline.store.sql.records import BLOCK_BITS, CallerRow, CallRow, KindRow

_MOST_KNOWN: Final = 65_536  # rows of the two dictionaries kept in memory, each; beyond it they are asked for again

_KIND: Final = tuple(column.name for column in KindRow.__table__.columns if column.name != "id")
_CALLER: Final = tuple(column.name for column in CallerRow.__table__.columns if column.name != "id")
_CALL: Final = tuple(column.name for column in CallRow.__table__.columns if column.name != "number")
_FIRST_TOKENS: Final = 4  # counts of the first schema, which stand before `cost`; the others are the last columns
# Its tier has done its work once there is a cost, or none.
_COUNTS: Final = [field.name for field in fields(Usage) if field.name != "tier"]
_NO_TOKENS: Final = (None,) * len(_COUNTS)

# The same fields, but written to JSON with their names.
_NamedUsage = msgspec.defstruct("_NamedUsage", _COUNTS)
_NamedAttempt = msgspec.defstruct("_NamedAttempt", [field.name for field in fields(Attempt)])
_USAGE: Final = [field.name for field in fields(Attempt)].index("usage")
_encode = msgspec.json.Encoder().encode


def _insert_sql(table: str, columns: tuple[str, ...]) -> str:
    marks = ", ".join("?" * len(columns))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks}) ON CONFLICT DO NOTHING"  # noqa: S608 constants


_INSERT_CALL: Final = _insert_sql("calls", _CALL)
_LAST_NUMBER: Final = "SELECT coalesce(max(number), 0) FROM calls"
_MARK_BLOCK: Final = (
    "INSERT INTO blocks (block, latest) VALUES (?, ?) "
    "ON CONFLICT (block) DO UPDATE SET latest = max(latest, excluded.latest)"
)


class Intake:
    """Remembers which rows of the dictionaries it has met. Used by one thread at a time, and by one process at a time
    on a database: the caller holds the importers' lock."""

    def __init__(self) -> None:
        self._kinds = _Dictionary("kinds", _KIND)
        self._callers = _Dictionary("callers", _CALLER)

    def insert(self, connection: Connection, records: list[Record]) -> None:
        """Adds the records whose ids are not there yet, in the caller's transaction. After a transaction that was
        rolled back, call `forget`: it had made rows that are remembered here."""
        if not records:
            return
        driver: Any = connection.connection
        cursor: sqlite3.Cursor = driver.cursor()
        self._kinds.use(cursor)
        self._callers.use(cursor)
        rows = [self._row(record) for record in records]
        (before,) = cursor.execute(_LAST_NUMBER).fetchone()
        cursor.executemany(_INSERT_CALL, rows)
        (after,) = cursor.execute(_LAST_NUMBER).fetchone()
        latest = max(record.finished for record in records)
        blocks = range((before + 1) >> BLOCK_BITS, (after >> BLOCK_BITS) + 1)
        cursor.executemany(_MARK_BLOCK, [(block, latest) for block in blocks])
        cursor.close()

    def forget(self) -> None:
        self._kinds.clear()
        self._callers.clear()

    def _row(self, record: Record) -> tuple[Any, ...]:
        """In the order of `_CALL`."""
        kind = (
            record.version,
            record.operation,
            record.model,
            record.target,
            record.status,
            record.error,
            record.stream,
            record.client_gone,
            record.usage_source,
        )
        attempts = record.attempts
        usage = record.usage
        if len(attempts) == 1 and _is_all(attempts[0], record):
            attempt = attempts[0]
            tried: tuple[str | None, int | None, int | None] = (None, attempt.started, attempt.duration)
        else:
            tried = (_attempts_json(attempts), None, None)
        tokens = _NO_TOKENS if usage is None else astuple(usage)[:-1]
        return (
            record.id,
            self._kinds[kind],
            self._callers[record.tenant, record.key_id],
            record.started,
            record.first_byte,
            record.finished,
            record.overhead,
            *tried,
            *tokens[:_FIRST_TOKENS],
            record.cost,
            record.bytes_in,
            record.bytes_out,
            record.queue,
            record.connect,
            record.engine_cpu,
            record.gateway_cpu,
            *tokens[_FIRST_TOKENS:],
        )


class _Dictionary(dict[tuple[Any, ...], int]):
    """The ids of a dictionary table's rows by their values. A row that is not there yet is made."""

    def __init__(self, table: str, columns: tuple[str, ...]) -> None:
        same = " AND ".join(f"{column} = ?" for column in columns)
        self._insert = _insert_sql(table, columns)
        self._select = f"SELECT id FROM {table} WHERE {same}"  # noqa: S608 constants
        self._cursor: sqlite3.Cursor | None = None

    def use(self, cursor: sqlite3.Cursor) -> None:
        """Ask through this cursor from now on."""
        self._cursor = cursor

    def __missing__(self, values: tuple[Any, ...]) -> int:
        assert self._cursor is not None
        if len(self) >= _MOST_KNOWN:
            self.clear()
        self._cursor.execute(self._insert, values)
        (number,) = self._cursor.execute(self._select, values).fetchone()
        self[values] = number
        return int(number)


def _is_all(attempt: Attempt, record: Record) -> bool:
    """Whether the attempt says nothing but its times that its record does not say as well."""
    return (
        attempt.cost == record.cost
        and attempt.usage == record.usage
        and attempt.target == record.target
        and attempt.status == record.status
        and attempt.error == record.error
        and attempt.usage_source == record.usage_source
    )


def _attempts_json(attempts: list[Attempt]) -> str:
    """Objects with named fields, for whoever reads the table; in the journal they are arrays."""
    return _encode([_named(attempt) for attempt in attempts]).decode()


def _named(attempt: Attempt) -> object:
    values = astuple(attempt)
    usage = attempt.usage
    if usage is not None:
        values = (*values[:_USAGE], _NamedUsage(*astuple(usage)[:-1]), *values[_USAGE + 1 :])
    return _NamedAttempt(*values)
