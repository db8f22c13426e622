"""The declarative base of all tables and the way the embedded database is opened."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.orm import DeclarativeBase

_BUSY_TIMEOUT_MS = 5_000


class Base(DeclarativeBase):
    """Every table hangs on its metadata; migrations read it."""


def connect(path: Path) -> Engine:
    """An engine for the SQLite file at `path`; nothing is opened before its first use.

    WAL lets readers and one writer work side by side. `synchronous=FULL`: a commit is on the disk when it returns,
    because journal segments are deleted and revocations acknowledged on the strength of it.
    """
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": _BUSY_TIMEOUT_MS / 1000})
    event.listen(engine, "connect", _set_pragmas)
    return engine


def _set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    cursor = connection.cursor()
    try:
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
    finally:
        cursor.close()
