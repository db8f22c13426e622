from __future__ import annotations

import mmap
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateline.store import columns as c


@given(st.integers(0, 10**14))
def test_a_duration_falls_into_the_bucket_of_its_bounds(ns: int) -> None:
    """A bucket's upper bound is above the duration and the bound before it is not."""
    bucket = c.bucket_of(ns)
    assert 0 <= bucket < c.BUCKETS
    assert bucket == c.LAST_BUCKET or ns < c.BOUNDS_NS[bucket]
    assert bucket == 0 or ns >= c.BOUNDS_NS[bucket - 1]


def test_fields_do_not_overlap() -> None:
    """Every field and every histogram has cells of its own, inside its block."""
    row = [*range(c.STATUS_2XX, c.LATENCY_SUM_NS)]
    for first in (c.LATENCY_BUCKETS, c.FIRST_BYTE_BUCKETS, c.OVERHEAD_BUCKETS):
        row += [first - 1, *range(first, first + c.BUCKETS)]
    worker = [*range(c.CONNECTIONS, c.QUEUE_WAIT_SUM_NS)]
    for first in (c.QUEUE_WAIT_BUCKETS, c.LOOP_LAG_BUCKETS):
        worker += [first - 1, *range(first, first + c.BUCKETS)]
    worker += [c.unknown_caller_field(status) for status in (*c.UNKNOWN_CALLER_STATUSES, 599)]
    for cells, width in ((row, c.ROW_WIDTH), (worker, c.WORKER_WIDTH)):
        assert len(set(cells)) == len(cells)
        assert max(cells) < width
    assert c.row_base(0) == c.WORKER_WIDTH
    assert c.row_base(c.ROWS) * 8 * 3 == c.size(3)


@pytest.mark.parametrize(
    ("status", "field"),
    [
        (200, c.STATUS_2XX),
        (204, c.STATUS_2XX),
        (302, c.STATUS_3XX),
        (404, c.STATUS_4XX),
        (429, c.STATUS_429),
        (499, c.STATUS_499),
        (500, c.STATUS_5XX),
        (529, c.STATUS_5XX),
        (0, c.STATUS_5XX),
        (999, c.STATUS_5XX),
    ],
)
def test_a_status_has_its_class(status: int, field: int) -> None:
    """429 and 499 are counted apart from the other 4xx; nonsense is a server error."""
    assert c.status_field(status) == field


def test_sums_over_forked_workers_are_exact() -> None:
    """Each process counts in its own block of the same pages; the sum misses nothing."""
    shared = mmap.mmap(-1, c.size(3))
    columns = c.Columns(shared, 3)
    pids = []
    for place in range(3):
        pid = os.fork()
        if pid == 0:
            try:
                block = columns.worker(place)
                base = c.row_base(c.ROWS - 1)
                for _ in range(10_000):
                    block[c.ACCEPTED] += 1
                    block[base + c.INPUT_TOKENS] += 3
                os._exit(0)
            finally:
                os._exit(1)
        pids.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0, 0, 0]
    assert columns.total(c.ACCEPTED) == 30_000
    assert columns.total(c.row_base(c.ROWS - 1) + c.INPUT_TOKENS) == 90_000
    assert columns.totals(c.row_base(c.ROWS - 1), c.ROW_WIDTH)[c.INPUT_TOKENS] == 90_000


def test_a_dead_workers_gauges_go_and_its_counters_stay() -> None:
    """Only the worker named loses its gauges."""
    columns = c.Columns(bytearray(c.size(2)), 2)
    base = c.row_base(17)
    for place in range(2):
        block = columns.worker(place)
        for field in (*c.WORKER_GAUGES, c.ACCEPTED, base + c.IN_FLIGHT, base + c.STATUS_2XX):
            block[field] = 5
    columns.zero_gauges(0)
    for field in (*c.WORKER_GAUGES, base + c.IN_FLIGHT):
        assert columns.total(field) == 5
    for field in (c.ACCEPTED, base + c.STATUS_2XX):
        assert columns.total(field) == 10


def test_a_map_that_is_too_small_is_refused() -> None:
    """A mistake in the sizes is found at start, not by a worker's IndexError."""
    with pytest.raises(ValueError, match="2 workers"):
        c.Columns(bytearray(c.size(1)), 2)
