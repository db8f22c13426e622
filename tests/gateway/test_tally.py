from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from gateline.gateway import tally as tally_module
from gateline.gateway.tally import Fields, Tallies
from gateline.model.record import RECORD_VERSION, Attempt, Record
from gateline.model.usage import Usage
from gateline.store import columns
from gateline.store.columns import Columns, bucket_of, row_base, status_field

ROW = 3
STATUSES = [200, 404, 429, 499, 502]
tokens = st.integers(0, 10_000)
usages = st.none() | st.builds(Usage, tokens, tokens, tokens, tokens)


@st.composite
def records(draw: st.DrawFn) -> Record:
    started = 1_700_000_000_000_000_000
    attempts = [Attempt("up/m", 200) for _ in range(draw(st.integers(0, 3)))]
    first = draw(st.sampled_from([0, started + 5_000_000]))
    return Record(
        RECORD_VERSION, "id", "t", "k", "chat.completions", "m", "up/m", draw(st.sampled_from(STATUSES)),
        draw(st.sampled_from(["", "x"])), False, False, started, first, started + draw(st.integers(1, 10**10)),
        draw(st.integers(0, 10**7)), attempts, draw(usages), "none", draw(st.none() | st.integers(0, 10**9)), 1, 1,
    )  # fmt: skip


def fields_of(record: Record) -> Fields:
    return tuple(getattr(record, name) for name in msgspec.structs.asdict(record))


def buckets(cells: Any, first: int, durations: list[int]) -> bool:
    """Whether the buckets from `first` on hold exactly these durations, as far as they fall into them."""
    return all(cells[first + bucket_of(each)] >= 1 for each in durations)


@given(st.lists(records(), max_size=8), st.integers(1, 3), st.integers(0, 4))
def test_counted_together_is_counted_one_by_one(noted: list[Record], most: int, few: int) -> None:
    """Whatever was noted, whenever it is counted and in which of the two ways, the row's columns hold its sums."""
    table = Columns(bytearray(columns.size(1)), 1)
    cells = table.worker(0)
    tallies = Tallies(cells)
    row = tallies.row(ROW)
    before = tally_module._MOST, tally_module._FEW
    tally_module._MOST, tally_module._FEW = most, few
    try:
        for record in noted:
            row.note(fields_of(record))
        tallies.count()
        tallies.count()
    finally:
        tally_module._MOST, tally_module._FEW = before
    base = row_base(ROW)
    for code in STATUSES:
        times = sum(status_field(record.status) == status_field(code) for record in noted)
        assert cells[base + status_field(code)] == times
    used = [record.usage for record in noted if record.usage]
    sums = {
        columns.ERRORS: sum(record.error != "" for record in noted),
        columns.RETRIES: sum(max(0, len(record.attempts) - 1) for record in noted),
        columns.INPUT_TOKENS: sum(usage.input for usage in used),
        columns.OUTPUT_TOKENS: sum(usage.output for usage in used),
        columns.CACHED_TOKENS: sum(usage.cached for usage in used),
        columns.REASONING_TOKENS: sum(usage.reasoning for usage in used),
        columns.COST_NANO: sum(record.cost or 0 for record in noted),
        columns.UNPRICED: sum(record.cost is None and record.attempts != [] for record in noted),
        columns.LATENCY_SUM_NS: sum(record.finished - record.started for record in noted),
        columns.FIRST_BYTE_SUM_NS: sum(record.first_byte - record.started for record in noted if record.first_byte),
        columns.OVERHEAD_SUM_NS: sum(record.overhead for record in noted),
    }
    assert {field: cells[base + field] for field in sums} == sums
    assert buckets(cells, base + columns.LATENCY_BUCKETS, [record.finished - record.started for record in noted])
    assert buckets(cells, base + columns.OVERHEAD_BUCKETS, [record.overhead for record in noted])
    waited = [record.connect for record in noted if record.connect]
    assert cells[columns.QUEUE_WAIT_SUM_NS] == sum(waited)
    assert buckets(cells, columns.QUEUE_WAIT_BUCKETS, waited)


def test_both_ways_of_counting_give_the_same_columns() -> None:
    """Every cell of the map, not only the row's, is the same however the records were added."""
    noted = [
        Record(
            RECORD_VERSION, "id", "t", "k", "chat.completions", "m", "up/m", status, "", False, False, 5, first, 10**9,
            7, [Attempt("up/m", 200)] * tries, Usage(3, 4, 1, 2), "none", cost, 1, 1, connect=connect,
        )
        for status, first, tries, cost, connect in [(200, 99, 1, 5, 0), (502, 0, 3, None, 10**6), (429, 0, 0, None, 0)]
    ]  # fmt: skip
    seen = []
    for few in (0, len(noted)):
        buffer = bytearray(columns.size(1))
        tallies = Tallies(Columns(buffer, 1).worker(0))
        before, tally_module._FEW = tally_module._FEW, few
        try:
            for record in noted:
                tallies.row(ROW).note(fields_of(record))
            tallies.count()
        finally:
            tally_module._FEW = before
        seen.append(bytes(buffer))
    assert seen[0] == seen[1]
    assert any(seen[0])


def test_a_row_has_one_tally() -> None:
    """However many configurations name a row, its counts are gathered in one place and none is lost."""
    table = Columns(bytearray(columns.size(1)), 1)
    tallies = Tallies(table.worker(0))
    assert tallies.row(ROW) is tallies.row(ROW)
    assert tallies.row(ROW) is not tallies.row(ROW + 1)
