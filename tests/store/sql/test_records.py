from __future__ import annotations

from pathlib import Path

from sqlalchemy import inspect, select
from sqlalchemy.orm import Session

from gateline.model.record import Attempt, Opened, Record, record_of_lost
from gateline.model.usage import Usage
from gateline.store.sql.base import Base, connect
from gateline.store.sql.records import RecordRow, values_of

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
    [Attempt("up/model", 500, "broken", 21, 22), Attempt("up/b", 200, "", 31, 32, Usage(1, 2, 3, 4), "provider", 5)],
    Usage(41, 42, 43, 44),
    "provider",
    51,
    52,
    53,
    54,
    55,
    56,
    57,
)


def test_every_field_lands_in_the_column_of_its_name(tmp_path: Path) -> None:
    """The plain tuples of the importer and the mapped class agree, field by field."""
    engine = connect(tmp_path / "db")
    Base.metadata.create_all(engine)
    columns = [column.name for column in RecordRow.__table__.columns]
    values = values_of(FULL)
    assert len(values) == len(columns)
    with engine.begin() as connection:
        marks = ", ".join("?" * len(columns))
        connection.exec_driver_sql(f"INSERT INTO records VALUES ({marks})", values)
    with Session(engine) as session:
        row = session.scalars(select(RecordRow)).one()
        plain = {name for name in columns if name in Record.__struct_fields__} - {"attempts"}
        assert {name: getattr(row, name) for name in plain} == {name: getattr(FULL, name) for name in plain}
        assert plain | {"attempts", "usage"} == set(Record.__struct_fields__)
        assert (row.input_tokens, row.output_tokens, row.cached_tokens, row.reasoning_tokens) == (41, 42, 43, 44)
        assert row.attempts[0]["error"] == "broken"
        assert row.attempts[0]["usage"] is None
        assert row.attempts[1]["usage"] == {"input": 1, "output": 2, "cached": 3, "reasoning": 4}
    engine.dispose()


def test_the_unknown_is_null(tmp_path: Path) -> None:
    """A lost call has no tokens and no cost: NULL, never zero."""
    engine = connect(tmp_path / "db")
    Base.metadata.create_all(engine)
    lost = record_of_lost(Opened("id", "t", "k", 0, "chat", "m", "up/m", stream=True, started=5), finished=9)
    values = dict(zip((column.name for column in RecordRow.__table__.columns), values_of(lost), strict=True))
    assert values["input_tokens"] is values["output_tokens"] is values["cost"] is None
    assert values["error"] == "worker_died"
    engine.dispose()


def test_questions_by_time_have_an_index_and_no_other_is_kept() -> None:
    """Totals are asked since a moment, which leads an index; a second one would cost every import and help none."""
    table = RecordRow.__table__
    assert {index.columns[0].name for index in table.indexes} == {"finished"}  # type: ignore[attr-defined]
    assert [column.name for column in inspect(RecordRow).primary_key] == ["id"]
