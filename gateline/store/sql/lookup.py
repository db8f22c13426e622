"""Keys by their hash, and changes by their number, with nothing but `sqlite3`.

The control process answers workers from here before it has imported anything heavy, and on: a lookup through the
standard library costs a tenth of one through an ORM.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from gateline.model.key import Key

_COLUMNS = "id, hash, tenant, name, slot, changed, requests_per_minute, concurrency, models, admin, revoked_at"
_BUSY_SECONDS = 1.0
_T = TypeVar("_T")
_CHANGES_AT_ONCE = 1_000


class StoreAway(Exception):
    """The database cannot be read now (locked, gone, damaged): try again later, believe nothing meanwhile."""


@dataclass(frozen=True, slots=True)
class Answers:
    """Keys in the order they were asked for, all true as of change number `changed`."""

    keys: list[Key | None]
    changed: int


class KeyReader:
    """One read-only connection, opened on first use and again after an error. Used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def by_hashes(self, hashes: Sequence[bytes]) -> Answers:
        """Raises StoreAway."""
        return self._read(lambda connection: _by_hashes(connection, hashes), Answers([None] * len(hashes), 0))

    def changes_after(self, changed: int) -> list[Key]:
        """Keys whose last change is younger than `changed`, in the order of the changes, at most 1,000. A key that
        changed twice is here once: its newest version says all. Raises StoreAway."""
        query = f"SELECT {_COLUMNS} FROM keys WHERE changed > ? ORDER BY changed LIMIT {_CHANGES_AT_ONCE}"  # noqa: S608 constants
        return self._read(lambda connection: [_key(row) for row in connection.execute(query, (changed,))], [])

    def last_change(self) -> int:
        """Raises StoreAway."""
        return self._read(_last_change, 0)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _read(self, query: Callable[[sqlite3.Connection], _T], nothing: _T) -> _T:
        """`nothing` is the truth of a database without tables, which is how one begins: there are no keys in it. A
        file that is not there says nothing: what cannot be opened is away."""
        try:
            connection = self._open()
            connection.execute("BEGIN")
            try:
                return query(connection)
            finally:
                connection.execute("COMMIT")
        except (sqlite3.Error, ValueError) as error:  # ValueError: a row that no version of this program wrote
            if "no such table" in str(error):
                return nothing
            self.close()
            raise StoreAway(str(error)) from error

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = sqlite3.connect(
                f"{self._path.as_uri()}?mode=ro",
                uri=True,
                timeout=_BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
        return self._connection


def _last_change(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT last FROM key_changes WHERE id = 1").fetchone()
    return int(row[0]) if row else 0


def _by_hashes(connection: sqlite3.Connection, hashes: Sequence[bytes]) -> Answers:
    query = f"SELECT {_COLUMNS} FROM keys WHERE hash = ?"  # noqa: S608 constants
    rows = [connection.execute(query, (hashed,)).fetchone() for hashed in hashes]
    return Answers([None if row is None else _key(row) for row in rows], _last_change(connection))


def _key(row: tuple[Any, ...]) -> Key:
    key_id, hashed, tenant, name, slot, changed, requests_per_minute, concurrency, models, admin, revoked_at = row
    return Key(
        id=key_id,
        hash=hashed,
        tenant=tenant,
        name=name,
        slot=slot,
        changed=changed,
        requests_per_minute=requests_per_minute,
        concurrency=concurrency,
        models=None if models is None else tuple(json.loads(models)),
        admin=bool(admin),
        revoked=revoked_at is not None,
    )
