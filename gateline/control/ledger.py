"""Brings the workers' journals into the database: every acknowledged record, exactly once, whoever dies when.

Knows the journal's files and the record tables. It works on one thread and may be killed anywhere: records and the
place they were read up to are committed together, record ids are unique, and a file goes only when all of it is in.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count, repeat
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from sqlalchemy import Connection, Engine, delete, select

from gateline.model.record import Opened, Record, record_of_lost
from gateline.store.datadir import DataDir
from gateline.store.inflight import OPEN_SUFFIX, open_slots, table_path
from gateline.store.journal import LIVE_SUFFIX, is_live
from gateline.store.segment import SUFFIX, incarnation_of, read_segment
from gateline.store.sql.intake import Intake
from gateline.store.sql.records import CallRow, OffsetRow

BATCH: Final = 1_000

# What the driver says to a value that no column can hold. Not to a database that is locked, full, damaged or gone.
_REFUSALS: Final = (
    ArithmeticError,
    TypeError,
    ValueError,
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)

T = TypeVar("T")
Source = tuple[str, int, bytes]  # file, place and payload: a row of the table of those that cannot be read

_read_record = msgspec.msgpack.Decoder(Record).decode
_read_opened = msgspec.msgpack.Decoder(Opened).decode


_INSERT_UNREADABLE: Final = "INSERT INTO unreadable (segment, place, payload) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_MOVE_OFFSET: Final = (
    "INSERT INTO offsets (segment, next_offset) VALUES (?, ?) "
    "ON CONFLICT (segment) DO UPDATE SET next_offset = excluded.next_offset"
)


class Ledger:
    """`imported` is called with each batch after its commit, for what is derived from records (the access log), and
    `refused` for each payload that is no record or that no column can hold: it is kept aside, the rest goes in."""

    def __init__(
        self,
        engine: Engine,
        data_dir: DataDir,
        imported: Callable[[list[Record]], None] | None = None,
        refused: Callable[[Exception], None] | None = None,
    ) -> None:
        self._engine = engine
        self._folder = data_dir.journal
        self._imported = imported
        self._refused = refused
        self._intake = Intake()

    def run_once(self) -> int:
        """Import what the journals hold now, turn the open slots of dead workers into records, delete what is done.

        Returns the number of records read, and raises what the database or the disk raises: run it again, nothing is
        lost. Blocks; one importer at a time works on a data directory, another waits.
        """
        with self._alone():
            offsets = self._offsets()
            names = {incarnation_of(path) for path in self._folder.glob(f"*{SUFFIX}")}
            for suffix in (LIVE_SUFFIX, OPEN_SUFFIX):
                names |= {path.stem for path in self._folder.glob(f"*{suffix}")}
            total = sum(self._import(name, offsets) for name in sorted(names))
            # Left by a run that was killed between deleting a segment and forgetting its offset.
            self._forget_offsets([name for name in offsets if incarnation_of(Path(name)) not in names])
            return total

    def _import(self, incarnation: str, offsets: dict[str, int]) -> int:
        # Asked before listing and reading: all that a dead worker wrote is then there.
        live = is_live(self._folder, incarnation)
        total = 0
        done: list[Path] = []
        for segment in sorted(self._folder.glob(f"{incarnation}-*{SUFFIX}")):
            read, closed = self._drain(segment, offsets.get(segment.name, 0))
            total += read
            if closed or not live:
                done.append(segment)
        if not live:
            # After the journal: a call whose record was written keeps that one.
            total += self._write_off(incarnation)
            # The lock file goes last: while it is there, the rest is known to be a dead worker's.
            done += [table_path(self._folder, incarnation), self._folder / (incarnation + LIVE_SUFFIX)]
        for path in done:
            path.unlink(missing_ok=True)
        self._forget_offsets([path.name for path in done])
        return total

    def _drain(self, segment: Path, offset: int) -> tuple[int, bool]:
        """Import the rest of a segment. Returns how many payloads that were, and whether its end mark was reached."""
        total = 0
        while True:
            found = read_segment(segment, offset, BATCH)
            if found.payloads:
                self._store(segment.name, offset, found.payloads, found.next_offset)
            total += len(found.payloads)
            offset = found.next_offset
            if len(found.payloads) < BATCH:
                return total, found.closed

    def _store(self, segment: str, offset: int, payloads: list[bytes], next_offset: int) -> None:
        records, sources, unreadable = self._decode(_read_record, segment, offset, payloads)
        self._tell(self._put(records, sources, unreadable, (segment, next_offset)))

    def _write_off(self, incarnation: str) -> int:
        """Records for the calls that a dead worker had open, unless their own record was imported."""
        table = table_path(self._folder, incarnation)
        opened, sources, unreadable = self._decode(_read_opened, table.name, 0, open_slots(table))
        known: set[str] = set()
        with self._engine.connect() as connection:
            for start in range(0, len(opened), BATCH):
                batch = opened[start : start + BATCH]
                known.update(connection.scalars(select(CallRow.id).where(CallRow.id.in_([each.id for each in batch]))))
        now = time.time_ns()
        new = [(record_of_lost(each, now), source) for each, source in zip(opened, sources, strict=True)]
        new = [(record, source) for record, source in new if record.id not in known]
        records = self._put([record for record, _ in new], [source for _, source in new], unreadable, None)
        self._tell(records)
        return len(records)

    def _put(
        self, records: list[Record], sources: list[Source], unreadable: list[Source], read_to: tuple[str, int] | None
    ) -> list[Record]:
        """In one transaction: the records, what cannot be read, and how far its file was read. Returns the records
        that are in: one that the driver refuses must not hold up the rest."""
        try:
            with self._storing() as connection:
                self._intake.insert(connection, records)
                _put_rest(connection, unreadable, read_to)
        except _REFUSALS:
            return self._put_one_by_one(records, sources, unreadable, read_to)
        return records

    def _put_one_by_one(
        self, records: list[Record], sources: list[Source], unreadable: list[Source], read_to: tuple[str, int] | None
    ) -> list[Record]:
        taken: list[Record] = []
        aside = list(unreadable)
        with self._storing() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # else the first savepoint's end would be a commit
            for record, source in zip(records, sources, strict=True):
                connection.exec_driver_sql("SAVEPOINT one")
                try:
                    self._intake.insert(connection, [record])
                except _REFUSALS as error:
                    connection.exec_driver_sql("ROLLBACK TO one")
                    self._intake.forget()
                    aside.append(source)
                    self._complain(error)
                else:
                    taken.append(record)
                connection.exec_driver_sql("RELEASE one")
            _put_rest(connection, aside, read_to)
        return taken

    @contextmanager
    def _storing(self) -> Iterator[Connection]:
        """A transaction for records; when it fails, nothing that it made is remembered."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except BaseException:
            self._intake.forget()
            raise

    def _tell(self, records: list[Record]) -> None:
        if self._imported is not None and records:
            self._imported(records)

    def _complain(self, error: Exception) -> None:
        if self._refused is not None:
            self._refused(error)

    def _decode(
        self, read: Callable[[bytes], T], file: str, offset: int, payloads: list[bytes]
    ) -> tuple[list[T], list[Source], list[Source]]:
        """What the payloads say and where each stood, and those that say nothing we can read."""
        decoded: list[T] = []
        sources: list[Source] = []
        unreadable: list[Source] = []
        for source in zip(repeat(file), count(offset), payloads, strict=False):
            try:
                decoded.append(read(source[2]))
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                unreadable.append(source)
                self._complain(error)
            else:
                sources.append(source)
        return decoded, sources, unreadable

    def _forget_offsets(self, names: list[str]) -> None:
        if names:
            with self._engine.begin() as connection:
                connection.execute(delete(OffsetRow).where(OffsetRow.segment.in_(names)))

    def _offsets(self) -> dict[str, int]:
        with self._engine.connect() as connection:
            rows = connection.execute(select(OffsetRow.segment, OffsetRow.next_offset))
            return {row.segment: row.next_offset for row in rows}

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the importers' lock; a killed importer's lock is free at once."""
        fd = os.open(self._folder / "import.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)


def _put_rest(connection: Connection, unreadable: list[Source], read_to: tuple[str, int] | None) -> None:
    for source in unreadable:
        connection.exec_driver_sql(_INSERT_UNREADABLE, source)
    if read_to is not None:
        connection.exec_driver_sql(_MOVE_OFFSET, read_to)
