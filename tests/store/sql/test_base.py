from __future__ import annotations

from pathlib import Path

from gateline.store.sql.base import connect


def test_a_commit_is_on_the_disk_and_readers_do_not_block_it(tmp_path: Path) -> None:
    """The database is in WAL mode with full synchronisation, on every connection."""
    engine = connect(tmp_path / "db")
    with engine.connect() as first, engine.connect() as second:
        for connection in (first, second):
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
            assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 5_000
    engine.dispose()
