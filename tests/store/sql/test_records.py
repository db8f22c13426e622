from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine

from gateline.model.record import Attempt, Opened, Record, record_of_lost
from gateline.model.usage import Usage
from gateline.store.sql import intake as intake_module
from gateline.store.sql.base import Base, connect
from gateline.store.sql.intake import Intake
from gateline.store.sql.records import BLOCK_BITS

# Every field has a value of its own, so that two swapped columns show.
FULL = Record(
    1,
    "id",
    "tenant",
    "key",
    "chat",
    "model",
    "up/model",
    206,
    "oops",
    True,
    True,
    11,
    12,
    13,
    14,
    [
        Attempt("up/model", 500, "broken", 21, 22),
        Attempt("up/b", 200, "", 31, 32, Usage(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11), "provider", 5),
    ],
    Usage(41, 42, 43, 44, 45, 46, 47, 48, 49, 410, 411),
    "provider",
    51,
    52,
    53,
    54,
    55,
    56,
    57,
)
# As nearly all calls are: one attempt, which says what the call itself says.
PLAIN = msgspec.structs.replace(
    FULL, id="plain", attempts=[Attempt("up/model", 206, "oops", 21, 22, FULL.usage, "provider", 51)]
)
LOST = record_of_lost(Opened("lost", "t", "k", 0, "chat", "m", "up/m", stream=True, started=5), finished=9)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = connect(tmp_path / "db")
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def insert(engine: Engine, records: list[Record], intake: Intake | None = None) -> None:
    with engine.begin() as connection:
        (intake or Intake()).insert(connection, records)


def read(engine: Engine, id_: str) -> dict[str, Any]:
    with engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM records WHERE id = ?", (id_,)).mappings()
        return dict(rows.one())


COUNTS = [name for name in Usage.__struct_fields__ if name != "tier"]


def count(engine: Engine, table: str) -> int:
    with engine.connect() as connection:
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())


def stored(engine: Engine, record: Record) -> None:
    """Asserts that the view gives back the record, whole and under the names of its fields."""
    row = read(engine, record.id)
    usage = record.usage
    tokens = {f"{name}_tokens": getattr(usage, name, None) for name in COUNTS}
    assert {name: row[name] for name in tokens} == tokens
    named = {name: getattr(record, name) for name in Record.__struct_fields__ if name not in {"attempts", "usage"}}
    assert {name: value for name, value in row.items() if name not in {*tokens, "attempts"}} == named
    assert json.loads(row["attempts"]) == [
        {
            **{name: getattr(attempt, name) for name in Attempt.__struct_fields__},
            "usage": attempt.usage and {name: getattr(attempt.usage, name) for name in COUNTS},
        }
        for attempt in record.attempts
    ]


def test_the_view_gives_back_the_whole_record(engine: Engine) -> None:
    """Whatever the tables leave out because it is said elsewhere, a reader of `records` finds every field."""
    refused = msgspec.structs.replace(LOST, id="refused", target="", attempts=[])
    records = [FULL, PLAIN, LOST, refused]
    insert(engine, records)
    for record in records:
        stored(engine, record)


@pytest.mark.parametrize(
    "change",
    [{"target": "up/b"}, {"status": 200}, {"error": ""}, {"usage": None}, {"usage_source": "none"}, {"cost": None}],
)
def test_an_attempt_that_says_anything_else_is_kept_as_it_is(engine: Engine, change: dict[str, Any]) -> None:
    """Each field in which the only attempt differs from its call survives."""
    record = msgspec.structs.replace(PLAIN, attempts=[msgspec.structs.replace(PLAIN.attempts[0], **change)])
    insert(engine, [record])
    stored(engine, record)


def test_the_usual_attempt_takes_no_text(engine: Engine) -> None:
    """Only its times are stored: the text would be half of the row."""
    insert(engine, [PLAIN])
    with engine.connect() as connection:
        row = connection.exec_driver_sql("SELECT attempts, attempt_started, attempt_duration FROM calls").one()
    assert tuple(row) == (None, 21, 22)


def test_an_id_is_stored_once(engine: Engine) -> None:
    """The first record of an id stays; the same again, in the same batch or a later one, changes nothing."""
    other = msgspec.structs.replace(FULL, status=500)
    insert(engine, [FULL, other])
    insert(engine, [other])
    assert count(engine, "calls") == 1
    stored(engine, FULL)


def test_what_calls_have_in_common_is_written_once(engine: Engine) -> None:
    """Kinds and callers are shared by calls, also of an importer that has forgotten them or never knew them."""
    intake = Intake()
    for number in range(3):
        insert(engine, [msgspec.structs.replace(FULL, id=f"{number}-{each}") for each in range(5)], intake)
        intake.forget()
    insert(engine, [msgspec.structs.replace(FULL, id="other", tenant="other")])
    assert (count(engine, "kinds"), count(engine, "callers"), count(engine, "calls")) == (1, 2, 16)


def test_the_remembered_rows_are_bounded(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """More callers than are remembered are stored all the same, and none twice."""
    monkeypatch.setattr(intake_module, "_MOST_KNOWN", 3)
    intake = Intake()
    for turn in range(2):
        batch = [msgspec.structs.replace(FULL, id=f"{turn}-{key}", key_id=f"key_{key}") for key in range(10)]
        insert(engine, batch, intake)
    assert len(intake._callers) <= 3
    assert (count(engine, "callers"), count(engine, "calls")) == (10, 20)
    assert read(engine, "1-7")["key_id"] == "key_7"


def test_every_block_knows_its_latest_call(engine: Engine) -> None:
    """Of each block, the latest end is known however the batches were cut, out of order too."""
    size = 1 << BLOCK_BITS
    ends = [*range(1_000, 1_000 + size), *range(50, 50 + size), 7, 9]
    for start in range(0, len(ends), 1_500):
        batch = ends[start : start + 1_500]
        insert(engine, [msgspec.structs.replace(FULL, id=f"{start}-{n}", finished=end) for n, end in enumerate(batch)])
    with engine.connect() as connection:
        known = {row[0]: row[1] for row in connection.exec_driver_sql("SELECT block, latest FROM blocks")}
        latest = f"SELECT number >> {BLOCK_BITS}, max(finished) FROM calls GROUP BY 1"
        true = {row[0]: row[1] for row in connection.exec_driver_sql(latest)}
    assert len(true) == 3
    assert all(known[block] >= latest for block, latest in true.items())
    assert known[2] < max(ends)
