"""One request's state, from its head to its record, and the only hand that writes its answer.

Stages see an exchange, never a transport. They may write the beginning of an answer; its last piece is held in `last`
until the record is noted, so "the client has its answer" always implies "the ledger has its record".
"""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic_ns

from gateline.formats.contract import Ask, Codec
from gateline.formats.table import ERRORS
from gateline.gateway.cors import cors_lines
from gateline.gateway.facts import Facts
from gateline.gateway.hop import Hop
from gateline.gateway.keyring import Seat
from gateline.gateway.recalled import Recalled
from gateline.gateway.router import ModelRoute, Router, TargetRoute
from gateline.model.call import Call
from gateline.model.errors import GatewayError
from gateline.model.key import Key
from gateline.model.record import Attempt
from gateline.model.usage import Usage, UsageSource
from gateline.net.flow import Flow
from gateline.net.lease import Lease
from gateline.net.server import ClientConnection
from gateline.store.limits import Verdict
from gateline.wire.chunked import LAST_CHUNK, chunk
from gateline.wire.http1_write import status_line

CLIENT_GONE = 499  # nginx's status for a client that left before its answer; it is never sent
_JSON = b"content-type: application/json\r\n"
_OK = status_line(200)
_NEVER = float("inf")


class ClientGone(Exception):
    """The client left: nobody waits for the rest."""


class Exchange:
    """Times are monotonic nanoseconds, 0 until they happen. `wake_at` and `ends_at` are monotonic seconds."""

    __slots__ = (
        "_chunked",
        "_closes",
        "apart",
        "ask",
        "attempts",
        "body",
        "broken",
        "bytes_in",
        "bytes_out",
        "call",
        "call_ends_at",
        "codec",
        "connect",
        "connection",
        "cost",
        "dropped",
        "ends_at",
        "engine_cpu",
        "error",
        "facts",
        "first_byte_at",
        "flow",
        "has_started",
        "hop",
        "id",
        "key",
        "last",
        "lease",
        "model",
        "model_route",
        "operation",
        "queue",
        "recalled",
        "reply",
        "router",
        "seat",
        "secret",
        "slot",
        "started",
        "status",
        "stream",
        "target",
        "upstream_ns",
        "usage",
        "usage_source",
        "verdict",
        "waited_ns",
        "wake_at",
    )

    def __init__(
        self,
        connection: ClientConnection,
        request_id: bytes,
        facts: Facts,
        router: Router,
        flow: Flow,
        ends_at: float = _NEVER,
    ) -> None:
        self.connection = connection
        self.id = request_id
        self.facts = facts
        self.operation = facts.operation
        self.router = router
        self.flow = flow
        self.started = 0  # set by the flow
        self.attempts: list[Attempt] = []
        self.key: Key | None = None
        self.verdict: Verdict | None = None
        self.call: Call | None = None
        self.ask: Ask | None = None  # the call in no format, once a target that speaks another one wants it
        # A hop's body that another process wrote, and what it had to leave out.
        self.apart: tuple[Hop, memoryview, Sequence[str]] | None = None
        self.codec: Codec | None = None  # of the stream that the client sees
        self.recalled: Recalled | None = None  # of a call that goes on from a kept response
        self.reply = b""  # of a call whose answer may be kept: its body, or the end of its stream
        self.dropped: Sequence[str] = ()  # what the translation had to leave out, by the client's own names
        self.body: bytes | bytearray | memoryview = b""
        self.model = ""
        self.model_route: ModelRoute | None = None
        self.target: TargetRoute | None = None
        self.lease: Lease | None = None
        self.hop: Hop | None = None  # how this attempt gets to its target
        self.seat: Seat | None = None  # the key this attempt uses, where there is one to choose
        self.secret = ""  # the credential it was sent with, which no error may show
        self.slot = -1  # in the in-flight table
        self.stream = False
        self.status = 0
        self.error = ""
        self.usage: Usage | None = None
        self.usage_source: UsageSource = "none"
        self.cost: int | None = None
        self.first_byte_at = 0
        self.waited_ns = 0  # for the client's body
        self.upstream_ns = 0  # for upstreams
        self.connect = 0
        self.queue = 0
        self.engine_cpu = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.last = b""
        self.broken = False
        self.has_started = False  # some of the answer has been handed over: its status can no longer change
        self.wake_at = _NEVER
        self.ends_at = ends_at  # this attempt
        self.call_ends_at = ends_at  # all of them
        self._chunked = False
        self._closes = False

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
            b"request-id: %b\r\n" % self.id if self.facts.is_anthropic else b"",
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
            self.last = chunk(data) + LAST_CHUNK
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
            body = form.write(error, self.id.decode())
            # Who asked for an array gets one, as Google answers it.
            self.answer(error.status, b"[%b]" % body if self.facts.asked.is_array else body, lines)
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
