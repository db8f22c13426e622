"""Migrations: they make exactly the tables the program declares, once, whoever comes first."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

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
