"""Local engines as upstreams: one framed connection an engine, many leases on it."""

from __future__ import annotations

from pathlib import Path
from time import monotonic_ns

from gateline.model.engine import Cancel, Data, End, FromEngine, Head, State, Submit
from gateline.model.errors import (
    ModelLoading,
    TooLarge,
    Unavailable,
    UpstreamBroken,
    UpstreamError,
    UpstreamUnreachable,
)
from gateline.net.flow import Flow
from gateline.net.lease import COLLECT, Lease
from gateline.net.link import Link

_LONGEST = 4 * 1024 * 1024  # bytes of a call: several times what fills a context, however it is escaped
_ABSENT = State(state="loading", detail="starting", retry_after=2.0)


class EngineLease(Lease):
    """One request on an engine. The engine paces itself by what it generates: there is nothing to pause."""

    __slots__ = ("id", "link")

    def __init__(self, link: EngineLink, number: int, flow: Flow) -> None:
        super().__init__()
        self.reset(flow)
        self.id = number
        self.link = link
        self.sent_at = monotonic_ns()

    def release(self) -> None:
        self.flow = None

    def settle(self) -> None:
        self.flow = None

    def abort(self) -> None:
        self.flow = None
        self.link.cancel(self)

    def resume(self) -> None:
        pass


class EngineLink:
    """The connection to one engine. `state` is what it said last; `open` its leases by number."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.state: State = _ABSENT
        self.open: dict[int, EngineLease] = {}
        self._next = 1
        self._link = Link(path, FromEngine, receive=self._receive, opened=self._opened, lost=self._lost)

    def start(self) -> None:
        self._link.start()

    def close(self) -> None:
        self._link.close()

    def submit(self, flow: Flow, path: str, body: bytes) -> EngineLease:
        """Raises ModelLoading or Unavailable, with a Retry-After, while the engine cannot serve or does not take what
        it has been sent; TooLarge for a body that no context has room for."""
        if len(body) > _LONGEST:
            raise TooLarge(f"The call has {len(body)} bytes: a local model takes at most {_LONGEST}. Send less.")
        state = self.state
        if state.state == "loading":
            wait = max(1.0, state.retry_after)
            raise ModelLoading(
                f"The model is still loading ({state.detail or 'starting'}): try again.", retry_after=wait
            )
        if state.state == "failed":
            raise Unavailable(f"The local model cannot run: {state.detail}", retry_after=60)
        if not self._link.has_room(len(body)):
            raise Unavailable("The model's engine has more to read than it has room for: try again.", retry_after=1)
        lease = EngineLease(self, self._next, flow)
        self._next += 1
        self.open[lease.id] = lease
        if not self._link.send(Submit(lease.id, path, body)):
            del self.open[lease.id]
            raise ModelLoading("The model's engine is starting again: try again.", retry_after=2)
        return lease

    def cancel(self, lease: EngineLease) -> None:
        if self.open.pop(lease.id, None) is not None:
            self._link.send(Cancel(lease.id))

    def _opened(self) -> None:
        self.state = _ABSENT

    def _lost(self) -> None:
        self.state = State(state="loading", detail="restarting", retry_after=2.0)
        broken, self.open = self.open, {}
        for lease in broken.values():
            error: UpstreamError = (
                UpstreamBroken("The model's engine died while it was answering.")
                if lease.first_byte_at
                else UpstreamUnreachable("The model's engine died before it answered.")
            )
            self._end(lease, error)

    def _receive(self, message: FromEngine) -> None:
        if isinstance(message, State):
            self.state = message
            return
        lease = self.open.get(message.id)
        if lease is None:
            return  # cancelled: what is still under way is dropped
        flow = lease.flow
        if isinstance(message, Data):
            lease.chunks.append(message.data)
            lease.size += len(message.data)
            lease.is_large = not lease.is_stream and lease.size > COLLECT
            if flow is not None and (lease.is_stream or lease.is_large):
                flow.wake()
        elif isinstance(message, Head):
            lease.first_byte_at = monotonic_ns()
            lease.status = message.status
            lease.headers = []
            lease.lines = b"content-type: %b\r\n" % message.content_type.encode()
            if message.retry_after is not None:
                lease.headers.append((b"retry-after", str(max(1, round(message.retry_after))).encode()))
            lease.is_stream = message.content_type.startswith("text/event-stream")
        elif isinstance(message, End):
            del self.open[lease.id]
            lease.queue = message.queue
            lease.engine_cpu = message.cpu
            self._end(lease, UpstreamBroken(f"The model's engine failed: {message.error}") if message.error else None)

    def _end(self, lease: EngineLease, failure: UpstreamError | None) -> None:
        lease.last_byte_at = monotonic_ns()
        lease.failure = failure
        lease.complete = failure is None
        if lease.flow is not None:
            lease.flow.wake()
