"""A call whose client and vendor speak different formats: its body on the way there, its answer on the way back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from time import time
from typing import cast

import msgspec

from gateline.formats.contract import Ask, Client, Codec, Server, Written
from gateline.formats.features import client_names
from gateline.formats.packed import unpack
from gateline.formats.sealed import reader_of
from gateline.formats.table import CLIENTS, FOR_VENDOR, SERVERS
from gateline.formats.tool_names import given_names
from gateline.formats.translation import Translation, translate_reply
from gateline.gateway.exchange import Exchange
from gateline.gateway.hop import Hop
from gateline.gateway.thread import overdue
from gateline.model.call import Call, Operation
from gateline.model.chat import Chat
from gateline.model.errors import BadRequest, Internal, Unavailable, Untranslatable, UpstreamError, UpstreamTimeout
from gateline.model.peek import Failed, Translated, Unreadable
from gateline.model.usage import Usage
from gateline.model.vectors import Count
from gateline.net.clock import Clock
from gateline.net.peeklink import PeekLink
from gateline.net.spool import Spool
from gateline.net.spool import is_available as spool_is_available

_UNFIT = re.compile(r"[^A-Za-z0-9_.\[\]-]")  # for a list in a header; a client's own key may hold anything
_LONGEST = 1_024  # bytes of names in the header
APART_FROM = 262_144  # bytes of a body from which another process translates it
_PATIENCE = 10.0  # seconds for that
_encode = msgspec.msgpack.Encoder().encode
_JSON = b"content-type: application/json\r\n"


def write_call(exchange: Exchange, hop: Hop) -> bytes | memoryview:
    """The vendor's body. Sets `exchange.ask`, and `exchange.dropped` to what the vendor's format has no place for.
    Raises BadRequest for a call that its own format does not allow, or that a strict caller would lose something of."""
    server, client = hop.server, hop.client
    assert server is not None
    assert client is not None
    ask, apart = exchange.ask, exchange.apart
    if apart is not None and apart[0] is hop and ask is not None:
        _note_dropped(exchange, ask, server, apart[2])
        return apart[1]
    if ask is None or apart is not None:
        assert exchange.call is not None
        ask = exchange.ask = server.read(exchange.call, exchange.body)
    written: Written = client.write(ask, hop.model, hop.dialect)
    _note_dropped(exchange, ask, server, written.dropped)
    return written.body


def without_foreign(exchange: Exchange, hop: Hop, call: Call) -> Call:
    """A call that passes, but for what only another vendor may read (`formats/foreign.py`). Raises as `write_call`
    does."""
    call, exchange.dropped = FOR_VENDOR[hop.operation](call, hop.model, hop.dialect)
    _refuse_if_strict(exchange)
    return call


def _note_dropped(exchange: Exchange, ask: Ask, server: Server, dropped: Sequence[str]) -> None:
    """Raises BadRequest when the caller would rather have an error."""
    unmapped: Sequence[str] = (ask.chat if isinstance(ask, Count) else ask).unmapped
    exchange.dropped = [*unmapped, *client_names(dropped, server.names)] if unmapped or dropped else ()
    _refuse_if_strict(exchange)


def _refuse_if_strict(exchange: Exchange) -> None:
    if exchange.dropped and exchange.facts.is_strict:
        raise Untranslatable(
            f"{exchange.target.label if exchange.target else 'The target'} cannot be asked for "
            f"{_listed(exchange.dropped)}: leave that out, or do not send x-gateline-strict.",
            param=exchange.dropped[0],
        )


async def write_call_apart(exchange: Exchange, hop: Hop, peeker: PeekLink, clock: Clock) -> None:
    """Has a large call written by another process, so that `write_call` finds it done: decoding and encoding megabytes
    here would hold up every other call. Without that process it is done here. Raises BadRequest, Internal and
    Unavailable."""
    asked, body = exchange.facts.asked, exchange.connection.body
    if exchange.recalled is not None:
        body = b""  # what the client sent is not all of it
    if not spool_is_available or (exchange.apart is not None and exchange.apart[0] is hop):
        return
    if not isinstance(body, Spool):
        body = Spool(len(exchange.body))
        body.extend(exchange.body)
    question = peeker.ask_translation(
        body, asked.operation, exchange.flow, asked.model, asked.stream,
        spoken=hop.operation, target=hop.model, dialect=_encode(hop.dialect),
    )  # fmt: skip
    if question is None:
        return
    exchange.wake_at = clock.now + _PATIENCE
    try:
        while question.answer is None:
            await exchange.flow.park()
            exchange.check()
            if question.answer is None and clock.now > exchange.wake_at:
                raise Unavailable("Large bodies cannot be translated at the moment: try again.", retry_after=2)
    finally:
        peeker.forget(question)
    answer, pages = question.answer, question.pages
    if isinstance(answer, Unreadable):
        raise BadRequest(answer.message, param=answer.param, code=answer.code)
    if isinstance(answer, Failed):
        raise Internal("The gateway could not read this body. The log has the reason.")
    assert isinstance(answer, Translated)
    assert pages is not None
    view = memoryview(pages)
    exchange.ask = unpack(view[answer.size : answer.size + answer.packed], cast("Operation", asked.operation))
    exchange.apart = hop, view[: answer.size], answer.dropped


def dropped_line(exchange: Exchange) -> bytes:
    """The header line that says what was left out; empty when nothing was."""
    return b"x-gateline-dropped: %b\r\n" % _listed(exchange.dropped).encode() if exchange.dropped else b""


def _listed(names: Sequence[str]) -> str:
    text = ", ".join(_UNFIT.sub("?", name) for name in names)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def write_reply(exchange: Exchange, hop: Hop, body: bytes) -> tuple[bytes, Usage | None]:
    """The client's body for a vendor's whole reply, and its usage. Raises UpstreamError."""
    assert hop.server is not None
    assert hop.client is not None
    sealer = hop.dialect.sealer
    return translate_reply(hop.client, hop.server, body, exchange.ask, int(time()), exchange.secret, sealer)


def reply_lines(exchange: Exchange) -> bytes:
    """The header lines of a translated answer that is whole."""
    return _JSON + dropped_line(exchange)


def reply_room(size: int) -> Spool | bytearray:
    """What a large reply is gathered in. It costs no more memory than is written."""
    if spool_is_available:
        try:
            return Spool(size)
        except OSError:
            pass  # no descriptor left
    return bytearray()


async def write_reply_apart(
    exchange: Exchange, hop: Hop, body: Spool, packed: int, peeker: PeekLink, clock: Clock
) -> tuple[memoryview, Usage | None] | None:
    """Has a large answer written by another process, as `write_call_apart` does a call; the last `packed` bytes of
    `body` are that call. None when that process is not there or does not get round to it: an answer is paid for, so
    that it is then written here. Raises CallTimeout, ClientGone and UpstreamError."""
    question = peeker.ask_reply(
        body, exchange.operation, exchange.flow, packed,
        spoken=hop.operation, secret=exchange.secret, sealer=hop.dialect.sealer,
    )  # fmt: skip
    if question is None:
        return None
    exchange.wake_at = clock.now + _PATIENCE
    try:
        while question.answer is None:
            await exchange.flow.park()
            exchange.check()
            if question.answer is None and clock.now > exchange.call_ends_at:
                raise overdue(exchange)
            if question.answer is None and clock.now > exchange.wake_at:
                return None
    finally:
        peeker.forget(question)
    answer, pages = question.answer, question.pages
    if isinstance(answer, Unreadable):
        kind = UpstreamTimeout if answer.status == UpstreamTimeout.status else UpstreamError
        raise kind(answer.message, param=answer.param, code=answer.code)
    if not isinstance(answer, Translated) or pages is None:
        return None
    return memoryview(pages), answer.usage


def stream_codec(exchange: Exchange, hop: Hop) -> tuple[bytes, Codec]:
    """The client's header lines and the codec for a vendor's stream."""
    server, client, ask = hop.server, hop.client, exchange.ask
    assert server is not None
    assert server.writer is not None
    assert client is not None
    assert isinstance(ask, Chat)
    if exchange.facts.asked.is_array:
        return _array_codec(exchange, server, client, ask, hop.dialect.sealer)
    lines = b"content-type: %b\r\ncache-control: no-cache\r\n" % server.stream_type + dropped_line(exchange)
    writer = server.writer(ask, exchange.id.decode())
    given, reader = given_names(ask, client.tool_names), reader_of(client, exchange.secret, hop.dialect.sealer)
    return lines, Translation(reader, writer, int(time()), given)


def array_codec(exchange: Exchange, operation: Operation) -> tuple[bytes, Codec]:
    """The same for a client that speaks the vendor's format, but wants the stream as one JSON array: vendors are always
    asked for events."""
    server, client = SERVERS[operation], CLIENTS[operation]
    assert exchange.call is not None
    ask = exchange.ask = server.read(exchange.call, exchange.body)
    return _array_codec(exchange, server, client, ask, "")


def _array_codec(exchange: Exchange, server: Server, client: Client, ask: Chat, sealer: str) -> tuple[bytes, Codec]:
    assert server.array_writer is not None
    writer = server.array_writer(ask, exchange.id.decode())
    given, reader = given_names(ask, client.tool_names), reader_of(client, exchange.secret, sealer)
    return _JSON + dropped_line(exchange), Translation(reader, writer, int(time()), given)
