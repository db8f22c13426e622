"""The routes: which path is which operation, and the few answers that need no caller."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from gateline.formats.table import ERRORS
from gateline.gateway.cors import cors_lines
from gateline.gateway.exchange import Exchange
from gateline.gateway.facts import Facts
from gateline.gateway.pipeline import Pipeline
from gateline.gateway.record import Notice, first_line
from gateline.gateway.router import Router
from gateline.gateway.routes import Asked, family_of, route
from gateline.model.call import Family
from gateline.model.errors import GatewayError, MethodNotAllowed, NotFound, Unauthenticated, Unavailable
from gateline.net.flow import Flow
from gateline.net.server import ClientConnection
from gateline.store.columns import unknown_caller_field
from gateline.wire.http1_write import response_head

_JSON = b"content-type: application/json\r\n"
_TEXT = b"content-type: text/plain\r\n"
_ALLOW = b"allow: GET, HEAD, POST, OPTIONS\r\n"
_PROBES = (b"/livez", b"/readyz")
_DRAINING = 503, b"draining\n"
# `*` stands for every header but `authorization` where no cookies are sent (fetch.spec.whatwg.org, CORS): SDKs send
# more of their own with each release.
_PREFLIGHT = (
    b"access-control-allow-methods: GET, POST, PUT, PATCH, DELETE, OPTIONS\r\n"
    b"access-control-allow-headers: authorization, *\r\n"
    b"access-control-max-age: 600\r\n"
)


class Front:
    """A worker's handler of requests. `router` is replaced whole by each new configuration."""

    def __init__(
        self,
        pipeline: Pipeline,
        router: Router,
        cells: memoryview[int],
        pepper: bytes,
        crashed: Callable[[BaseException], None],
        notice: Notice,
    ) -> None:
        self._pipeline = pipeline
        self.router = router
        self._cells = cells
        self._crashed = crashed
        self._notice = notice
        self._pepper = pepper
        self.ready = True
        self._prefix = f"req_{os.getpid():x}{time.time_ns():x}0".encode()
        self._number = 0

    def begin(self, connection: ClientConnection) -> None:
        """Starts the request's flow, or answers at once where no caller is needed."""
        request = connection.request
        facts = request.facts
        if facts is None:
            asked = route(request)
            if asked is None or request.method not in asked.methods:
                self._answer_unknown(connection, asked)
                return
            facts = request.facts = Facts(request, asked, self._pepper)
        assert isinstance(facts, Facts)
        router = self.router
        flow = connection.flow = Flow(self._crashed)
        self._number = number = self._number + 1
        ends_at = connection.service.clock.now + router.snapshot.server.request_timeout
        exchange = Exchange(connection, b"%b%x" % (self._prefix, number), facts, router, flow, ends_at)
        flow.start(self._pipeline.handle(exchange))

    def next_id(self) -> bytes:
        self._number += 1
        return b"%b%x" % (self._prefix, self._number)

    @property
    def live(self) -> set[Exchange]:
        """The exchanges between head and last byte."""
        return self._pipeline.live

    def cut_calls_of(self, key_id: str) -> None:
        """Ends the running calls of a key that was revoked."""
        for exchange in tuple(self._pipeline.live):
            if exchange.key is not None and exchange.key.id == key_id:
                exchange.cut(Unauthenticated("The API key was revoked.", code="revoked_api_key"))

    def cut_all(self) -> None:
        """The process ends before its calls do."""
        for exchange in tuple(self._pipeline.live):
            exchange.cut(Unavailable("The gateway is shutting down.", retry_after=1))

    def check_deadlines(self, now: float) -> None:
        """Wakes every exchange that has waited long enough; it finds out itself for what."""
        for exchange in tuple(self._pipeline.live):
            if now > exchange.wake_at or now > exchange.ends_at:
                exchange.flow.wake()

    # --- answers without a caller ---

    def refusal(self, connection: ClientConnection, error: GatewayError) -> bytes:
        """The whole response to bytes that never became a request."""
        head, body = self._refuse(error, _ALLOW if error.status == 405 else b"", close=True)
        return head + body

    def _answer_unknown(self, connection: ClientConnection, asked: Asked | None) -> None:
        connection.forget_head()  # anybody can send such a head, and leave the connection idle
        request = connection.request
        keep = connection.keeps_alive
        path, method = request.path, request.method
        if method == b"OPTIONS":
            answer = self._preflight(connection, close=not keep)
        elif path in _PROBES and method in {b"GET", b"HEAD"}:
            status, text = (200, b"ok\n") if path == b"/livez" else (200, b"ready\n") if self.ready else _DRAINING
            answer = self._text(status, text, close=not keep, head_only=method == b"HEAD")
        elif asked is not None or path in _PROBES:
            allowed = ", ".join(name.decode() for name in asked.methods) if asked is not None else "GET, HEAD"
            error: GatewayError = MethodNotAllowed(f"This path takes {allowed}, not {method.decode()}.")
            lines = b"allow: %b, OPTIONS\r\n" % allowed.encode()
            answer = self._deny(connection, error, lines, close=not keep, family=asked.family if asked else "openai")
        else:
            roots = "/v1, /v1beta, /v2, /api and /model"
            error = NotFound(f"No such path: {path[:200].decode('ascii')}. The APIs are under {roots}.")
            answer = self._deny(connection, error, b"", close=not keep, family=family_of(path))
        connection.write(answer)
        connection.done(keep_alive=keep)

    def _deny(
        self,
        connection: ClientConnection,
        error: GatewayError,
        lines: bytes,
        *,
        close: bool,
        family: Family = "openai",
    ) -> bytes:
        """The refusal of a request that is one: a browser page may read it, and a HEAD gets its head only."""
        request = connection.request
        cors = cors_lines(self.router.snapshot.server.cors, request.headers.get(b"origin", b""))
        head, body = self._refuse(error, lines + cors, close=close, family=family, asked=first_line(request))
        return head if request.method == b"HEAD" else head + body

    def _refuse(
        self, error: GatewayError, lines: bytes, *, close: bool, family: Family = "openai", asked: str = ""
    ) -> tuple[bytes, bytes]:
        self._cells[unknown_caller_field(error.status)] += 1
        request_id = self.next_id()
        self._notice("request_refused", error.status, error.label, request_id.decode(), asked)
        body = ERRORS[family].write(error, request_id.decode())
        lines = b"%b%bx-request-id: %b\r\n" % (_JSON, lines, request_id)
        return response_head(error.status, lines=lines, content_length=len(body), close=close), body

    def _text(self, status: int, text: bytes, *, close: bool, head_only: bool) -> bytes:
        lines = b"%bx-request-id: %b\r\n" % (_TEXT, self.next_id())
        head = response_head(status, lines=lines, content_length=len(text), close=close)
        return head if head_only else head + text

    def _preflight(self, connection: ClientConnection, *, close: bool) -> bytes:
        origin = connection.request.headers.get(b"origin", b"")
        cors = cors_lines(self.router.snapshot.server.cors, origin)
        lines = cors + _PREFLIGHT if cors else _ALLOW
        lines += b"x-request-id: %b\r\n" % self.next_id()
        return response_head(204, lines=lines, close=close)
