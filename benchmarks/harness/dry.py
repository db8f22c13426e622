"""A worker's whole pipeline without sockets: fake transports feed a client's and an upstream's connection.

Composed as `gateline.app.worker` composes it, with everything on. The loop exists but never runs: a request that the
upstream answers at once needs no turn of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from mmap import mmap
from pathlib import Path
from typing import Any

from benchmarks.harness.nginx import reply_body
from gateline.gateway.admit import Admit
from gateline.gateway.attempt import Attempts
from gateline.gateway.front import Front
from gateline.gateway.identify import Identify
from gateline.gateway.keytable import KeyTable
from gateline.gateway.pipeline import Pipeline
from gateline.gateway.read import Read
from gateline.gateway.record import Recorder
from gateline.gateway.responses import Responses
from gateline.gateway.router import Upstreams
from gateline.gateway.tally import Tallies
from gateline.gateway.tokens import TokenTable
from gateline.model.feed import Changed
from gateline.model.key import Key, key_hash
from gateline.model.snapshot import DEFAULT_TENANT, Model, Provider, Snapshot, Target
from gateline.model.usage import PRICE_SCALE, Price
from gateline.net.clock import Clock
from gateline.net.connect import Connector
from gateline.net.egress import EgressPolicy
from gateline.net.peeklink import PeekLink
from gateline.net.server import ClientConnection
from gateline.net.service import Service
from gateline.net.upstream import UpstreamConnection
from gateline.store import columns, limits
from gateline.store.inflight import InFlight
from gateline.store.journal import Journal, new_incarnation
from gateline.store.limits import Limits
from gateline.store.responses import ResponseStore

TOKEN = "sk-gl-0123456789abcdefghijklmnopqrstuv"
MODEL = "gpt-4o"
_PEPPER = bytes(32)
_NO_LIMIT = 2_000_000_000  # computed for every request, never reached
PLAIN_REPLY = (
    "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Tue, 24 Nov 2026 17:00:00 GMT\r\nContent-Type: application/json\r\n"
    f"Content-Length: {len(reply_body())}\r\nConnection: keep-alive\r\n\r\n{reply_body()}"
).encode()


def chat_request(body: str) -> bytes:
    """A client's whole request, with the key that the dry gateway knows."""
    return (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


class Wire(asyncio.Transport):
    """Takes what is written and keeps the last of it."""

    def __init__(self) -> None:
        super().__init__()
        self.last: bytes | bytearray | memoryview = b""
        self._closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.last = data

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        for data in list_of_data:
            self.last = data

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        self._closing = True

    abort = close

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing is ever buffered here."""

    def pause_reading(self) -> None:
        raise AssertionError("a reply this small pauses nothing")

    def resume_reading(self) -> None:
        """Nothing was paused."""


class DryGateway:
    """`ask` runs one request from its bytes to its answer's last byte."""

    def __init__(self, service: Service, upstream: UpstreamConnection, wire: Wire) -> None:
        self._client = ClientConnection(service)
        self._client.connection_made(wire)
        self._upstream = upstream
        self._wire = wire

    def ask(self, request: bytes, *reply: bytes) -> bytes | bytearray | memoryview:
        """The last piece that the client gets when the upstream's `reply` arrives in these pieces."""
        self._client.data_received(request)
        for piece in reply:
            self._upstream.data_received(piece)
        return self._wire.last


@contextmanager
def dry_gateway(folder: Path) -> Iterator[DryGateway]:
    """`folder` must be short enough for a socket's path."""
    loop = asyncio.new_event_loop()
    # Nothing runs on the loop, yet what is composed here may ask which one it belongs to.
    asyncio.events._set_running_loop(loop)
    with contextlib.ExitStack() as stack:
        stack.callback(loop.close)
        stack.callback(asyncio.events._set_running_loop, None)
        yield _compose(loop, folder, stack)


def _compose(loop: asyncio.AbstractEventLoop, folder: Path, stack: contextlib.ExitStack) -> DryGateway:
    clock = Clock()
    clock.date = b"date: Tue, 24 Nov 2026 17:00:00 GMT\r\n"
    cells = columns.Columns(bytearray(columns.size(1)), 1).worker(0)
    incarnation = new_incarnation()
    journal = Journal(folder, incarnation)
    in_flight = InFlight(folder, incarnation)
    shared = Limits(mmap(-1, limits.size(1)), 0, 1, folder / "limits.lock")
    tallies = Tallies(cells)
    connector = Connector(loop, EgressPolicy(()))
    tokens = TokenTable(clock, lambda _: None)
    upstreams = Upstreams(connector, clock, tallies, lambda name: folder / f"engine-{name}.sock", tokens)
    peeker = PeekLink(loop, folder / "peek-0.sock", folder / "peek.sock")
    keys = KeyTable(folder / "feed.sock", 0, clock, _no_configuration, _no_cut, lambda _: None)
    keys._receive(Changed(_key()))  # as if the control plane had told it
    for close in (journal.close, in_flight.detach, shared.close, peeker.close):
        stack.callback(close)
    pipeline = Pipeline(
        Identify(keys),
        Admit(shared, journal, cells),
        Read(peeker),
        Attempts(in_flight, clock, peeker, _unrefused),
        Recorder(journal, in_flight, cells, tallies, clock, _unsaid),
        Responses(ResponseStore(folder / "responses"), time.time),
        _defect,
    )
    snapshot = _snapshot()
    router = upstreams.build(snapshot, None)
    front = Front(pipeline, router, cells, _PEPPER, _crashed, _unsaid)
    service = Service(clock, snapshot.server, front, lambda _count: None)
    (target,) = router.targets.values()
    assert target.pool is not None
    upstream = UpstreamConnection(target.pool)
    upstream.connection_made(Wire())
    target.pool.idle.append(upstream)
    return DryGateway(service, upstream, Wire())


def _key() -> Key:
    return Key(
        id="key_0123456789abcdef0123",
        hash=key_hash(TOKEN.encode(), _PEPPER),
        tenant=DEFAULT_TENANT,
        name="bench",
        slot=1,
        changed=1,
        requests_per_minute=_NO_LIMIT,
        concurrency=1_000_000,
    )


def _snapshot() -> Snapshot:
    provider = Provider("up", "openai-compatible", "http", "127.0.0.1", 9, "/v1", "bench")
    price = Price(2_500 * PRICE_SCALE, 10_000 * PRICE_SCALE, 1_250 * PRICE_SCALE)
    target = Target(provider, "gpt-4o-2024-08-06", 1, 1, price)
    return Snapshot(1, {DEFAULT_TENANT: {MODEL: Model(MODEL, (target,), row=2)}})


def _no_configuration(version: int, raw: bytes) -> None:
    raise AssertionError("nobody publishes here")


def _defect(request_id: str, error: BaseException) -> None:
    raise AssertionError(request_id) from error


def _no_cut(key_id: str) -> None:
    """No key is revoked here."""


def _unsaid(event: str, status: int, code: str, request_id: str, about: str) -> None:
    """Nothing listens to refusals here."""


def _unrefused(provider: str, status: int) -> None:
    """Nor to those of vendors."""


def _crashed(error: BaseException) -> Any:
    raise AssertionError("a request crashed") from error
