"""Brings the workers' journals into the database: every acknowledged record, exactly once, whoever dies when.

Knows the journal's files and the record tables. It works on one thread and may be killed anywhere: records and the
place they were read up to are committed together, record ids are unique, and a file goes only when all of it is in.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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

T = TypeVar("T")
Unreadable = tuple[str, int, bytes]  # a row of that table

_read_record = msgspec.msgpack.Decoder(Record).decode
_read_opened = msgspec.msgpack.Decoder(Opened).decode


_INSERT_UNREADABLE: Final = "INSERT INTO unreadable (segment, place, payload) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_MOVE_OFFSET: Final = (
    "INSERT INTO offsets (segment, next_offset) VALUES (?, ?) "
    "ON CONFLICT (segment) DO UPDATE SET next_offset = excluded.next_offset"
)


class Ledger:
    """`imported` is called with each batch after its commit, for what is derived from records (the access log)."""

    def __init__(
        self, engine: Engine, data_dir: DataDir, imported: Callable[[list[Record]], None] | None = None
    ) -> None:
        self._engine = engine
        self._folder = data_dir.journal
        self._imported = imported
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
            count = sum(self._import(name, offsets) for name in sorted(names))
            # Left by a run that was killed between deleting a segment and forgetting its offset.
            self._forget_offsets([name for name in offsets if incarnation_of(Path(name)) not in names])
            return count

    def _import(self, incarnation: str, offsets: dict[str, int]) -> int:
        # Asked before listing and reading: all that a dead worker wrote is then there.
        live = is_live(self._folder, incarnation)
        count = 0
        done: list[Path] = []
        for segment in sorted(self._folder.glob(f"{incarnation}-*{SUFFIX}")):
            read, closed = self._drain(segment, offsets.get(segment.name, 0))
            count += read
            if closed or not live:
                done.append(segment)
        if not live:
            # After the journal: a call whose record was written keeps that one.
            count += self._write_off(incarnation)
            # The lock file goes last: while it is there, the rest is known to be a dead worker's.
            done += [table_path(self._folder, incarnation), self._folder / (incarnation + LIVE_SUFFIX)]
        for path in done:
            path.unlink(missing_ok=True)
        self._forget_offsets([path.name for path in done])
        return count

    def _drain(self, segment: Path, offset: int) -> tuple[int, bool]:
        """Import the rest of a segment. Returns how many payloads that were, and whether its end mark was reached."""
        count = 0
        while True:
            found = read_segment(segment, offset, BATCH)
            if found.payloads:
                self._store(segment.name, offset, found.payloads, found.next_offset)
            count += len(found.payloads)
            offset = found.next_offset
            if len(found.payloads) < BATCH:
                return count, found.closed

    def _store(self, segment: str, offset: int, payloads: list[bytes], next_offset: int) -> None:
        records, unreadable = _decode(_read_record, segment, offset, payloads)
        with self._storing() as connection:
            self._insert(connection, records, unreadable)
            connection.exec_driver_sql(_MOVE_OFFSET, (segment, next_offset))
        self._tell(records)

    def _write_off(self, incarnation: str) -> int:
        """Records for the calls that a dead worker had open, unless their own record was imported."""
        table = table_path(self._folder, incarnation)
        opened, unreadable = _decode(_read_opened, table.name, 0, open_slots(table))
        now = time.time_ns()
        new: list[Record] = []
        with self._storing() as connection:
            for start in range(0, len(opened), BATCH):
                batch = opened[start : start + BATCH]
                ids = select(CallRow.id).where(CallRow.id.in_([each.id for each in batch]))
                known = set(connection.scalars(ids))
                new += [record_of_lost(each, now) for each in batch if each.id not in known]
            self._insert(connection, new, unreadable)
        self._tell(new)
        return len(new)

    @contextmanager
    def _storing(self) -> Iterator[Connection]:
        """A transaction for records; when it fails, nothing that it made is remembered."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except BaseException:
            self._intake.forget()
            raise

    def _insert(self, connection: Connection, records: list[Record], unreadable: list[Unreadable]) -> None:
        self._intake.insert(connection, records)
        for each in unreadable:
            connection.exec_driver_sql(_INSERT_UNREADABLE, each)

    def _tell(self, records: list[Record]) -> None:
        if self._imported is not None and records:
            self._imported(records)

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


def _decode(
    read: Callable[[bytes], T], source: str, offset: int, payloads: list[bytes]
) -> tuple[list[T], list[Unreadable]]:
    """What the payloads say, and those that say nothing we can read: one of them must not hold up the rest."""
    decoded: list[T] = []
    unreadable: list[Unreadable] = []
    for place, payload in enumerate(payloads, offset):
        try:
            decoded.append(read(payload))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            unreadable.append((source, place, payload))
    return decoded, unreadable
