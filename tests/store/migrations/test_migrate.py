"""Migrations: they make exactly the tables the program declares, once, whoever comes first."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import msgspec
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from gateline.model.usage import Usage
from gateline.store import migrations
from gateline.store.migrations import HEAD, is_current, migrate
from gateline.store.sql import keys, records
from gateline.store.sql.base import Base, connect

PROGRAM = (
    "import sys; from pathlib import Path; from gateline.store.migrations import migrate; migrate(Path(sys.argv[1]))"
)


def test_the_migrated_database_has_the_declared_tables(tmp_path: Path) -> None:
    database = tmp_path / "gateline.db"
    migrate(database)
    assert {keys.KeyRow.__tablename__, records.CallRow.__tablename__} <= Base.metadata.tables.keys()
    engine = connect(database)
    try:
        with engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
            view = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = 'records'").scalar_one()
            assert view.split() == records.RECORDS_VIEW.split()
    finally:
        engine.dispose()


def test_head_is_the_last_step() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_a_current_database_is_known_without_alembic(tmp_path: Path) -> None:
    database = tmp_path / "gateline.db"
    assert not is_current(database)
    migrate(database)
    assert is_current(database)
    assert stat.S_IMODE(database.stat().st_mode) == 0o600
    check = PROGRAM + "; print('alembic' in sys.modules, 'sqlalchemy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", check, str(database)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_two_processes_may_migrate_at_once(tmp_path: Path) -> None:
    database = tmp_path / "gateline.db"
    both = [subprocess.Popen([sys.executable, "-c", PROGRAM, str(database)]) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert is_current(database)


def test_records_of_an_older_schema_stay_and_are_read_whole(tmp_path: Path) -> None:
    """A database of the first schema is brought up to date: its records keep their counts, and parts of usage that
    nobody counted then are unknown there."""
    database = tmp_path / "gateline.db"
    _migrate_to(database, "0001")
    engine = connect(database)
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(
                "INSERT INTO kinds VALUES (1, 1, 'chat', 'm', 'up/m', 200, '', 0, 0, 'provider')"
            )
            connection.exec_driver_sql("INSERT INTO callers VALUES (1, 'default', 'key_1')")
            connection.exec_driver_sql(
                "INSERT INTO calls VALUES (1, 'old', 1, 1, 1, 2, 3, 4, NULL, 1, 2, 10, 20, 3, 4, 5, 6, 7, 0, 0, 0, 0)"
            )
        migrate(database)
        assert is_current(database)
        with engine.connect() as connection:
            row = connection.exec_driver_sql("SELECT * FROM records WHERE id = 'old'").mappings().one()
        assert (row["input_tokens"], row["cached_tokens"], row["cost"]) == (10, 3, 5)
        assert row["cache_write_tokens"] is None
        (attempt,) = json.loads(row["attempts"])
        assert attempt["usage"] == {
            name: value for name, value in msgspec.structs.asdict(Usage(10, 20, 3, 4)).items() if name != "tier"
        }
    finally:
        engine.dispose()


def _migrate_to(database: Path, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    engine = connect(database)
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
    finally:
        engine.dispose()
