"""What the call was, into the journal and the columns: once a request whose caller is known, before its last byte."""

from __future__ import annotations

from time import monotonic_ns

import msgspec

from gateline.gateway.exchange import CLIENT_GONE, Exchange
from gateline.model.record import RECORD_VERSION, Record
from gateline.net.clock import Clock
from gateline.store import columns
from gateline.store.columns import bucket_of, row_base, status_field
from gateline.store.inflight import InFlight
from gateline.store.journal import Journal

_NO_MODEL = row_base(0)  # calls that named no model we have: one row, whatever clients invent


class Recorder:
    """One a worker. `cells` is the worker's block of the shared columns."""

    def __init__(self, journal: Journal, in_flight: InFlight, cells: memoryview[int], clock: Clock) -> None:
        self._journal = journal
        self._in_flight = in_flight
        self._cells = cells
        self._clock = clock
        self._encode = msgspec.msgpack.Encoder().encode

    def note(self, exchange: Exchange) -> None:
        """Appends the record and counts it. A caller that stayed unknown is only counted, by status."""
        connection = exchange.connection
        if connection.gone:
            exchange.status = CLIENT_GONE
            exchange.error = exchange.error or "client_gone"
        key = exchange.key
        if key is None:
            self._cells[columns.unknown_caller_field(exchange.status)] += 1
            return
        now = monotonic_ns()
        epoch = self._clock.epoch
        sends_last = bool(exchange.last) and not connection.gone and not exchange.broken
        first = exchange.first_byte_at or (now if sends_last else 0)
        if sends_last:
            exchange.bytes_out += len(exchange.last)
        overhead = now - exchange.started - exchange.upstream_ns - exchange.waited_ns - exchange.connect
        target = exchange.target
        self._journal.append(
            self._encode(
                Record(
                    RECORD_VERSION,
                    exchange.id,
                    key.tenant,
                    key.id,
                    exchange.operation,
                    exchange.model,
                    target.label if target is not None else "",
                    exchange.status,
                    exchange.error,
                    exchange.stream,
                    connection.gone,
                    exchange.started + epoch,
                    first + epoch if first else 0,
                    now + epoch,
                    overhead,
                    exchange.attempts,
                    exchange.usage,
                    exchange.usage_source,
                    exchange.cost,
                    exchange.bytes_in,
                    exchange.bytes_out,
                    exchange.queue,
                    exchange.connect,
                    exchange.engine_cpu,
                    exchange.flow.busy,
                )
            )
        )
        if exchange.slot >= 0:
            self._in_flight.close(exchange.slot)
            exchange.slot = -1
        self._count(exchange, now, first, overhead)

    def _count(self, exchange: Exchange, now: int, first: int, overhead: int) -> None:
        cells = self._cells
        if exchange.target is not None:
            base = exchange.target.base
        elif exchange.model_route is not None:
            base = exchange.model_route.base
        else:
            base = _NO_MODEL
        cells[base + status_field(exchange.status)] += 1
        if exchange.error:
            cells[base + columns.ERRORS] += 1
        if len(exchange.attempts) > 1:
            cells[base + columns.RETRIES] += len(exchange.attempts) - 1
        usage = exchange.usage
        if usage is not None:
            cells[base + columns.INPUT_TOKENS] += usage.input
            cells[base + columns.OUTPUT_TOKENS] += usage.output
            if usage.cached:
                cells[base + columns.CACHED_TOKENS] += usage.cached
            if usage.reasoning:
                cells[base + columns.REASONING_TOKENS] += usage.reasoning
            if exchange.cost is None:
                cells[base + columns.UNPRICED] += 1
            else:
                cells[base + columns.COST_NANO] += exchange.cost
        latency = now - exchange.started
        cells[base + columns.LATENCY_SUM_NS] += latency
        cells[base + columns.LATENCY_BUCKETS + bucket_of(latency)] += 1
        if first:
            waited = first - exchange.started
            cells[base + columns.FIRST_BYTE_SUM_NS] += waited
            cells[base + columns.FIRST_BYTE_BUCKETS + bucket_of(waited)] += 1
        if overhead > 0:
            cells[base + columns.OVERHEAD_SUM_NS] += overhead
        cells[base + columns.OVERHEAD_BUCKETS + bucket_of(max(overhead, 0))] += 1
