"""Keys in SQLite: numbered changes, slots, and the `sqlite3` reader that sees what SQLAlchemy wrote."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine

from gateline.store.migrations import migrate
from gateline.store.sql import keys as key_tables
from gateline.store.sql.base import connect
from gateline.store.sql.keys import NewKey, NoSlotLeft, insert_keys, page_of_keys, revoke_key, writing
from gateline.store.sql.lookup import Answers, KeyReader, StoreAway


@pytest.fixture
def database(tmp_path: Path) -> Path:
    migrate(tmp_path / "gateline.db")
    return tmp_path / "gateline.db"


@pytest.fixture
def engine(database: Path) -> Iterator[Engine]:
    engine = connect(database)
    yield engine
    engine.dispose()


@pytest.fixture
def reader(database: Path) -> Iterator[KeyReader]:
    reader = KeyReader(database)
    yield reader
    reader.close()


def new(number: int) -> NewKey:
    return NewKey(f"key_{number}", number.to_bytes(16, "big"), "default", f"name {number}", models=("a", "b"))


def test_each_change_of_any_key_takes_the_next_number(engine: Engine) -> None:
    with writing(engine) as connection:
        first, second = insert_keys(connection, [new(1), new(2)])
        revoked = revoke_key(connection, first.id)
        (third,) = insert_keys(connection, [new(3)])
    assert revoked is not None
    assert [first.changed, second.changed, revoked.changed, third.changed] == [1, 2, 3, 4]
    assert len({first.slot, second.slot, third.slot}) == 3


def test_revoking_again_changes_nothing(engine: Engine) -> None:
    with writing(engine) as connection:
        insert_keys(connection, [new(1)])
        assert revoke_key(connection, "key_1") == revoke_key(connection, "key_1")
        assert revoke_key(connection, "key_2") is None


def test_slots_run_out_with_a_clear_word(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_tables, "MAX_SLOTS", 3)
    with writing(engine) as connection:
        insert_keys(connection, [new(1), new(2)])
        with pytest.raises(NoSlotLeft, match="start a new one"):
            insert_keys(connection, [new(3)])


def test_the_reader_sees_every_field(engine: Engine, reader: KeyReader) -> None:
    with writing(engine) as connection:
        (key,) = insert_keys(connection, [new(1)])
    assert reader.by_hashes([key.hash, b"?" * 16]) == Answers([key, None], 1)
    with writing(engine) as connection:
        revoked = revoke_key(connection, key.id)
    assert reader.by_hashes([key.hash]) == Answers([revoked], 2)
    with engine.connect() as connection:
        assert [stored.key for stored in page_of_keys(connection, -1, 10)] == [revoked]


def test_changes_come_in_their_order_each_key_once(engine: Engine, reader: KeyReader) -> None:
    with writing(engine) as connection:
        insert_keys(connection, [new(number) for number in range(1, 6)])
        revoke_key(connection, "key_2")
    assert [key.id for key in reader.changes_after(0)] == ["key_1", "key_3", "key_4", "key_5", "key_2"]
    assert [key.id for key in reader.changes_after(5)] == ["key_2"]
    assert reader.last_change() == 6


def test_a_database_that_has_no_tables_yet_holds_no_keys(tmp_path: Path) -> None:
    """Nor does one with other tables: "none" is true there, and workers may be told so."""
    for path in (tmp_path / "empty.db", tmp_path / "others.db"):
        path.touch()
        if path.name == "others.db":
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("CREATE TABLE other (id INTEGER)")
        with closing(KeyReader(path)) as reader:
            assert reader.by_hashes([b"x" * 16]) == Answers([None], 0)
            assert reader.changes_after(0) == []


def test_a_database_that_is_not_there_is_away(tmp_path: Path) -> None:
    """A volume that is not mounted makes no key unknown, and no reader makes a file in its place."""
    with closing(KeyReader(tmp_path / "gone.db")) as reader, pytest.raises(StoreAway):
        reader.by_hashes([b"x" * 16])
    assert not (tmp_path / "gone.db").exists()


def test_a_damaged_database_is_away_not_empty(database: Path) -> None:
    """A key must not become unknown because a file is broken, and a mended file is read again."""
    whole = database.read_bytes()
    database.write_bytes(b"not a database" * 100)
    with closing(KeyReader(database)) as reader:
        with pytest.raises(StoreAway):
            reader.by_hashes([b"x" * 16])
        database.write_bytes(whole)
        assert reader.by_hashes([b"x" * 16]).keys == [None]


def test_a_reader_is_not_stopped_by_a_writer(engine: Engine, reader: KeyReader) -> None:
    with writing(engine) as connection:
        insert_keys(connection, [new(1)])
        assert reader.by_hashes([new(1).hash]) == Answers([None], 0)
    assert reader.by_hashes([new(1).hash]).changed == 1


def test_a_lookup_uses_an_index(database: Path) -> None:
    """A hundred thousand keys cost what ten do."""
    with closing(sqlite3.connect(database)) as connection:
        plans = [
            connection.execute(f"EXPLAIN QUERY PLAN SELECT * FROM keys WHERE {condition}").fetchone()[3]
            for condition in ("hash = x'00'", "changed > 5 ORDER BY changed LIMIT 10", "slot > 5 ORDER BY slot")
        ]
    assert all(plan.startswith("SEARCH keys USING INDEX") for plan in plans)
