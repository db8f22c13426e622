"""One client's connection to the scripted provider: HTTP/1.1 in, the composed steps out."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from time import monotonic_ns
from typing import cast

import httptools

from gateline.fake import objects
from gateline.fake.backstage import backstage
from gateline.fake.compose import Pace, compose
from gateline.fake.invoice import Line
from gateline.fake.objects import OPENAI
from gateline.fake.provider import Provider, Scene
from gateline.fake.reply import Close, Hang, Pause, Reply, Reset, Send, Step, Strike, head
from gateline.fake.request import Request

MAX_BODY = 64 * 1024 * 1024
MAX_HEAD = 1024 * 1024
MAX_PIPELINED = 32
_LINGER_NONE = struct.pack("ii", 1, 0)


class Connection(asyncio.Protocol):
    """Requests are answered in order, by one task a connection that lives while there are any. The peer's end of
    stream counts as its leaving: a caller that half-closes is a caller that is gone."""

    def __init__(self, provider: Provider, connections: set[Connection]) -> None:
        self._provider = provider
        self._connections = connections
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._target = b""
        self._headers: list[tuple[str, str]] = []
        self._body = bytearray()
        self._head_bytes = 0

    # --- the transport's callbacks -----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._flowing.set()
        if self._task is not None:
            self._task.cancel()

    def abort(self) -> asyncio.Task[None] | None:
        """Ends the connection and its task, which is returned while it still runs."""
        self._transport.abort()
        if self._task is not None:
            self._task.cancel()
        return self._task

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        self._flowing.clear()

    def resume_writing(self) -> None:
        self._flowing.set()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._refuse(400, f"This is not the HTTP the fake provider speaks: {error}")

    # --- the parser's callbacks --------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._target = b""
        self._headers = []
        self._body = bytearray()
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        if self._head_bytes <= MAX_HEAD:
            self._headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        if any(name.lower() == "expect" for name, _ in self._headers):
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._body += body
        if len(self._body) > MAX_BODY:
            self._refuse(413, f"The body is over {MAX_BODY} bytes.")

    def on_message_complete(self) -> None:
        if self._transport.is_closing():
            return
        if len(self._waiting) >= MAX_PIPELINED:
            self._refuse(429, f"At most {MAX_PIPELINED} requests may wait on one connection.")
            return
        parser = self._parser
        request = Request(
            parser.get_method().decode("latin-1"),
            self._target.decode("latin-1"),
            parser.get_http_version(),
            self._headers,
            bytes(self._body),
        )
        self._waiting.append((request, parser.should_keep_alive()))
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._serve())

    def _refuse(self, status: int, message: str) -> None:
        """Answers what cannot be parsed any further, and closes."""
        if self._transport.is_closing():
            return
        body = objects.error(message, "invalid_request_error")
        headers = [("content-type", "application/json"), ("content-length", str(len(body))), ("connection", "close")]
        self._transport.write(head(status, headers) + body)
        self._transport.close()

    # --- answering ---------------------------------------------------------------------------------------------------

    async def _serve(self) -> None:
        try:
            while self._waiting and not self._transport.is_closing():
                request, keep_alive = self._waiting.popleft()
                if request.target.startswith("/fake/"):
                    await self._play_plain(request, await backstage(self._provider, request))
                else:
                    await self._perform(request)
                if not keep_alive:
                    self._transport.close()
        except asyncio.CancelledError:
            pass  # the peer left: nobody waits for this task
        except BaseException:
            self._transport.abort()  # a defect of ours: the caller sees it at once, the loop reports it
            raise
        finally:
            self._task = None

    async def _perform(self, request: Request) -> None:
        """One request of the provider's own API, from `accepted` to `done` or `cancelled`."""
        provider = self._provider
        scene = provider.answer(request)
        line = provider.invoice.open(request.header("x-request-id"), request.path, scene.model, stream=scene.stream)
        provider.log.add("accepted", line.number, line.id, detail=scene.model)
        script, cue = provider.script, scene.cue
        latency = script.latency if cue.latency is None else cue.latency
        pace = Pace(latency, cue.tps or script.tps, script.jitter, f"{script.seed}:{line.number}")
        voice = scene.reply.voice or OPENAI
        base = [(voice.id_header, line.id), ("server", "gateline-fake")]
        if voice is OPENAI:
            base.append(("openai-processing-ms", "1"))
        steps = compose(scene.reply, cue, pace, base, chunked=request.version != "1.0")
        finished, last_word = False, "done"
        try:
            for step in steps:
                if isinstance(step, Send):
                    await self._send(step, line, scene, bodiless=request.method == "HEAD")
                elif not await self._turn(step, line):
                    return
            finished = True
        except asyncio.CancelledError:
            last_word = "cancelled"
            raise
        finally:
            outcome = provider.invoice.close(line, whole=finished)
            provider.log.add(last_word, line.number, line.id, detail=outcome)

    async def _send(self, step: Send, line: Line, scene: Scene, *, bodiless: bool) -> None:
        """Hands the bytes to the transport, then waits while the peer takes none: sent means handed over."""
        if bodiless and step.event != "head":
            return
        if not self._flowing.is_set():
            await self._flowing.wait()
        if self._transport.is_closing():
            await asyncio.Event().wait()  # the peer is gone: connection_lost is about to cancel this task
        if step.drip:
            for byte in step.data:
                self._transport.write(bytes((byte,)))
                await asyncio.sleep(step.drip)
        elif step.data:
            self._transport.write(step.data)
        log = self._provider.log
        if step.event == "head":
            line.status = scene.reply.status if scene.cue.fault not in {"status", "redirect"} else _status(step.data)
            line.first_ns = monotonic_ns()
            log.add("head", line.number, line.id, detail=str(line.status))
        elif step.event == "chunk":
            line.chunks_sent += 1
            line.tokens_sent += step.tokens
            if step.usage:
                line.reported = scene.reply.usage
            log.add("chunk", line.number, line.id, line.chunks_sent)

    async def _turn(self, step: Step, line: Line) -> bool:
        """Takes a step that sends nothing; False when it was the last."""
        if isinstance(step, Pause):
            if step.seconds > 0:
                await asyncio.sleep(step.seconds)
        elif isinstance(step, Strike):
            line.fault = step.fault
            self._provider.log.add("fault", line.number, line.id, line.chunks_sent, step.fault)
        elif isinstance(step, Hang):
            await asyncio.Event().wait()
        elif isinstance(step, Close):
            self._transport.close()
            return False
        elif isinstance(step, Reset):
            await self._reset()
            return False
        return True

    async def _reset(self) -> None:
        """RST once all that was sent before it has left this process."""
        self._transport.set_write_buffer_limits(high=0)
        await self._flowing.wait()
        sock = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
        self._transport.abort()

    async def _play_plain(self, request: Request, reply: Reply) -> None:
        body = b"".join(piece.data for piece in reply.pieces)
        if not self._flowing.is_set():
            await self._flowing.wait()
        headers = [("content-type", reply.content_type), ("content-length", str(len(body)))]
        self._transport.write(head(reply.status, headers) + (b"" if request.method == "HEAD" else body))


def _status(head: bytes) -> int:
    return int(head[9:12])
