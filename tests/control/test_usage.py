from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine

from gateline.control.usage import Total, since_of, totals
from gateline.model.record import Attempt, Opened, record_of_lost
from gateline.model.usage import Usage
from gateline.store.sql.base import Base, connect
from gateline.store.sql.intake import Intake


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = connect(tmp_path / "db")
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def add(engine: Engine, name: str, finished: int = 10, **changes: Any) -> None:
    opened = Opened(name, "default", "key_1", 0, "chat", "gpt", "up/gpt", stream=False, started=1)
    record = msgspec.structs.replace(record_of_lost(opened, finished), **{"error": "", **changes})
    with engine.begin() as connection:
        Intake().insert(connection, [record])


def test_groups_add_up(engine: Engine) -> None:
    """Requests, errors, tokens and known cost are sums; what is unknown is counted beside them, never as zero."""
    tried = [Attempt("up/gpt", 200)]
    add(engine, "a", usage=Usage(10, 20, 3, 4), usage_source="provider", cost=100, attempts=tried)
    add(engine, "b", usage=Usage(1, 2, 0, 0), usage_source="estimated", cost=None, attempts=tried)
    add(engine, "c", error="worker_died", attempts=tried)
    add(engine, "d", error="rate_limit_exceeded", status=429, attempts=[])
    add(engine, "f", error="invalid_value", status=400, cost=0, attempts=[Attempt("up/gpt", 400, cost=0)])
    add(engine, "e", model="other", usage=Usage(5, 5), usage_source="provider", cost=9_000_000_000_000)
    assert totals(engine, None, "model") == [
        Total("gpt", 5, 3, 11, 22, 3, 4, 100, unpriced=2, unmetered=1),
        Total("other", 1, 0, 5, 5, 0, 0, 9_000_000_000_000, unpriced=0, unmetered=0),
    ]


def test_parts_of_usage_add_up(engine: Engine) -> None:
    """Tokens written to the cache, of sound and of pictures are sums as well, each under its own name."""
    for name in ("a", "b"):
        add(engine, name, usage=Usage(100, 100, 1, 2, 3, 4, 5, 6, 7, 8, 9), usage_source="provider", cost=1)
    (total,) = totals(engine, None, "model")
    assert msgspec.structs.astuple(total)[-7:] == (6, 8, 10, 12, 14, 16, 18)


def test_a_group_without_any_usage_has_sums_of_zero_and_says_it_is_unmetered(engine: Engine) -> None:
    """NULL sums do not reach the caller."""
    add(engine, "a", attempts=[Attempt("up/gpt")])
    assert totals(engine, None, "tenant") == [Total("default", 1, 0, 0, 0, 0, 0, 0, unpriced=1, unmetered=1)]


def test_since_includes_its_own_moment(engine: Engine) -> None:
    """Records from `since` on count, earlier ones do not."""
    for moment in (9, 10, 11):
        add(engine, f"at {moment}", finished=moment, key_id=f"key_{moment}")
    assert [total.name for total in totals(engine, 10, "key")] == ["key_10", "key_11"]
    assert totals(engine, 12, "key") == []


def test_since_reads_all_blocks_that_may_hold_such_calls(engine: Engine) -> None:
    """Whatever order calls came in, each that finished since then counts: early blocks with late calls too."""
    opened = Opened("", "default", "key_1", 0, "chat", "gpt", "up/gpt", stream=False, started=1)
    lost = record_of_lost(opened, 0)
    finished = [5] * 5_000 + [100] + [5] * 5_000 + [200, 50]
    records = [msgspec.structs.replace(lost, id=f"r{n}", finished=moment) for n, moment in enumerate(finished)]
    with engine.begin() as connection:
        for start in range(0, len(records), 1_000):
            Intake().insert(connection, records[start : start + 1_000])
    counts = {since: totals(engine, since, "model") for since in (5, 50, 51, 101, 201)}
    assert {since: found[0].requests if found else 0 for since, found in counts.items()} == {
        5: 10_003,
        50: 3,
        51: 2,
        101: 1,
        201: 0,
    }


def test_since_is_a_duration_before_now() -> None:
    """None is all time; nonsense is refused with a hint."""
    assert since_of("1h", now=3_700 * 10**9) == 100 * 10**9
    assert since_of(None) is None
    with pytest.raises(ValueError, match="duration"):
        since_of("soon")
