"""The control process and its store: away, lost, and written to until the very end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import msgspec

from gateline.model.feed import Beat, Found, Lookup
from gateline.store.journal import Journal, new_incarnation
from tests.app.controlprocess import record, running


def test_a_database_that_is_away_stops_no_beat_and_loses_no_lookup(tmp_path: Path) -> None:
    """It says so once, keeps beating, answers nothing it does not know, and goes on when the database is back."""
    (tmp_path / "data").mkdir(mode=0o700)
    in_the_way = tmp_path / "data" / "gateline.db"
    in_the_way.mkdir()
    with running(tmp_path) as process:
        process.start_workers()
        worker = process.workers[0]
        worker.say(Lookup(b"?" * 16))
        while "database_away" not in process.log():
            assert not isinstance(worker.hear(Beat | Found), Found)
        for _ in range(8):  # two more seconds of trying
            assert not isinstance(worker.hear(Beat | Found), Found)
        in_the_way.rmdir()
        in_the_way.touch()
        process.told("first_key")
        assert worker.hear(Found).key is None
        process.tell(event="stop")
        assert process.wait() == 0
        events = [json.loads(line)["event"] for line in process.log().splitlines()]
        assert events.count("database_away") == 1
        assert events.count("database_away_over") == 1


def test_a_database_that_was_lost_is_not_made_anew(tmp_path: Path) -> None:
    """A data directory that had one and has none: no key is called unknown, no new admin key is made, the log says what
    to do, and all goes on when it is back."""
    with running(tmp_path) as process:
        process.told("first_key")
        process.tell(event="stop")
        assert process.wait() == 0
        database, aside = process.data_dir.database, tmp_path / "aside.db"
    database.rename(aside)
    with running(tmp_path) as process:
        process.start_workers()
        worker = process.workers[0]
        worker.say(Lookup(b"?" * 16))
        while "database_away" not in process.log():
            assert not isinstance(worker.hear(Beat | Found), Found)
        assert not isinstance(worker.hear(Beat | Found), Found)
        assert not database.exists()
        (away,) = [json.loads(line) for line in process.log().splitlines() if "database_away" in line]
        assert "restore it" in away["cause"]
        aside.rename(database)
        assert worker.hear(Found).key is None
        process.tell(event="stop")
        assert process.wait() == 0
        assert b"first_key" not in b"".join(process._lines)
    database.rename(aside)
    with running(tmp_path) as process:
        process.start_workers()
        while "database_away" not in process.log():
            process.workers[0].hear(Beat)
        process.tell(event="stop")
        assert process.wait() == 0
        assert not database.exists()
        assert "last_import_failed" not in process.log()


def test_what_the_workers_wrote_last_is_imported_before_the_end(tmp_path: Path) -> None:
    with running(tmp_path) as process:
        process.told("first_key")
        journal = Journal(process.data_dir.journal, new_incarnation())
        try:
            journal.append(msgspec.msgpack.encode(record("one")))
            (total,) = process.ask("GET", "/usage?by=model").json()
            assert (total["name"], total["requests"]) == ("m", 1)
            journal.append(msgspec.msgpack.encode(record("two")))
            process.tell(event="stop")
            assert process.wait() == 0
        finally:
            journal.close()
        database = subprocess.run(
            [sys.executable, "-c", COUNT, str(process.data_dir.database)], capture_output=True, text=True, check=True
        )
        assert database.stdout.strip() == "2"


COUNT = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM records').fetchone()[0])"
