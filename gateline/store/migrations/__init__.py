"""The database's schema, step by step (Alembic, run by the program itself)."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

HEAD = "0002"


def is_current(database: Path) -> bool:
    """Whether the schema is this program's. Asks with `sqlite3` alone, so that a usual start imports no Alembic."""
    if not database.exists():
        return False
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        try:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return False
            raise
    return bool(row) and row[0] == HEAD


def migrate(database: Path) -> None:
    """Brings the database to this program's schema; makes it when there is none. Two processes may try at once: the
    second finds it done. Raises what SQLAlchemy raises when the file cannot be written."""
    if is_current(database):
        return
    from alembic import command
    from alembic.config import Config

    from gateline.store.sql.base import connect

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    engine = connect(database)
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()
    database.chmod(0o600)
