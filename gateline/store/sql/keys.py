"""The keys and the counter that numbers their changes. Every change of any key takes the next number."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Boolean,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    Row,
    String,
    Text,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from gateline.model.key import Key
from gateline.store.sql.base import Base

MAX_SLOTS = 1_048_576


class KeyRow(Base):
    """`created` and `revoked_at` are UTC seconds; `models` is a JSON list or null for all."""

    __tablename__ = "keys"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    hash: Mapped[bytes] = mapped_column(LargeBinary(16), unique=True)
    tenant: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(200))
    slot: Mapped[int] = mapped_column(Integer, unique=True)
    requests_per_minute: Mapped[int | None] = mapped_column(Integer)
    concurrency: Mapped[int | None] = mapped_column(Integer)
    models: Mapped[str | None] = mapped_column(Text)
    admin: Mapped[bool] = mapped_column(Boolean)
    created: Mapped[int] = mapped_column(Integer)
    revoked_at: Mapped[int | None] = mapped_column(Integer)
    changed: Mapped[int] = mapped_column(Integer, unique=True)


class KeyCounter(Base):
    """One row: the number of the last change. Kept apart so that it never goes back, whatever happens to keys."""

    __tablename__ = "key_changes"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    last: Mapped[int] = mapped_column(Integer)


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as its owner sees it in a list."""

    key: Key
    created: int
    revoked_at: int | None


@dataclass(frozen=True, slots=True)
class NewKey:
    id: str
    hash: bytes
    tenant: str
    name: str
    requests_per_minute: int | None = None
    concurrency: int | None = None
    models: tuple[str, ...] | None = None
    admin: bool = False


class NoSlotLeft(RuntimeError):
    """All places in the shared limit columns are taken: 1,048,576 keys were created in this data directory."""


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that takes the write lock at once: what it reads first nobody changes before it writes."""
    with engine.begin() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection


def insert_keys(connection: Connection, new: Sequence[NewKey]) -> list[Key]:
    """Adds the keys in one transaction of the caller's. Raises NoSlotLeft."""
    slot = (connection.execute(select(func.max(KeyRow.slot))).scalar_one() or 0) + 1
    if slot + len(new) > MAX_SLOTS:
        raise NoSlotLeft(f"this data directory has given out all {MAX_SLOTS} key slots: start a new one")
    changed = _take_numbers(connection, len(new))
    keys = [
        Key(
            id=draft.id,
            hash=draft.hash,
            tenant=draft.tenant,
            name=draft.name,
            slot=slot + index,
            changed=changed + index,
            requests_per_minute=draft.requests_per_minute,
            concurrency=draft.concurrency,
            models=draft.models,
            admin=draft.admin,
        )
        for index, draft in enumerate(new)
    ]
    now = int(time.time())
    connection.execute(insert(KeyRow), [_values(key, now) for key in keys])
    return keys


def _values(key: Key, created: int) -> dict[str, Any]:
    return {
        "id": key.id,
        "hash": key.hash,
        "tenant": key.tenant,
        "name": key.name,
        "slot": key.slot,
        "requests_per_minute": key.requests_per_minute,
        "concurrency": key.concurrency,
        "models": None if key.models is None else json.dumps(key.models),
        "admin": key.admin,
        "created": created,
        "revoked_at": None,
        "changed": key.changed,
    }


def _take_numbers(connection: Connection, count: int) -> int:
    """The first of `count` change numbers."""
    connection.execute(update(KeyCounter).values(last=KeyCounter.last + count))
    last: int = connection.execute(select(KeyCounter.last)).scalar_one()
    return last - count + 1


def revoke_key(connection: Connection, key_id: str) -> Key | None:
    """The revoked key, None when there is none of this id. Revoking again changes nothing and returns the same."""
    row = connection.execute(select(KeyRow.__table__).where(KeyRow.id == key_id)).first()
    if row is None:
        return None
    if row.revoked_at is None:
        changed = _take_numbers(connection, 1)
        statement = update(KeyRow).where(KeyRow.id == key_id).values(revoked_at=int(time.time()), changed=changed)
        connection.execute(statement)
        row = connection.execute(select(KeyRow.__table__).where(KeyRow.id == key_id)).one()
    return stored(row).key


def page_of_keys(connection: Connection, after_slot: int, limit: int) -> list[StoredKey]:
    """Keys in the order of their creation, at most `limit`, from the one after slot `after_slot` on."""
    table = KeyRow.__table__
    rows = connection.execute(select(table).where(table.c.slot > after_slot).order_by(table.c.slot).limit(limit))
    return [stored(row) for row in rows]


def has_keys(connection: Connection) -> bool:
    return connection.execute(select(KeyRow.id).limit(1)).first() is not None


def stored(row: Row[Any]) -> StoredKey:
    key = Key(
        id=row.id,
        hash=row.hash,
        tenant=row.tenant,
        name=row.name,
        slot=row.slot,
        changed=row.changed,
        requests_per_minute=row.requests_per_minute,
        concurrency=row.concurrency,
        models=None if row.models is None else tuple(json.loads(row.models)),
        admin=row.admin,
        revoked=row.revoked_at is not None,
    )
    return StoredKey(key, row.created, row.revoked_at)
