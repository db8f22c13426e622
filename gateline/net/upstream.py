"""An HTTP/1.1 connection to an upstream: one reply a lease, checked for wholeness, back to its pool or closed."""

from __future__ import annotations

import asyncio
from time import monotonic_ns
from typing import TYPE_CHECKING, cast

import httptools

from gateline.model.errors import UpstreamBroken, UpstreamError, UpstreamUnreachable
from gateline.net.coded import CodedReply
from gateline.net.flow import Flow
from gateline.net.keepalive import keep_alive
from gateline.net.lease import COLLECT, HIGH_WATER, STREAM_TYPES, Lease
from gateline.net.small_reads import SmallReads
from gateline.wire.chunked import whole_chunks
from gateline.wire.reply_fault import reply_fault
from gateline.wire.reply_shape import SHAPES, ReplyShape, learn

if TYPE_CHECKING:
    from gateline.net.pool import OriginPool

_HEAD_BYTES = 65_536
_SETTLE_SECONDS = 2.0  # for the end of a reply whose content is over
_INFORMATIONAL = 8  # 1xx replies before the real one
_BODILESS = frozenset({204, 304})


class UpstreamConnection(asyncio.Protocol, Lease):
    """A connection of one pool. Leased while `flow` is set; anything that arrives otherwise closes it."""

    __slots__ = (
        "_aligned",
        "_barren",
        "_between",
        "_bypassed",
        "_coded",
        "_fed",
        "_fields",
        "_framed",
        "_informational",
        "_keep",
        "_missing",
        "_parser",
        "_pieces",
        "_reads_small",
        "_settling",
        "_spare",
        "idle_since",
        "leased",
        "on_body",
        "on_header",
        "pool",
        "served",
        "settle_by",
        "transport",
    )

    def __init__(self, pool: OriginPool) -> None:
        Lease.__init__(self)
        self.pool = pool
        self.transport: asyncio.Transport | None = None
        self.idle_since = 0.0
        self.leased = False
        self.served = 0
        self.settle_by = 0.0
        self._fed = 0
        self._informational = 0
        self._framed = False
        self._keep = False
        self._spare = False
        self._settling = False
        self._reads_small = False
        self._missing = 0
        self._pieces = 0
        self._barren = 0  # bytes since the last that were of the body
        self._between = False  # the parser has seen a chunk's end, or a chunked reply's head, and no size line since
        self._aligned = False  # nor anything else: it need not see chunks that come whole
        self._coded: CodedReply | None = None
        self._fields: dict[bytes, bytes] = {}
        self.on_header = self._fields.setdefault
        self.on_body = self.chunks.append
        self._renew_parser()

    def _renew_parser(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._bypassed = False

    # --- the lease --------------------------------------------------------------------------------------------------

    def send(self, flow: Flow, parts: list[bytes | memoryview]) -> None:
        """Starts a request: `parts` are its bytes, head and body."""
        # Only what the last reply may have changed on a connection that was given back; a head sets the rest.
        self.flow = flow
        self.status = 0
        self.complete = False
        self._fed = 0
        self._barren = 0
        self.last_byte_at = 0
        if self.chunks:
            self.chunks.clear()
            self.size = 0
        if self._bypassed:
            self._renew_parser()
        self.served += 1
        transport = self.transport
        if transport is None or transport.is_closing():
            self.failure = UpstreamUnreachable("The upstream closed the connection.")
            return
        self.sent_at = monotonic_ns()
        if len(parts) == 1:
            transport.write(parts[0])
        else:
            transport.writelines(parts)

    @property
    def is_settling(self) -> bool:
        return self._settling and self.flow is None

    @property
    def is_stale(self) -> bool:
        """It failed on a connection used before and without one byte of reply: the upstream had closed it while it
        was idle, and the request was not served. A fresh connection may be tried without counting an attempt."""
        return self.served > 1 and self._fed == 0

    def release(self) -> None:
        self.flow = None
        transport = self.transport
        if transport is not None and self.complete and self._keep and not self._spare and self.failure is None:
            self.pool.give(self, transport)
        else:
            self.abort()

    def settle(self) -> None:
        self.flow = None
        self.chunks.clear()
        if self._coded is not None and self._coded.waits:
            self.abort()  # not worth decoding to its end
            return
        self._settling = True
        self.settle_by = self.pool.now + _SETTLE_SECONDS
        self.pool.settling.append(self)
        self.resume()

    def _settle_with(self, data: bytes) -> None:
        """What is left of a stream whose end was already relayed: its terminator, and nothing else."""
        self._fed += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.abort()
            return
        if self.complete:
            self._settling = False
            self.release()
        elif sum(map(len, self.chunks)) > HIGH_WATER:
            self.abort()

    def abort(self) -> None:
        self.flow = None
        self._settling = False
        self.pool.forget(self)
        if self.transport is not None:
            self.transport.abort()

    def resume(self) -> None:
        if self._coded is not None and self._coded.waits:
            self._coded.go_on()  # there is more to take already
        elif self.is_paused and self.transport is not None:
            self.is_paused = False
            self.transport.resume_reading()

    # --- transport callbacks ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        keep_alive(transport)

    def data_received(self, data: bytes) -> None:
        if self._aligned and self.tap is not None and (body := whole_chunks(data)):
            self.tap(body)
            return
        flow = self.flow
        if flow is None or self.complete or self.failure is not None:
            self._receive_unasked(data)
            return
        fed = self._fed
        if not fed:
            self.first_byte_at = monotonic_ns()
        self._fed = fed + len(data)
        if self._missing:
            self._receive_rest(data, flow)
            return
        chunks = self.chunks
        before = len(chunks)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self.complete:
                self.fail(reply_fault(error))
                return
            self._note_spare()  # what is behind a whole reply is not part of it
        if len(chunks) > before:
            self._barren = 0
        elif self._is_barren(len(data)):
            return
        if self._spare:
            del chunks[self._pieces :]
        if self._coded is not None:
            self._decode(self._coded, before)
            return
        self.size = len(chunks[0]) if len(chunks) == 1 else sum(map(len, chunks))
        if self.complete:
            self.last_byte_at = monotonic_ns() if fed else self.first_byte_at
            flow.wake()
        elif self.is_stream:
            self._aligned = self._between and data[-1] == 0x0A
            if self.size > HIGH_WATER:
                self.pause()
            flow.wake()
        elif self.is_large or self.size > COLLECT:
            self._go_on_large(flow)

    def _go_on_large(self, flow: Flow) -> None:
        """Too much to be held until it is whole: it is relayed as it comes."""
        self.is_large = True
        if self.length is not None:
            # Of known length and uncoded: the rest is body whatever it holds, and the parser would only copy it.
            self._missing = self.length - self.size
            self._bypassed = True
            self._read_in_small_pieces()
        if self.size > HIGH_WATER:
            self.pause()
        flow.wake()

    def _is_barren(self, size: int) -> bool:
        """Counts a read with nothing of a body in it; True when it brought nothing to act on, or was one too many."""
        self._barren += size
        if self._barren > _HEAD_BYTES and not self.complete:
            part = "trailers or chunk extensions are" if self.status else "response head is"
            self.fail(UpstreamBroken(f"The upstream's {part} over {_HEAD_BYTES} bytes."))
            return True
        return not self.status

    def _decode(self, coded: CodedReply, before: int) -> None:
        """The pieces from `before` on are coded."""
        if self.complete:
            coded.has_ended = True
            self.complete = False
        data = b"".join(self.chunks[before:])
        del self.chunks[before:]
        coded.feed(data)

    def is_decoding(self, coded: CodedReply) -> bool:
        """Whether somebody still waits for what comes out."""
        return coded is self._coded and self.flow is not None and self.failure is None and not self.complete

    def _note_spare(self) -> None:
        """More came than one reply: the connection is not used again, and the reply ends where it ended."""
        if not self._spare:
            self._spare = True
            self._pieces = len(self.chunks)

    def _receive_rest(self, data: bytes, flow: Flow) -> None:
        """More of a large body, past the parser."""
        missing = self._missing - len(data)
        if missing < 0:
            self._spare = True
            data = data[:missing]
        self._missing = max(missing, 0)
        self.chunks.append(data)
        self.size += len(data)
        if missing <= 0:
            self.complete = True
            self.last_byte_at = monotonic_ns()
        elif self.size > HIGH_WATER:
            self.pause()
        flow.wake()

    def _receive_unasked(self, data: bytes) -> None:
        """Nobody asked for these bytes: were they kept, the next request would take them for its reply."""
        if self._settling:
            self._settle_with(data)
            return
        self._spare = True
        if self.flow is None:
            self.abort()

    def _read_in_small_pieces(self) -> None:
        """From now on: where one reply was large the next may be, and its first read would be a large one."""
        transport = self.transport
        if not self._reads_small and transport is not None and not transport.is_closing():
            self._reads_small = True
            transport.set_protocol(SmallReads(self.data_received, self.connection_lost))
            if not self.is_paused:  # the loop decides how it reads when reading starts
                transport.pause_reading()
                transport.resume_reading()

    def pause(self) -> None:
        if not self.is_paused and self.transport is not None:
            self.is_paused = True
            self.transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.pool.forget(self)
        self.transport = None
        if self.flow is None or self.complete or self.failure is not None:
            return
        if self._coded is not None and self._coded.has_ended:
            return  # all has come, and is being decoded
        if self.status and not self._framed and exc is None:
            self._keep = False
            if self._coded is not None:
                self._coded.has_ended = True
                self._coded.feed(b"")
                return
            self.complete = True
            self.last_byte_at = monotonic_ns()
            self.flow.wake()
        elif self._fed:
            self.fail(UpstreamBroken("The upstream closed the connection before its reply was whole."))
        else:
            self.fail(UpstreamUnreachable("The upstream closed the connection without a reply."))

    def fail(self, error: UpstreamError) -> None:
        """Ends the lease with an error; the connection is not used again."""
        self.failure = error
        self.last_byte_at = monotonic_ns()
        flow = self.flow
        if self.transport is not None:
            self.transport.abort()
        if flow is not None:
            flow.wake()

    # --- parser callbacks -------------------------------------------------------------------------------------------
    # `on_header` and `on_body` are methods of a dict and of a list: no frame of ours for each header or piece. Of a
    # header that comes twice the first value counts.

    def on_headers_complete(self) -> None:
        if self.complete:
            self._note_spare()
            return
        parser, fields = self._parser, self._fields
        status = parser.get_status_code()
        if status < 200:
            self._informational += 1
            if status < 100 or status == 101 or self._informational > _INFORMATIONAL:
                raise UpstreamBroken("The upstream sent informational replies without end.")
            return
        self.status = status
        self._keep = parser.should_keep_alive()
        self._informational = 0
        names = tuple(fields)
        shape = SHAPES.get(names) or learn(names)
        lines = b""
        for spelled, start in shape.passing:
            lines += start + fields[spelled] + b"\r\n"
        self.lines = lines
        self.is_over = False
        kind = fields.get(shape.kind, b"")
        is_other = kind[:16] != b"application/json"
        self.is_stream = is_other and kind.partition(b";")[0].rstrip().lower() in STREAM_TYPES
        length = None if shape.length is None else int(fields[shape.length])
        self.length = length
        self.is_large = (length is not None and length > COLLECT) or (is_other and kind[:6] == b"audio/")
        self._framed = length is not None or status in _BODILESS
        self._coded = None
        if shape.transfer is not None or shape.coding is not None:
            self._read_codings(shape)
        if status != 200:
            self.headers = [(lower, fields[spelled]) for spelled, lower in shape.wanted]
        fields.clear()  # what comes from now on are trailers

    def _read_codings(self, shape: ReplyShape) -> None:
        transfer = self._fields.get(shape.transfer or b"", b"")
        coding = self._fields.get(shape.coding or b"", b"")
        if transfer[-7:].lower() == b"chunked":
            self._framed = self._between = True
        if coding and coding.lower() != b"identity":
            self._coded = CodedReply(self, coding)
            self._aligned = False
            self.length = None
            self._read_in_small_pieces()  # of a read 200 times its bytes may come out

    def on_chunk_header(self) -> None:
        self._between = False

    def on_chunk_complete(self) -> None:
        self._between = True

    def on_message_complete(self) -> None:
        self._fields.clear()
        self._between = False
        if self.status:  # else it was an informational reply: the real one follows
            self.complete = True
