"""What the call was, into the journal and the metrics: once a request whose caller is known, before its last byte."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic_ns

import msgspec

from gateline.gateway.exchange import CLIENT_GONE, Exchange
from gateline.gateway.tally import Fields, Tallies
from gateline.model.record import RECORD_VERSION
from gateline.net.clock import Clock
from gateline.store.columns import JOURNAL_REFUSED, unknown_caller_field
from gateline.store.inflight import InFlight
from gateline.store.journal import Journal, JournalFull
from gateline.wire.http1 import RequestHead

# Told of each failure: event, status, code, request id, and what it was about: what was asked for, or the target. How
# many of them are written down is not a stage's business.
Notice = Callable[[str, int, str, str, str], None]

_LONGEST_PATH = 200  # bytes
_NO_MODEL = 0  # the row of calls that named no model we have: one for all, whatever clients invent


class Recorder:
    """One a worker. `cells` is the worker's block of the shared columns."""

    def __init__(
        self,
        journal: Journal,
        in_flight: InFlight,
        cells: memoryview[int],
        tallies: Tallies,
        clock: Clock,
        notice: Notice,
    ) -> None:
        self._append = journal.append
        self._in_flight = in_flight
        self._cells = cells
        self._no_model = tallies.row(_NO_MODEL)
        self._clock = clock
        self._notice = notice
        self._encode = msgspec.msgpack.Encoder().encode

    def note(self, exchange: Exchange) -> None:
        """Appends the record and counts it. A caller that stayed unknown is only counted, by status."""
        gone = exchange.connection.gone
        if gone:
            exchange.status = CLIENT_GONE
            exchange.error = exchange.error or "client_gone"
        key = exchange.key
        if key is None:
            self._cells[unknown_caller_field(exchange.status)] += 1
            asked = first_line(exchange.connection.request)
            self._notice("request_refused", exchange.status, exchange.error, exchange.id.decode(), asked)
            return
        now = monotonic_ns()
        started = exchange.started
        epoch = self._clock.epoch
        first = exchange.first_byte_at
        last = exchange.last
        if last and not gone and not exchange.broken:
            exchange.bytes_out += len(last)
            first = first or now
        target = exchange.target
        overhead = now - started - exchange.upstream_ns - exchange.waited_ns - exchange.connect
        # A tuple encodes as the struct `Record` does, without making one.
        fields: Fields = (
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
            gone,
            started + epoch,
            first + epoch if first else 0,
            now + epoch,
            overhead if overhead > 0 else 0,  # noqa: FURB136 - a call of max() costs as much again
            exchange.attempts,
            exchange.usage,
            exchange.usage_source,
            exchange.cost,
            exchange.bytes_in,
            exchange.bytes_out,
            exchange.queue,
            exchange.connect,
            exchange.engine_cpu,
            exchange.flow.busy + now - exchange.flow.woken,  # the slice that ends with this record is still running
        )
        try:
            payload = self._encode(fields)
        except (UnicodeEncodeError, OverflowError):
            # Others' text and numbers are checked where they are read. What slips through costs its details, never the
            # record: those are the only fields that were not made here.
            fields = (*fields[:8], "unrecordable", *fields[9:15], [], None, "none", None, *fields[19:])
            payload = self._encode(fields)
        try:
            self._append(payload)
        except JournalFull:
            # Nothing is served unrecorded: the answer is cut off, and the slot stays for the supervisor to record.
            self._cells[JOURNAL_REFUSED] += 1
            exchange.broken = True
            return
        if exchange.slot >= 0:
            self._in_flight.close(exchange.slot)
            exchange.slot = -1
        if exchange.status >= 500 or (exchange.has_started and exchange.error and not gone):
            self._notice("call_failed", exchange.status, exchange.error, fields[1], fields[6])
        row = target or exchange.model_route
        (row.tally if row is not None else self._no_model).note(fields)


def first_line(request: RequestHead) -> str:
    """For the log: what was asked for, without the query, in which some clients send their key."""
    return (request.method + b" " + request.path[:_LONGEST_PATH]).decode("ascii", "replace")
