"""One request's state, from its head to its record, and the only hand that writes its answer.

Stages see an exchange, never a transport. They may write the beginning of an answer; its last piece is held in `last`
until the record is noted, so "the client has its answer" always implies "the ledger has its record".
"""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic_ns

import msgspec

from gateline.formats.contract import Ask, Codec
from gateline.formats.table import ERRORS
from gateline.gateway.cors import cors_lines
from gateline.gateway.facts import Facts
from gateline.gateway.hop import Hop
from gateline.gateway.keyring import Seat
from gateline.gateway.recalled import Recalled
from gateline.gateway.router import ModelRoute, Router, TargetRoute
from gateline.gateway.routes import Errand
from gateline.model.call import Call, Operation
from gateline.model.errors import GatewayError
from gateline.model.key import Key
from gateline.model.record import Attempt
from gateline.model.usage import Usage, UsageSource
from gateline.net.flow import Flow
from gateline.net.lease import Lease
from gateline.net.server import ClientConnection
from gateline.store.limits import Verdict
from gateline.wire.chunked import LAST_CHUNK
from gateline.wire.http1_write import status_line

CLIENT_GONE = 499  # nginx's status for a client that left before its answer; it is never sent
_JSON = b"content-type: application/json\r\n"
_OK = status_line(200)


_NEVER = float("inf")


class ClientGone(Exception):
    """The client left: nobody waits for the rest."""


class Exchange(msgspec.Struct, eq=False):
    """Times are monotonic nanoseconds, 0 until they happen. `wake_at`, `ends_at` (of this attempt) and `call_ends_at`
    (of all of them) are monotonic seconds.

    A struct because it is made for every request: setting as many attributes in an `__init__` takes four times as long.
    """

    connection: ClientConnection
    id: bytes
    facts: Facts
    operation: Operation | Errand
    router: Router
    flow: Flow
    started: int
    ends_at: float
    call_ends_at: float
    attempts: list[Attempt] = []
    key: Key | None = None
    verdict: Verdict | None = None
    call: Call | None = None
    ask: Ask | None = None  # the call in no format, once a target that speaks another one wants it
    apart: tuple[Hop, memoryview] | None = None  # a hop's body that another process wrote
    codec: Codec | None = None  # of the stream that the client sees
    recalled: Recalled | None = None  # of a call that goes on from a kept response
    reply: bytes = b""  # of a call whose answer may be kept: its body, or the end of its stream
    dropped: Sequence[str] = ()  # what the translation had to leave out, by the client's own names
    body: bytes | bytearray | memoryview = b""
    model: str = ""
    model_route: ModelRoute | None = None
    target: TargetRoute | None = None
    lease: Lease | None = None
    hop: Hop | None = None  # how this attempt gets to its target
    seat: Seat | None = None  # the key this attempt uses, where there is one to choose
    secret: str = ""  # the credential it was sent with, which no error may show
    slot: int = -1  # in the in-flight table
    stream: bool = False
    status: int = 0
    error: str = ""
    usage: Usage | None = None
    usage_source: UsageSource = "none"
    cost: int | None = None
    first_byte_at: int = 0
    waited_ns: int = 0  # for the client's body
    upstream_ns: int = 0  # for upstreams
    connect: int = 0
    queue: int = 0
    engine_cpu: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    last: bytes = b""
    broken: bool = False
    has_started: bool = False  # some of the answer has been handed over: its status can no longer change
    wake_at: float = _NEVER
    _chunked: bool = False
    _closes: bool = False

    def __repr__(self) -> str:
        return f"Exchange({self.id!r})"  # nothing of what it holds: there are secrets among it

    # --- the client ---

    def check(self) -> None:
        """Raises ClientGone when there is nobody left to answer."""
        if self.connection.gone:
            raise ClientGone

    # --- the answer ---

    def _head(self, status: int, lines: bytes, framing: bytes) -> bytes:
        connection = self.connection
        self.status = status
        # What `connection.keeps_alive` says; a property costs as much as the rest of this function.
        self._closes = closes = not (
            connection.request.keep_alive
            and connection.body_complete
            and not connection.poisoned
            and not connection.service.draining
        )
        verdict = self.verdict
        cors = self.router.snapshot.server.cors
        return b"".join((
            _OK if status == 200 else status_line(status),
            lines,
            # Under the name by which its SDK shows it, where that is another.
            b"request-id: %b\r\n" % self.id if self.facts.asked.family == "anthropic" else b"",
            b"x-request-id: ",
            self.id,
            _limit_lines(verdict) if verdict is not None and verdict.limit else b"\r\n",
            cors_lines(cors, connection.request.headers.get(b"origin", b"")) if cors.origins else b"",
            connection.service.clock.date,
            framing,
            b"connection: close\r\n\r\n" if closes else b"\r\n",
        ))  # fmt: skip

    def answer(self, status: int, body: bytes, lines: bytes = _JSON) -> None:
        """The whole answer, held until the record is noted."""
        head = self._head(status, lines, b"content-length: %d\r\n" % len(body))
        self.last = head if self.connection.request.method == b"HEAD" else head + body

    def start(self, status: int, lines: bytes, length: int | None = None) -> None:
        """The beginning of an answer that comes in pieces: of `length` bytes, or of unknown length."""
        if length is not None:
            framing = b"content-length: %d\r\n" % length
        elif self.connection.request.version_minor == 1:
            self._chunked = True
            framing = b"transfer-encoding: chunked\r\n"
        else:
            self.connection.poisoned = True  # HTTP/1.0 has no other end for it than the connection's
            framing = b""
        head = self._head(status, lines, framing)
        self.has_started = True
        self.first_byte_at = monotonic_ns()
        self.bytes_out += len(head)
        self.connection.write(head)

    def write(self, data: bytes) -> None:
        """A piece of an answer that was started."""
        if self._chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        self.bytes_out += len(data)
        self.connection.write(data)

    def hold(self, data: bytes) -> None:
        """The last piece of an answer that was started."""
        if self._chunked:
            self.last = (b"%x\r\n%b\r\n" % (len(data), data) if data else b"") + LAST_CHUNK
        else:
            self.last = data

    def fail(self, error: GatewayError) -> None:
        """Turns `error` into the answer, or into the in-band end of a stream, in the client's format."""
        self.error = error.label
        if self.key is None:
            self.connection.forget_head()
        if error.close:
            self.connection.poisoned = True
        if not self.has_started:
            form = ERRORS[self.facts.asked.family]
            lines = b"content-type: %b\r\n" % form.content_type
            for name, value in form.headers(error):
                lines += b"%b: %b\r\n" % (name, value)
            if error.retry_after is not None:
                lines += b"retry-after: %d\r\n" % max(1, -int(-error.retry_after // 1))
            if error.status == 405:
                lines += b"allow: GET, HEAD, POST, OPTIONS\r\n"
            self.answer(error.status, form.write(error, self.id.decode()), lines)
        elif self.codec is not None and (told := self.codec.fail(error, self.id.decode())):
            self.hold(told)
        else:
            self.broken = True  # part of a plain body is out: only a reset can say that it is not whole

    def cut(self, error: GatewayError) -> None:
        """Ends the call where it waits: what was begun ends in `error`, and the record is noted. Not from inside it."""
        self.fail(error)
        self.flow.close()

    def finish(self) -> None:
        """Hands over the last held piece and lets the connection go on. Runs after the record is noted."""
        connection = self.connection
        if not connection.gone:
            if self.broken:
                connection.reset()
            elif self.last:
                connection.write(self.last)
        connection.done(keep_alive=not self._closes)


def _limit_lines(verdict: Verdict) -> bytes:
    """OpenAI's names, behind the end of the line before; the reset is a duration such as `1.500s`."""
    if verdict.which == "concurrency":
        return b"\r\n"  # its numbers are calls at once: under these names they would mislead
    milliseconds = verdict.reset_ns // 1_000_000
    return (
        b"\r\nx-ratelimit-limit-requests: %d\r\n"
        b"x-ratelimit-remaining-requests: %d\r\n"
        b"x-ratelimit-reset-requests: %d.%03ds\r\n"
    ) % (verdict.limit, verdict.remaining, milliseconds // 1_000, milliseconds % 1_000)
