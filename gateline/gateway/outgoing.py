"""What one attempt sends: the request's bytes for its target, with the authority that it asks with."""

from __future__ import annotations

from collections.abc import Sequence

from gateline.formats.call import write_body, write_body_parts
from gateline.formats.foreign import holds_foreign, stands_in
from gateline.formats.form import write_form
from gateline.formats.renamed import NAMED_INSIDE, renamed
from gateline.gateway.exchange import Exchange
from gateline.gateway.hop import Hop
from gateline.gateway.responses import passing
from gateline.gateway.router import TargetRoute
from gateline.gateway.translate import without_foreign, write_call
from gateline.model.call import WITH_FILES, Call

LARGE = 1_048_576  # bytes of a body from which it is sent in views instead of one copy


def is_copied(exchange: Exchange, hop: Hop) -> bool:
    """Whether the body is sent as it came, or nearly so: then writing it takes no time to speak of, however long it
    is."""
    if hop.is_plain:
        return not _is_hinted(exchange, hop)
    return hop.is_raw or (hop.client is None and hop.operation in WITH_FILES)


def write_request(exchange: Exchange, target: TargetRoute, hop: Hop, now: float) -> list[bytes | memoryview]:
    """An engine gets the body only. Attempts after the first carry their number behind the request id. Raises what the
    caller is to be told when there is no authority to ask with. `now` is in monotonic seconds."""
    if target.engine is not None:
        return _body(exchange, hop)
    authority = target.authority
    exchange.seat = seat = authority.lone or authority.seat(now)
    rest: Sequence[bytes | memoryview] = ()
    received, hint = exchange.body, hop.foreign_hint
    if hop.is_plain and len(received) < LARGE and (not hint or received.find(hint) < 0):  # type: ignore[union-attr]
        body: bytes | memoryview = write_body(exchange.call, hop.body_model, hop.asks_usage, hop.added)  # type: ignore[arg-type]
    else:
        body, *rest = _body(exchange, hop)
    credential = b""
    if seat is not None:
        credential = seat.lines or authority.signature(seat, hop.method, hop.path, (body, *rest))
        exchange.secret = seat.secret
    number = len(exchange.attempts)
    length = len(body) + sum(map(len, rest)) if rest else len(body)
    head = b"%b%bX-Request-Id: %b\r\n%bContent-Length: %d\r\n\r\n" % (
        hop.head,
        credential,
        exchange.id if number == 1 else b"%b.%d" % (exchange.id, number),
        hop.lines or exchange.facts.lines,
        length,
    )
    return [head, body, *rest] if rest or length >= LARGE else [head + body]


def _body(exchange: Exchange, hop: Hop) -> list[bytes | memoryview]:
    """The body for `hop`, in pieces where it is large."""
    if hop.client is not None:
        return [write_call(exchange, hop)]
    if hop.is_raw:
        return [memoryview(exchange.body)]
    call = exchange.call if hop.operation not in _CHANGED_INSIDE else _changed_inside(exchange, hop)
    assert call is not None
    if (not hop.foreign_hint or _is_hinted(exchange, hop)) and holds_foreign(hop.operation, exchange.body, hop.dialect):
        call = without_foreign(exchange, hop, call)
    if call.form:
        return write_form(call, exchange.body, hop.model)
    if len(exchange.body) >= LARGE:
        return write_body_parts(call, hop.body_model, hop.asks_usage, hop.added)
    return [write_body(call, hop.body_model, hop.asks_usage, hop.added)]


def _is_hinted(exchange: Exchange, hop: Hop) -> bool:
    """Of a large body the process that has read it has said so."""
    call = exchange.call
    assert call is not None
    if call.is_hinted is None:
        call.is_hinted = hop.foreign_hint != b"" and stands_in(exchange.body, hop.foreign_hint)
    return call.is_hinted


_CHANGED_INSIDE = NAMED_INSIDE | {"responses"}


def _changed_inside(exchange: Exchange, hop: Hop) -> Call:
    """A call that passes, but for something inside its fields."""
    call = exchange.call
    assert call is not None
    if hop.operation in NAMED_INSIDE:
        return renamed(call, hop.model)
    assert exchange.target is not None
    return passing(call, exchange.recalled, exchange.target.provider)
