"""What the call was, into the journal and the columns: once a request whose caller is known, before its last byte."""

from __future__ import annotations

from time import monotonic_ns

import msgspec

from gateline.gateway.exchange import CLIENT_GONE, Exchange
from gateline.gateway.tally import Tallies
from gateline.model.record import RECORD_VERSION, Record
from gateline.net.clock import Clock
from gateline.store.columns import (
    CACHED_TOKENS,
    COST_NANO,
    ERRORS,
    FIRST_BYTE_BUCKETS,
    FIRST_BYTE_SUM_NS,
    INPUT_TOKENS,
    LATENCY_BUCKETS,
    LATENCY_SUM_NS,
    OUTPUT_TOKENS,
    OVERHEAD_BUCKETS,
    OVERHEAD_SUM_NS,
    REASONING_TOKENS,
    RETRIES,
    UNPRICED,
    bucket_of,
    status_field,
    unknown_caller_field,
)
from gateline.store.inflight import InFlight
from gateline.store.journal import Journal

_NO_MODEL = 0  # the row of calls that named no model we have: one for all, whatever clients invent


class Recorder:
    """One a worker. `cells` is the worker's block of the shared columns."""

    def __init__(
        self, journal: Journal, in_flight: InFlight, cells: memoryview[int], tallies: Tallies, clock: Clock
    ) -> None:
        self._journal = journal
        self._in_flight = in_flight
        self._cells = cells
        self._no_model = tallies.row(_NO_MODEL)
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
            self._cells[unknown_caller_field(exchange.status)] += 1
            return
        now = monotonic_ns()
        epoch = self._clock.epoch
        sends_last = bool(exchange.last) and not connection.gone and not exchange.broken
        first = exchange.first_byte_at or (now if sends_last else 0)
        if sends_last:
            exchange.bytes_out += len(exchange.last)
        overhead = max(0, now - exchange.started - exchange.upstream_ns - exchange.waited_ns - exchange.connect)
        target = exchange.target
        self._journal.append(
            self._encode(
                Record(
                    RECORD_VERSION,
                    exchange.id.decode(),
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
        row = exchange.target or exchange.model_route
        counts = (row.tally if row is not None else self._no_model).touch()
        counts[status_field(exchange.status)] += 1
        if exchange.error:
            counts[ERRORS] += 1
        if len(exchange.attempts) > 1:
            counts[RETRIES] += len(exchange.attempts) - 1
        usage = exchange.usage
        if usage is not None:
            counts[INPUT_TOKENS] += usage.input
            counts[OUTPUT_TOKENS] += usage.output
            counts[CACHED_TOKENS] += usage.cached
            counts[REASONING_TOKENS] += usage.reasoning
        if exchange.cost is not None:
            counts[COST_NANO] += exchange.cost
        elif exchange.attempts:
            counts[UNPRICED] += 1
        latency = now - exchange.started
        counts[LATENCY_SUM_NS] += latency
        counts[LATENCY_BUCKETS + bucket_of(latency)] += 1
        if first:
            waited = first - exchange.started
            counts[FIRST_BYTE_SUM_NS] += waited
            counts[FIRST_BYTE_BUCKETS + bucket_of(waited)] += 1
        counts[OVERHEAD_SUM_NS] += overhead
        counts[OVERHEAD_BUCKETS + bucket_of(overhead)] += 1
