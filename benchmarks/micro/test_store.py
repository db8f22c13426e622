"""What the data plane's stores cost a request, without sockets: `pytest benchmarks/micro/test_store.py`."""

from __future__ import annotations

import mmap
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from gateline.control.ledger import Ledger
from gateline.model.record import Attempt, Opened, record_of_lost
from gateline.model.usage import Usage
from gateline.store import columns as c
from gateline.store import limits
from gateline.store.datadir import DataDir
from gateline.store.inflight import InFlight
from gateline.store.journal import Journal
from gateline.store.sql.base import Base, connect

OPENED = Opened("0123456789abcdef", "default", "key_1", 0, "chat", "gpt-4o", "up/gpt-4o", stream=False, started=1)
RECORD = msgspec.structs.replace(
    record_of_lost(OPENED, finished=2),
    usage=Usage(10, 20),
    usage_source="provider",
    cost=1_000,
    attempts=[Attempt("up/gpt-4o", 200, "", 1, 2, Usage(10, 20), "provider", 1_000)],
)
PAYLOAD = msgspec.msgpack.encode(RECORD)
SLOT_PAYLOAD = msgspec.msgpack.encode(OPENED)


@pytest.fixture
def place(tmp_path: Path) -> DataDir:
    place = DataDir(tmp_path / "data")
    place.create()
    return place


def test_append(benchmark: BenchmarkFixture, place: DataDir) -> None:
    journal = Journal(place.journal, "0a-1")
    benchmark.pedantic(journal.append, (PAYLOAD,), rounds=50, iterations=500, warmup_rounds=2)  # type: ignore[no-untyped-call]
    journal.close()


def test_open_and_close_a_slot(benchmark: BenchmarkFixture, place: DataDir) -> None:
    table = InFlight(place.journal, "0a-1")

    def work() -> None:
        slot = table.open(SLOT_PAYLOAD)
        assert slot is not None
        table.close(slot)

    benchmark(work)
    table.detach()


def test_count_in_a_column(benchmark: BenchmarkFixture) -> None:
    block = c.Columns(bytearray(c.size(1)), 1).worker(0)
    base = c.row_base(7)

    def work() -> None:
        block[base + c.INPUT_TOKENS] += 5

    benchmark(work)


def test_find_a_bucket(benchmark: BenchmarkFixture) -> None:
    benchmark(c.bucket_of, 1_234_567)


@pytest.fixture
def clock() -> Iterator[int]:
    """A clock that runs fast enough for no call to be refused."""

    def ticks() -> Iterator[int]:
        now = time.monotonic_ns()
        while True:
            now += 60_000_000
            yield now

    return ticks()


@pytest.mark.parametrize("workers", [1, 2, 8])
@pytest.mark.parametrize("asked", [(None, None), (None, 100), (6_000, None), (6_000, 100)])
def test_admit_and_leave(
    benchmark: BenchmarkFixture,
    tmp_path: Path,
    clock: Iterator[int],
    workers: int,
    asked: tuple[int | None, int | None],
) -> None:
    rate, concurrency = asked
    view = limits.Limits(mmap.mmap(-1, limits.size(workers)), workers - 1, workers, tmp_path / "lock")

    def work() -> None:
        assert view.admit(5, rate, concurrency, next(clock)).allowed
        view.leave(5)

    benchmark(work)
    view.close()


def test_import_a_thousand_records(benchmark: BenchmarkFixture, place: DataDir) -> None:
    engine = connect(place.database)
    Base.metadata.create_all(engine)
    ledger = Ledger(engine, place)
    lives = iter(range(10_000))

    def prepare() -> None:
        life = next(lives)
        journal = Journal(place.journal, f"{life:04d}-1")
        for number in range(1_000):
            journal.append(msgspec.msgpack.encode(msgspec.structs.replace(RECORD, id=f"{life}-{number}")))
        journal.close()

    benchmark.pedantic(ledger.run_once, setup=prepare, rounds=10)  # type: ignore[no-untyped-call]
    engine.dispose()
