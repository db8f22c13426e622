"""What a worker has seen since it last told: counters and raw samples, cheap to add to. Percentiles come later."""

from __future__ import annotations

from array import array
from time import process_time_ns

from gateline.bench.connection import Connection
from gateline.bench.plan import Tick

UNIT_NS = 100  # samples are kept in tenths of a microsecond: 32 bits then reach 429 seconds
_MOST = 2**32 - 1
OK = 200


class Recorder:
    """`latency` counts from the decided time to the last byte, `first` from there to the first byte of the body, or
    of the first event; `gap` between reads that brought events; `age` of an event stamped by the fast fake; `late`
    is how long after its decided time a request left, where it had one."""

    def __init__(self) -> None:
        self._tick = Tick()
        self._samples: dict[str, array[int]] = {}
        self._latency = self.samples("latency")
        self._late = self.samples("late")
        self._cpu_start = process_time_ns()

    def samples(self, name: str) -> array[int]:
        return self._samples.setdefault(name, array("I"))

    def sent(self, size: int, late_ns: int) -> None:
        tick = self._tick
        tick.sent += 1
        tick.bytes_out += size
        if late_ns:
            self._late.append(units(late_ns))

    def finished(self, connection: Connection, now_ns: int) -> None:
        tick, reply = self._tick, connection.reply
        tick.done += 1
        tick.bytes_in += reply.body_bytes
        status = reply.status
        tick.statuses[status] = tick.statuses.get(status, 0) + 1
        if status != OK:
            self.error(f"status {status}")
            return
        if connection.stream and not self._stream(connection):
            return
        tick.tokens += reply.tokens()
        self._latency.append(units(now_ns - connection.due_ns))

    def error(self, kind: str, count: int = 1) -> None:
        errors = self._tick.errors
        errors[kind] = errors.get(kind, 0) + count

    def unsent(self, count: int) -> None:
        """Requests whose decided time came and that found no free connection before the run ended."""
        if count:
            self._tick.unsent += count
            self.error("unsent", count)

    def tick(self, *, running: int, last: bool = False) -> Tick:
        """Hands over what was gathered and starts anew."""
        tick = self._tick
        tick.open = running
        tick.is_last = last
        tick.cpu_ns = process_time_ns() - self._cpu_start
        tick.samples = {name: values.tobytes() for name, values in self._samples.items() if values}
        for values in self._samples.values():
            del values[:]
        self._tick = Tick(errors={}, statuses={})
        return tick

    def _stream(self, connection: Connection) -> bool:
        """Whether the stream was whole: only then are its times worth anything."""
        reply = connection.reply
        self._tick.events += reply.events
        gaps, stamps = connection.gaps, connection.stamps
        connection.gaps, connection.stamps = [], []
        fault = reply.stream_fault()
        if fault is not None:
            self.error(fault)
            return False
        self.samples("first").append(units(connection.first_ns - connection.due_ns))
        self.samples("gap").extend(map(units, gaps))
        self.samples("age").extend(map(units, stamps))
        return True


def units(nanoseconds: int) -> int:
    return min(max(nanoseconds, 0) // UNIT_NS, _MOST)
