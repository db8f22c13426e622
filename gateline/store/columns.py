"""Counters and gauges of all workers as int64 columns in one shared map. Knows only memory.

Each worker writes only its own block, so no update needs a lock; readers sum the blocks. A block is WORKER fields,
then ROWS rows of ROW fields: `block[ACCEPTED] += 1`, and with `base = row_base(row)`: `block[base + RETRIES] += n`.
Make the map anonymous and shared (`mmap.mmap(-1, size(workers))`) before the first fork: untouched pages cost nothing.
"""

from __future__ import annotations

from mmap import mmap
from typing import Final

# --- histograms ------------------------------------------------------------------------------------------------------

# Bucket k holds durations below FIRST_BOUND_NS * 2**k: 12.5 µs, 25 µs, 50 µs, ... 14 minutes; the last holds the rest.
FIRST_BOUND_NS: Final = 12_500
BUCKETS: Final = 28
LAST_BUCKET: Final = BUCKETS - 1
BOUNDS_NS: Final = tuple(FIRST_BOUND_NS << k for k in range(LAST_BUCKET))


def bucket_of(ns: int) -> int:
    """The bucket of a duration: add it to a histogram's first bucket field. Never negative."""
    bucket = (ns // FIRST_BOUND_NS).bit_length()
    return bucket if bucket < LAST_BUCKET else LAST_BUCKET  # noqa: FURB136 - a call of min() costs as much again


# --- fields of a worker ----------------------------------------------------------------------------------------------

CONNECTIONS: Final = 0  # gauge: client connections open
LIVE_REQUESTS: Final = 1  # gauge: requests between head and last byte
STREAMS_OPEN: Final = 2  # gauge
POOL_IDLE: Final = 3  # gauge: upstream connections waiting
POOL_BUSY: Final = 4  # gauge: upstream connections in use
QUEUE_WAITING: Final = 5  # gauge: requests waiting for an upstream connection
LOOP_LAG_MAX_NS: Final = 6  # gauge: worst of the last ticks
LAST_TICK_NS: Final = 7  # gauge: monotonic time of the last coarse tick
ACCEPTED: Final = 8
JOURNAL_BYTES: Final = 9
JOURNAL_REFUSED: Final = 10  # requests refused because no record could have been written
LIMIT_LOCK_MISSED: Final = 11  # limit decisions taken without the lock
UPSTREAM_CONNECTS: Final = 12
WORKER_RESTARTS: Final = 13  # written by the supervisor, while no worker owns the block
QUEUE_WAIT_SUM_NS: Final = 14
QUEUE_WAIT_BUCKETS: Final = 15
LOOP_LAG_SUM_NS: Final = QUEUE_WAIT_BUCKETS + BUCKETS
LOOP_LAG_BUCKETS: Final = LOOP_LAG_SUM_NS + 1
UNKNOWN_CALLER: Final = LOOP_LAG_BUCKETS + BUCKETS  # answers without a known caller, by status
UNKNOWN_CALLER_STATUSES: Final = (200, 400, 401, 403, 404, 405, 408, 413, 415, 429, 431, 499, 500, 503)
UNKNOWN_CALLER_OTHER: Final = UNKNOWN_CALLER + len(UNKNOWN_CALLER_STATUSES)
NOT_ACCEPTING: Final = UNKNOWN_CALLER_OTHER + 1  # gauge: 1 once the worker takes no new connections
BODY_BYTES: Final = NOT_ACCEPTING + 1  # gauge: bytes of request bodies in memory
PIPELINES_CUT: Final = BODY_BYTES + 1  # client connections ended because too much waited behind a request
THREAD_RESULTS_DROPPED: Final = PIPELINES_CUT + 1  # work on threads that nobody waited for to its end
WORKER_WIDTH: Final = 128

WORKER_GAUGES: Final = (
    CONNECTIONS,
    LIVE_REQUESTS,
    STREAMS_OPEN,
    POOL_IDLE,
    POOL_BUSY,
    QUEUE_WAITING,
    LOOP_LAG_MAX_NS,
    LAST_TICK_NS,
    NOT_ACCEPTING,
    BODY_BYTES,
)

_UNKNOWN_CALLER_FIELDS = {status: UNKNOWN_CALLER + place for place, status in enumerate(UNKNOWN_CALLER_STATUSES)}


def unknown_caller_field(status: int) -> int:
    """The worker field that counts an answer of `status` to a caller we do not know."""
    return _UNKNOWN_CALLER_FIELDS.get(status, UNKNOWN_CALLER_OTHER)


# --- fields of a row (one target, or one model for what reached no target) -------------------------------------------

STATUS_2XX: Final = 0
STATUS_3XX: Final = 1
STATUS_4XX: Final = 2  # without 429 and 499
STATUS_429: Final = 3
STATUS_499: Final = 4  # the client left first
STATUS_5XX: Final = 5
ERRORS: Final = 6  # calls that ended in an error, whatever their status says
RETRIES: Final = 7  # attempts after the first
INPUT_TOKENS: Final = 8
OUTPUT_TOKENS: Final = 9
CACHED_TOKENS: Final = 10
REASONING_TOKENS: Final = 11
COST_NANO: Final = 12  # nano-dollars
UNPRICED: Final = 13  # calls whose cost is unknown
IN_FLIGHT: Final = 14  # gauge
LATENCY_SUM_NS: Final = 15
LATENCY_BUCKETS: Final = 16
FIRST_BYTE_SUM_NS: Final = LATENCY_BUCKETS + BUCKETS
FIRST_BYTE_BUCKETS: Final = FIRST_BYTE_SUM_NS + 1
OVERHEAD_SUM_NS: Final = FIRST_BYTE_BUCKETS + BUCKETS
OVERHEAD_BUCKETS: Final = OVERHEAD_SUM_NS + 1
ROW_WIDTH: Final = 128

STATUS_LABELS: Final = ("2xx", "3xx", "4xx", "429", "499", "5xx")  # in the order of their fields

_STATUS_FIELDS = (STATUS_5XX, STATUS_5XX, STATUS_2XX, STATUS_3XX, STATUS_4XX, STATUS_5XX)


def status_field(status: int) -> int:
    """The row field that counts a call answered with `status`."""
    if status == 200:
        return STATUS_2XX
    if status == 429:
        return STATUS_429
    if status == 499:
        return STATUS_499
    return _STATUS_FIELDS[status // 100] if 100 <= status < 600 else STATUS_5XX


# --- the map ---------------------------------------------------------------------------------------------------------

ROWS: Final = 4096
_BLOCK: Final = WORKER_WIDTH + ROWS * ROW_WIDTH
_INT64: Final = 8


def size(workers: int) -> int:
    """Bytes of the map for so many workers."""
    return workers * _BLOCK * _INT64


def row_base(row: int) -> int:
    """Where row `row` begins in a worker's block. Rows from ROWS on do not exist: the compiler assigns none."""
    return WORKER_WIDTH + row * ROW_WIDTH


class Columns:
    """A view of the shared map for any process that has it."""

    def __init__(self, buffer: mmap | bytearray, workers: int) -> None:
        cells = memoryview(buffer).cast("B").cast("q")
        if len(cells) < workers * _BLOCK:
            raise ValueError(f"{len(cells) * _INT64} bytes hold no columns for {workers} workers")
        self.workers = workers
        self._blocks = tuple(cells[place * _BLOCK : (place + 1) * _BLOCK] for place in range(workers))

    def worker(self, place: int) -> memoryview[int]:
        """The block of one worker, as int64 cells. Only that worker may write it while it lives."""
        return self._blocks[place]

    def total(self, field: int) -> int:
        """A worker field, or `row_base(row) + field`, summed over all workers."""
        return sum(block[field] for block in self._blocks)

    def totals(self, first: int, count: int) -> list[int]:
        """`count` fields from `first` on, each summed over all workers."""
        slices = [block[first : first + count].tolist() for block in self._blocks]
        return [sum(cells) for cells in zip(*slices, strict=True)]

    def zero_gauges(self, place: int) -> None:
        """A worker has died: what it had open is no more. Its counters stay, so that sums never go back."""
        block = self._blocks[place]
        for field in WORKER_GAUGES:
            block[field] = 0
        for cell in range(WORKER_WIDTH + IN_FLIGHT, _BLOCK, ROW_WIDTH):
            block[cell] = 0
