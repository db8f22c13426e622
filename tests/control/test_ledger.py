from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine, func, select

from gateline.control import ledger as ledger_module
from gateline.control.ledger import Ledger
from gateline.model.record import Opened, Record, record_of_lost
from gateline.store.datadir import DataDir
from gateline.store.inflight import InFlight
from gateline.store.journal import Journal, new_incarnation
from gateline.store.segment import SUFFIX
from gateline.store.sql.base import Base, connect
from gateline.store.sql.records import OffsetRow, UnreadableRow

SMALL = 16 * 4096


def opened(name: str) -> Opened:
    return Opened(name, "default", "key_1", 3, "chat", "gpt", "up/gpt", stream=True, started=time.time_ns())


def record(name: str) -> Record:
    return msgspec.structs.replace(record_of_lost(opened(name), time.time_ns()), status=200, error="", cost=7)


def packed(value: Record | Opened) -> bytes:
    return msgspec.msgpack.encode(value)


@pytest.fixture
def place(tmp_path: Path) -> DataDir:
    place = DataDir(tmp_path / "data")
    place.create()
    return place


@pytest.fixture
def engine(place: DataDir) -> Iterator[Engine]:
    engine = connect(place.database)
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def stored(engine: Engine) -> dict[str, str]:
    """Id and error of every record."""
    with engine.connect() as connection:
        return {row.id: row.error for row in connection.exec_driver_sql("SELECT id, error FROM records")}


def count(engine: Engine, table: type[Base]) -> int:
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0


def files(place: DataDir) -> list[str]:
    return sorted(path.name for path in place.journal.iterdir() if path.name != "import.lock")


def forked(work: Callable[[], None]) -> int:
    """A process that runs `work` and ends with status 0, or with 1 when it raises."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return pid


def test_a_live_journal_is_imported_as_it_grows(place: DataDir, engine: Engine) -> None:
    """Each run brings what is new, once; closed segments go, the live one stays."""
    ledger = Ledger(engine, place)
    journal = Journal(place.journal, "0a-1", SMALL)
    for number in range(700):
        journal.append(packed(record(f"r{number}")))
    assert ledger.run_once() == 700
    assert ledger.run_once() == 0
    assert len([name for name in files(place) if name.endswith(SUFFIX)]) <= 2
    journal.append(packed(record("late")))
    assert ledger.run_once() == 1
    assert stored(engine) == {**{f"r{number}": "" for number in range(700)}, "late": ""}
    journal.close()
    assert ledger.run_once() == 0
    assert files(place) == []
    assert count(engine, OffsetRow) == 0


def test_a_dead_workers_open_calls_become_records(place: DataDir, engine: Engine) -> None:
    """Each open slot whose record was never written becomes one that says so; the others keep the record they have.
    A live worker's open calls are left alone."""

    def die() -> None:
        journal = Journal(place.journal, "0a-1", SMALL)
        table = InFlight(place.journal, "0a-1", slots=16)
        for number in range(6):
            slot = table.open(packed(opened(f"r{number}")))
            assert slot is not None
            if number < 4:
                journal.append(packed(record(f"r{number}")))
            if number < 2:
                table.close(slot)
        os.kill(os.getpid(), signal.SIGKILL)

    os.waitpid(forked(die), 0)
    journal = Journal(place.journal, "0b-1", SMALL)
    table = InFlight(place.journal, "0b-1", slots=16)
    table.open(packed(opened("running")))
    told: list[str] = []
    ledger = Ledger(engine, place, imported=lambda records: told.extend(each.id for each in records))
    assert ledger.run_once() == 6
    assert ledger.run_once() == 0
    assert stored(engine) == {"r0": "", "r1": "", "r2": "", "r3": "", "r4": "worker_died", "r5": "worker_died"}
    assert sorted(told) == sorted(stored(engine))
    assert files(place) == ["0b-1-000001.seg", "0b-1.live", "0b-1.open"]
    table.detach()
    journal.close()


def test_a_payload_that_is_no_record_is_kept_aside(place: DataDir, engine: Engine) -> None:
    """It neither stops the import nor vanishes; newer records with more fields are read."""
    journal = Journal(place.journal, "0a-1", SMALL)
    table = InFlight(place.journal, "0a-1", slots=4)
    newer = msgspec.msgpack.encode([*msgspec.to_builtins(record("newer")), "a field of tomorrow"])
    for payload in (packed(record("before")), b"\xc1 no msgpack", newer, packed(record("after"))):
        journal.append(payload)
    table.open(b"\x93 no slot either")
    table.detach()
    journal.close()
    assert Ledger(engine, place).run_once() == 4
    assert sorted(stored(engine)) == ["after", "before", "newer"]
    assert count(engine, UnreadableRow) == 2
    assert files(place) == []


def test_a_record_that_the_database_refuses_is_kept_aside(place: DataDir, engine: Engine) -> None:
    """A cost beyond what a column holds, a time of a lost call likewise: each is kept with its bytes and told of, all
    others of its batch go in, once, and nothing is left for the next run."""
    journal = Journal(place.journal, "0a-1", SMALL)
    table = InFlight(place.journal, "0a-1", slots=4)
    dear = packed(msgspec.structs.replace(record("dear"), cost=2**63))
    for payload in (packed(record("before")), dear, packed(record("after"))):
        journal.append(payload)
    late = packed(msgspec.structs.replace(opened("late"), started=2**64 - 1))
    table.open(late)
    table.open(packed(opened("lost")))
    table.detach()
    journal.close()
    told: list[str] = []
    refused: list[Exception] = []
    ledger = Ledger(engine, place, lambda records: told.extend(each.id for each in records), refused.append)
    ledger.run_once()
    assert stored(engine) == {"before": "", "after": "", "lost": "worker_died"}
    assert sorted(told) == ["after", "before", "lost"]
    assert [type(error) for error in refused] == [OverflowError, OverflowError]
    with engine.connect() as connection:
        aside = connection.execute(select(UnreadableRow.payload)).scalars()
        assert sorted(aside) == sorted([dear, late])
    assert files(place) == []
    assert ledger.run_once() == 0


def test_a_batch_that_fails_is_imported_the_next_time(
    place: DataDir, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database error leaves the journal and the offset as they were."""
    journal = Journal(place.journal, "0a-1", SMALL)
    journal.append(packed(record("r")))
    ledger = Ledger(engine, place)
    with monkeypatch.context() as patch:
        patch.setattr(ledger_module, "_MOVE_OFFSET", "INSERT INTO nowhere VALUES (?, ?)")
        with pytest.raises(Exception, match="nowhere"):
            ledger.run_once()
    assert stored(engine) == {}
    assert ledger.run_once() == 1
    assert stored(engine) == {"r": ""}
    journal.close()


def test_writers_killed_at_any_moment_lose_nothing_acknowledged(place: DataDir, engine: Engine) -> None:
    """200 workers are killed with SIGKILL somewhere in their work while the importer runs beside them. Every append
    acknowledged before the kill is in the ledger exactly once, and every call that was open has a record."""
    chance = random.Random(20)
    ledger = Ledger(engine, place)
    acknowledged: set[str] = set()
    started: set[str] = set()
    for life in range(200):
        source, sink = os.pipe()

        def work(life: int = life, sink: int = sink) -> None:
            name = new_incarnation()
            journal = Journal(place.journal, name, SMALL)
            table = InFlight(place.journal, name, slots=16)
            for number in range(100_000):
                call = f"{life}-{number}"
                slot = table.open(packed(opened(call)))
                assert slot is not None
                os.write(sink, b"s%12s" % call.encode())
                journal.append(packed(record(call)))
                os.write(sink, b"a%12s" % call.encode())
                table.close(slot)

        pid = forked(work)
        os.close(sink)
        log = b""
        wanted = 13 * chance.randrange(0, 300)
        while len(log) < wanted:
            log += os.read(source, wanted - len(log))
        if chance.random() < 0.3:
            ledger.run_once()
        os.kill(pid, signal.SIGKILL)
        assert os.WIFSIGNALED(os.waitpid(pid, 0)[1]), "the worker ended by itself: it failed"
        while more := os.read(source, 65_536):
            log += more
        os.close(source)
        for place_in_log in range(0, len(log), 13):
            event = log[place_in_log : place_in_log + 13]
            (acknowledged if event[:1] == b"a" else started).add(event[1:].decode().strip())
        ledger.run_once()
    ledger.run_once()
    records = stored(engine)
    assert len(acknowledged) > 5_000
    assert {name for name in acknowledged if records.get(name) != ""} == set()
    assert started <= records.keys()
    # A kill between opening a slot and saying so leaves a record that nobody heard of: at most one a life.
    assert len(records.keys() - started) <= 200
    assert [name for name in files(place) if not name.endswith(".unborn")] == []


def test_an_importer_killed_at_any_line_imports_everything_once(place: DataDir, engine: Engine) -> None:
    """Killed before each line it executes, and run again, the importer ends where an undisturbed one does."""
    survivors = 0
    expected: dict[str, str] = {}
    for fatal in range(1, 10_000):
        name = f"{fatal:04d}-1"
        journal = Journal(place.journal, name, SMALL)
        table = InFlight(place.journal, name, slots=4)
        written = table.open(packed(opened(f"{fatal}-written")))
        assert written is not None
        assert table.open(packed(opened(f"{fatal}-lost"))) is not None
        for number in range(200 if fatal % 50 == 1 else 3):
            journal.append(packed(record(f"{fatal}-{number}")))
            expected[f"{fatal}-{number}"] = ""
        journal.append(packed(record(f"{fatal}-written")))
        expected |= {f"{fatal}-written": "", f"{fatal}-lost": "worker_died"}
        table.detach()
        journal.close()
        engine.dispose()

        def run(fatal: int = fatal) -> None:
            lines = 0

            def trace(frame: FrameType, event: str, _: Any) -> Any:
                nonlocal lines
                if frame.f_code.co_filename != ledger_module.__file__:
                    return None
                lines += event == "line"
                if lines == fatal:
                    os.kill(os.getpid(), signal.SIGKILL)
                return trace

            own = connect(place.database)
            sys.settrace(trace)
            Ledger(own, place).run_once()

        _, status = os.waitpid(forked(run), 0)
        Ledger(engine, place).run_once()
        assert stored(engine).keys() == expected.keys(), f"killed before line event {fatal}"
        assert files(place) == []
        if status == 0:
            survivors += 1
            if survivors == 3:
                break
        else:
            assert os.WIFSIGNALED(status), "the importer failed by itself"
    assert survivors == 3
    assert fatal > 50
    assert stored(engine) == expected
    assert count(engine, OffsetRow) == 0


def test_two_importers_take_turns(place: DataDir, engine: Engine) -> None:
    """Importers in other processes at the same time neither fail nor import twice."""
    journal = Journal(place.journal, "0a-1", SMALL)
    for number in range(500):
        journal.append(packed(record(f"r{number}")))
    journal.close()
    engine.dispose()
    told = [forked(lambda: _run_with_own_engine(place)) for _ in range(4)]
    assert [os.waitpid(pid, 0)[1] for pid in told] == [0] * 4
    assert len(stored(engine)) == 500
    assert files(place) == []


def _run_with_own_engine(place: DataDir) -> None:
    own = connect(place.database)
    Ledger(own, place).run_once()
    own.dispose()
