"""A call whose client and vendor speak different formats: its body on the way there, its answer on the way back."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gateline.formats.contract import Codec, Written
from gateline.formats.features import client_names
from gateline.formats.translation import Translation
from gateline.gateway.exchange import Exchange
from gateline.gateway.hop import Hop
from gateline.model.chat import Chat
from gateline.model.errors import BadRequest
from gateline.model.usage import Usage

_UNFIT = re.compile(r"[^A-Za-z0-9_.\[\]-]")  # for a list in a header; a client's own key may hold anything
_LONGEST = 1_024  # bytes of names in the header
_JSON = b"content-type: application/json\r\n"


def write_call(exchange: Exchange, hop: Hop) -> bytes:
    """The vendor's body. Sets `exchange.ask`, and `exchange.dropped` to what the vendor's format has no place for.
    Raises BadRequest for a call that its own format does not allow, or that a strict caller would lose something of."""
    server, client = hop.server, hop.client
    assert server is not None
    assert client is not None
    ask = exchange.ask
    if ask is None:
        assert exchange.call is not None
        ask = exchange.ask = server.read(exchange.call, exchange.body)
    written: Written = client.write(ask, hop.model, hop.dialect)
    unmapped: Sequence[str] = getattr(ask, "unmapped", ())
    exchange.dropped = [*unmapped, *client_names(written.dropped, server.names)] if unmapped or written.dropped else ()
    if exchange.dropped and exchange.facts.is_strict:
        raise BadRequest(
            f"{exchange.target.label if exchange.target else 'The target'} cannot be asked for "
            f"{_listed(exchange.dropped)}: leave that out, or do not send x-gateline-strict.",
            param=exchange.dropped[0],
            code="untranslatable",
        )
    return written.body


def dropped_line(exchange: Exchange) -> bytes:
    """The header line that says what was left out; empty when nothing was."""
    return b"x-gateline-dropped: %b\r\n" % _listed(exchange.dropped).encode() if exchange.dropped else b""


def _listed(names: Sequence[str]) -> str:
    text = ", ".join(_UNFIT.sub("?", name) for name in names)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def write_reply(exchange: Exchange, hop: Hop, body: bytes) -> tuple[bytes, bytes, Usage | None]:
    """The client's header lines and body for a vendor's whole reply, and its usage. Raises UpstreamError."""
    server, client = hop.server, hop.client
    assert server is not None
    assert client is not None
    reply = client.read_reply(body, exchange.secret)
    usage: Usage | None = getattr(reply, "usage", None)
    return _JSON + dropped_line(exchange), server.write_reply(reply, exchange.ask), usage


def stream_codec(exchange: Exchange, hop: Hop) -> tuple[bytes, Codec]:
    """The client's header lines and the codec for a vendor's stream."""
    server, client, ask = hop.server, hop.client, exchange.ask
    assert server is not None
    assert server.writer is not None
    assert client is not None
    assert client.reader is not None
    assert isinstance(ask, Chat)
    lines = b"content-type: %b\r\ncache-control: no-cache\r\n" % server.stream_type + dropped_line(exchange)
    return lines, Translation(client.reader(exchange.secret), server.writer(ask, exchange.id.decode()))
