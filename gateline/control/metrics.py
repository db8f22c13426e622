"""The workers' shared columns in Prometheus' words, summed over workers. Labels come from the configuration alone:
a client can mint no series, and every sum over workers is exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from gateline.store import columns as c

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_BOUND_LABELS: Final = (*(repr(bound / 1e9) for bound in c.BOUNDS_NS), "+Inf")
_ROW_LABELS: Final = ("model", "target")

_WORKER_COUNTERS: Final = (
    ("gateline_connections_accepted", "Client connections accepted.", c.ACCEPTED),
    ("gateline_journal_bytes", "Bytes of records written to the journal.", c.JOURNAL_BYTES),
    ("gateline_journal_refused", "Requests refused because their record had no room.", c.JOURNAL_REFUSED),
    ("gateline_limit_lock_missed", "Rate decisions taken without the lock.", c.LIMIT_LOCK_MISSED),
    ("gateline_pipelines_cut", "Connections ended because too much waited behind a request.", c.PIPELINES_CUT),
    (
        "gateline_thread_results_dropped",
        "Work on threads that was not done before the call's time was up, or its client gone.",
        c.THREAD_RESULTS_DROPPED,
    ),
    ("gateline_upstream_connects", "Upstream connections opened.", c.UPSTREAM_CONNECTS),
    ("gateline_worker_restarts", "Workers started again after they died.", c.WORKER_RESTARTS),
)
_WORKER_GAUGES: Final = (
    ("gateline_connections", "Client connections open.", c.CONNECTIONS),
    ("gateline_live_requests", "Requests between head and last byte, unknown callers included.", c.LIVE_REQUESTS),
    ("gateline_streams_open", "Streamed answers under way.", c.STREAMS_OPEN),
    ("gateline_request_body_bytes", "Bytes of request bodies in memory.", c.BODY_BYTES),
    ("gateline_queue_waiting", "Requests waiting for an upstream connection.", c.QUEUE_WAITING),
)
_WORKER_HISTOGRAMS: Final = (
    ("gateline_queue_wait_seconds", "Wait for an upstream connection.", c.QUEUE_WAIT_BUCKETS, c.QUEUE_WAIT_SUM_NS),
    ("gateline_event_loop_lag_seconds", "Lateness of the coarse tick.", c.LOOP_LAG_BUCKETS, c.LOOP_LAG_SUM_NS),
)
_ROW_COUNTERS: Final = (
    ("gateline_errors", "Calls that ended in an error.", c.ERRORS),
    ("gateline_retries", "Attempts after the first.", c.RETRIES),
    ("gateline_unpriced_requests", "Calls whose cost is unknown.", c.UNPRICED),
)
_ROW_HISTOGRAMS: Final = (
    ("gateline_request_duration_seconds", "From head to last byte.", c.LATENCY_BUCKETS, c.LATENCY_SUM_NS),
    (
        "gateline_time_to_first_token_seconds",
        "From head to the answer's first byte.",
        c.FIRST_BYTE_BUCKETS,
        c.FIRST_BYTE_SUM_NS,
    ),
    ("gateline_overhead_seconds", "Time the gateway itself added.", c.OVERHEAD_BUCKETS, c.OVERHEAD_SUM_NS),
)
_TOKENS: Final = (
    ("input", c.INPUT_TOKENS),
    ("output", c.OUTPUT_TOKENS),
    ("cached", c.CACHED_TOKENS),
    ("reasoning", c.REASONING_TOKENS),
)


def render(columns: c.Columns, rows: Mapping[int, tuple[str, str]], access_lines_dropped: int = 0) -> bytes:
    """The exposition, of CONTENT_TYPE. `rows` names each row of the columns: (public model, target, "" for none).

    Rows that were never used are left out. Keep the names of rows that the configuration has dropped, or their
    counters vanish from the sums.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ColumnsCollector(columns, rows, access_lines_dropped))
    return generate_latest(registry)


class ColumnsCollector(Collector):
    """Reads the columns at each scrape; nothing is kept. `access_lines_dropped` is the control process's own count."""

    def __init__(self, columns: c.Columns, rows: Mapping[int, tuple[str, str]], access_lines_dropped: int = 0) -> None:
        self._columns = columns
        self._rows = rows
        self._access_lines_dropped = access_lines_dropped

    def collect(self) -> Iterator[Metric]:
        yield from self._workers()
        used = {}
        for row, labels in self._rows.items():
            cells = self._columns.totals(c.row_base(row), c.ROW_WIDTH)
            if any(cells):
                used[labels] = cells
        yield from self._counted(used)
        yield from self._timed(used)

    def _workers(self) -> Iterator[Metric]:
        total = self._columns.total
        for name, text, field in _WORKER_COUNTERS:
            yield CounterMetricFamily(name, text, value=total(field))
        for name, text, field in _WORKER_GAUGES:
            yield GaugeMetricFamily(name, text, value=total(field))
        pool = GaugeMetricFamily("gateline_upstream_connections", "Upstream connections.", labels=("state",))
        pool.add_metric(("idle",), total(c.POOL_IDLE))
        pool.add_metric(("busy",), total(c.POOL_BUSY))
        yield pool
        worst = max(self._columns.worker(place)[c.LOOP_LAG_MAX_NS] for place in range(self._columns.workers))
        yield GaugeMetricFamily(
            "gateline_event_loop_lag_max_seconds", "Worst recent lateness of any worker.", value=worst / 1e9
        )
        for name, text, first, sum_field in _WORKER_HISTOGRAMS:
            family = HistogramMetricFamily(name, text)
            _add(family, (), self._columns.totals(first, c.BUCKETS), total(sum_field))
            yield family
        unknown = CounterMetricFamily(
            "gateline_unknown_caller_responses", "Answers to callers without a known key.", labels=("status",)
        )
        for status in c.UNKNOWN_CALLER_STATUSES:
            unknown.add_metric((str(status),), total(c.unknown_caller_field(status)))
        unknown.add_metric(("other",), total(c.UNKNOWN_CALLER_OTHER))
        yield unknown
        yield CounterMetricFamily(
            "gateline_access_lines_dropped",
            "Lines of the access log that could not be written; the ledger has their calls.",
            value=self._access_lines_dropped,
        )

    @staticmethod
    def _counted(used: Mapping[tuple[str, str], list[int]]) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "gateline_requests", "Calls of known callers, by what they were told.", labels=(*_ROW_LABELS, "status")
        )
        tokens = CounterMetricFamily(
            "gateline_tokens", "Tokens as counted by the upstream.", labels=(*_ROW_LABELS, "kind")
        )
        cost = CounterMetricFamily(
            "gateline_cost_dollars", "Known cost; see gateline_unpriced_requests.", labels=_ROW_LABELS
        )
        running = GaugeMetricFamily("gateline_requests_in_flight", "Calls under way.", labels=_ROW_LABELS)
        others = [(CounterMetricFamily(name, text, labels=_ROW_LABELS), field) for name, text, field in _ROW_COUNTERS]
        for labels, cells in used.items():
            for field, status in enumerate(c.STATUS_LABELS, c.STATUS_2XX):
                requests.add_metric((*labels, status), cells[field])
            for kind, field in _TOKENS:
                tokens.add_metric((*labels, kind), cells[field])
            cost.add_metric(labels, cells[c.COST_NANO] / 1e9)
            running.add_metric(labels, cells[c.IN_FLIGHT])
            for family, field in others:
                family.add_metric(labels, cells[field])
        yield from (requests, tokens, cost, running, *(family for family, _ in others))

    @staticmethod
    def _timed(used: Mapping[tuple[str, str], list[int]]) -> Iterator[Metric]:
        for name, text, first, sum_field in _ROW_HISTOGRAMS:
            family = HistogramMetricFamily(name, text, labels=_ROW_LABELS)
            for labels, cells in used.items():
                _add(family, labels, cells[first : first + c.BUCKETS], cells[sum_field])
            yield family


def _add(family: HistogramMetricFamily, labels: tuple[str, ...], buckets: list[int], sum_ns: int) -> None:
    """Prometheus wants each bucket to hold all smaller ones too."""
    upto = 0
    cumulative: list[tuple[str, float]] = []
    for bound, count in zip(_BOUND_LABELS, buckets, strict=True):
        upto += count
        cumulative.append((bound, upto))
    family.add_metric(labels, cumulative, sum_ns / 1e9)
