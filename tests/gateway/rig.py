"""A whole worker without sockets: clients and upstreams are transports in the test's hands, and so is the time."""

from __future__ import annotations

import asyncio
import json
import mmap
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from gateline.gateway.admit import Admit
from gateline.gateway.attempt import Attempts
from gateline.gateway.exchange import Exchange
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
from gateline.model.feed import Beat, Rejected
from gateline.model.key import Key, key_hash
from gateline.model.record import Record
from gateline.model.snapshot import Model, Provider, Retry, Snapshot, Target
from gateline.model.usage import Price
from gateline.net.clock import Clock
from gateline.net.egress import EgressPolicy
from gateline.net.server import ClientConnection
from gateline.net.service import Service
from gateline.net.upstream import UpstreamConnection
from gateline.store import columns, limits
from gateline.store.columns import Columns
from gateline.store.datadir import DataDir
from gateline.store.inflight import InFlight
from gateline.store.journal import JournalFull
from gateline.store.limits import Limits
from gateline.store.responses import ResponseStore
from tests.net.transport import FakeTransport

TOKEN = "sk-gl-" + "a" * 43
PRICE = Price(input=10_000_000, output=20_000_000, cached=10_000_000)
BODY = b'{"id":"c","object":"chat.completion","choices":[{}],"usage":{"prompt_tokens":2,"completion_tokens":3}}'


class FakeJournal:
    """Keeps what is appended, decoded. `is_full` makes it refuse; without `room` no new call is taken."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.is_full = False
        self.room = True

    def has_room(self) -> bool:
        return self.room

    def append(self, payload: bytes) -> None:
        if self.is_full:
            raise JournalFull("no room")
        self.records.append(msgspec.msgpack.decode(payload, type=Record))


class NoPeeker:
    """Nobody looks at large bodies: they are read where they are."""

    def ask(self, *_: object) -> None:
        return None

    def ask_translation(self, *_: object, **__: object) -> None:
        return None

    def ask_reply(self, *_: object, **__: object) -> None:
        return None


class Upstream:
    """One connection the worker opened, with the provider's name."""

    def __init__(self, provider: str, connection: UpstreamConnection) -> None:
        self.provider = provider
        self.connection = connection
        self.transport = FakeTransport(connection)

    def reply(self, data: bytes) -> None:
        self.transport.receive(data)

    def lose(self, error: Exception | None = None) -> None:
        self.transport.end(error)

    @property
    def is_broken_off(self) -> bool:
        return "abort" in self.transport.events


class FakeConnector:
    """Opens a connection at once, or fails as `failures` says for a provider's name."""

    def __init__(self) -> None:
        self.egress = EgressPolicy()
        self.opened: list[Upstream] = []
        self.failures: dict[str, Exception] = {}

    async def connect(self, provider: Provider, make: Callable[[], UpstreamConnection]) -> UpstreamConnection:
        await asyncio.sleep(0)
        failure = self.failures.get(provider.name)
        if failure is not None:
            raise failure
        self.opened.append(Upstream(provider.name, make()))
        return self.opened[-1].connection

    def prepare(self, provider: Provider) -> None:
        pass

    def remember_session(self, provider: Provider, transport: Any) -> None:
        pass


def provider(name: str, **fields: Any) -> Provider:
    return Provider(name, "openai-compatible", "http", "127.0.0.1", 9000, "/v1", f"sk-of-{name}", **fields)


def model(name: str, *providers: Provider, fallbacks: tuple[str, ...] = (), weights: Iterable[int] = ()) -> Model:
    weights = tuple(weights) or (1,) * len(providers)
    pairs = zip(providers, weights, strict=True)
    targets = tuple(Target(each, f"{name}-there", weight, 2, PRICE) for each, weight in pairs)
    return Model(name, targets, fallbacks, 1)


def snapshot(*models: Model, **fields: Any) -> Snapshot:
    fields.setdefault("retry", Retry(attempts=2, base=0.01, cap=0.02))
    return Snapshot(1, {"default": {each.name: each for each in models or (model("m", provider("up")),)}}, **fields)


class Gate:
    """`keys` fields go to the one key, which may call `TOKEN`."""

    def __init__(self, folder: Path, configuration: Snapshot | None = None, **key: Any) -> None:
        configuration = configuration or snapshot()
        data_dir = DataDir(folder)
        data_dir.create()
        self.clock = clock = Clock()
        self.journal = FakeJournal()
        self.slots = InFlight(data_dir.journal, "1", slots=64)
        self.columns = Columns(mmap.mmap(-1, columns.size(1)), 1)
        self.cells = cells = self.columns.worker(0)
        self.limits = Limits(mmap.mmap(-1, limits.size(1)), 0, 1, data_dir.limits_lock)
        self.tallies = Tallies(cells)
        self.connector = FakeConnector()
        self.rejected: list[Rejected] = []
        self.tokens = TokenTable(clock, self.rejected.append)
        self.upstreams = Upstreams(self.connector, clock, self.tallies, data_dir.engine_socket, self.tokens)  # type: ignore[arg-type]
        self.defects: list[BaseException] = []
        self.notices: list[tuple[str, int, str]] = []
        self.about: list[str] = []  # of each
        self.refused: list[tuple[str, int]] = []  # keys of providers
        self.keys = KeyTable(
            data_dir.feed_socket, 0, clock, lambda _version, _raw: None, lambda _key: None, lambda _: None
        )
        self.key = Key("key_1", key_hash(TOKEN.encode(), data_dir.pepper()), "default", "n", 5, 1, **key)
        self.keys._receive(Beat(1))
        self.keys._keep(self.key)
        pipeline = Pipeline(
            Identify(self.keys),
            Admit(self.limits, self.journal, cells),  # type: ignore[arg-type]
            Read(NoPeeker()),  # type: ignore[arg-type]
            Attempts(self.slots, clock, NoPeeker(), lambda *refused: self.refused.append(refused)),  # type: ignore[arg-type]
            Recorder(self.journal, self.slots, cells, self.tallies, clock, self._notice),  # type: ignore[arg-type]
            Responses(ResponseStore(data_dir.responses), lambda: 1_000.0),
            lambda _, error: self.defects.append(error),
        )
        router = self.upstreams.build(configuration, None)
        self.front = Front(pipeline, router, cells, data_dir.pepper(), self.defects.append, self._notice)
        self.service = Service(clock, configuration.server, self.front, lambda _: None)
        clock.every_tick(self.front.check_deadlines)

    def _notice(self, event: str, status: int, code: str, request_id: str, about: str) -> None:
        assert request_id.startswith("req_")
        self.notices.append((event, status, code))
        self.about.append(about)

    def client(self) -> FakeTransport:
        return FakeTransport(ClientConnection(self.service))

    async def ask(self, data: bytes) -> FakeTransport:
        """A client of its own that has sent this, once the worker has done what follows from it."""
        client = self.client()
        client.receive(data)
        await self.settle()
        return client

    async def asked(self, data: bytes, number: int = -1) -> tuple[FakeTransport, Upstream]:
        """The same, with the upstream connection that carries it."""
        client = await self.ask(data)
        return client, self.connector.opened[number]

    async def settle(self) -> None:
        for _ in range(12):
            await asyncio.sleep(0)

    async def settle_once(self) -> None:
        """One turn of the loop."""
        await asyncio.sleep(0)

    async def tick(self, seconds: float) -> None:
        """Time passes; whatever hangs on the tick is done, and what follows from it."""
        self.clock.now += seconds
        for hook in self.clock._hooks:
            hook(self.clock.now)
        await self.settle()

    @property
    def record(self) -> Record:
        """The one record there is; whatever the request held has been given back."""
        assert not self.defects, self.defects
        (record,) = self.journal.records
        assert self.is_at_rest()
        return record

    def is_at_rest(self) -> bool:
        loads = [target.in_flight for target in self.front.router.targets.values()]
        busy = [pool.busy for pool in self.upstreams.pools.values()]
        return (self.slots.open_count, self.limits.calls(5), len(self.live), sum(loads), sum(busy)) == (0, 0, 0, 0, 0)

    @property
    def live(self) -> set[Exchange]:
        return self.front.live


def chat(model: str = "m", *lines: str, version: str = "1.1", **fields: Any) -> bytes:
    body = json.dumps({"model": model, "messages": [], **fields}).encode()
    return call(body, *lines, version=version)


def call(body: bytes, *lines: str, version: str = "1.1", token: str = TOKEN) -> bytes:
    head = [f"POST /v1/chat/completions HTTP/{version}", "Host: a", f"Authorization: Bearer {token}"]
    head += ["Content-Type: application/json", f"Content-Length: {len(body)}", *lines, "", ""]
    return "\r\n".join(head).encode() + body


def get(path: str, *lines: str, method: str = "GET") -> bytes:
    head = [f"{method} {path} HTTP/1.1", "Host: a", f"Authorization: Bearer {TOKEN}", *lines, "", ""]
    return "\r\n".join(head).encode()


def reply(body: bytes = BODY, *lines: str, status: str = "200 OK") -> bytes:
    head = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *lines, "", ""]
    return "\r\n".join(head).encode() + body


STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
ROLE = b'data: {"choices":[{"delta":{"role":"assistant"}}]}\n\n'
WORD = b'data: {"choices":[{"delta":{"content":"hi"}}]}\n\n'
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":2,"completion_tokens":3}}\n\n'
DONE = b"data: [DONE]\n\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST = b"0\r\n\r\n"


def status(client: FakeTransport) -> int:
    assert client.out.startswith(b"HTTP/1.1 "), client.out
    return int(client.out[9:12])


def error(client: FakeTransport) -> dict[str, Any]:
    """The error of an answer that has one."""
    return dict(json.loads(client.out.partition(b"\r\n\r\n")[2])["error"])
