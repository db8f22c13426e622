"""What a reply says that it cost, into the record: of a large one as much as its ends say."""

from __future__ import annotations

from gateline.formats.contract import Watch
from gateline.formats.tail import head_object
from gateline.gateway.exchange import Exchange
from gateline.gateway.rerouted import is_rerouted
from gateline.gateway.router import TargetRoute
from gateline.model.usage import Usage, cost

_FREE = frozenset({"messages.count_tokens", "gemini.count_tokens"})  # no model runs for these
_TAIL = 65_536  # bytes at either end of a large reply that its usage is looked for in


def note_usage(exchange: Exchange, target: TargetRoute, usage: Usage | None) -> None:
    attempt = exchange.attempts[-1]
    if usage is not None:
        attempt.usage = exchange.usage = usage
        attempt.usage_source = exchange.usage_source = "provider"
        price = target.target.price
        if usage.tier or (target.row.routed_by and is_rerouted(exchange, target)):
            exchange.cost = None  # the price that is known is another's
        elif price is not None:
            attempt.cost = exchange.cost = cost(usage, price)
            if len(exchange.attempts) > 1:  # attempts that failed are billed as well
                exchange.cost = sum(each.cost for each in exchange.attempts if each.cost is not None)
    elif exchange.operation in _FREE:
        note_free(exchange)


def note_free(exchange: Exchange) -> None:
    """The last attempt cost nothing. What the call cost is then known if it is of each other one."""
    exchange.attempts[-1].cost = 0
    costs = [each.cost for each in exchange.attempts]
    if None not in costs:
        exchange.cost = sum(cost for cost in costs if cost)


class Ends:
    """Of a large reply the first bytes and the last: most vendors say the usage last, some ahead of what is large."""

    __slots__ = ("_head", "_tail")

    def __init__(self) -> None:
        self._head = self._tail = b""

    def add(self, piece: bytes) -> None:
        self._head = self._head or piece[:_TAIL]
        self._tail = piece[-_TAIL:] if len(piece) >= _TAIL else (self._tail + piece)[-_TAIL:]

    def usage(self, watch: Watch) -> Usage | None:
        return watch.usage_in_tail(self._tail) or watch.usage(head_object(self._head))

    @property
    def are_closed(self) -> bool:
        """Whether the last byte may close an object. Whether it does only a parse of all would say: a reply without a
        usage that stops behind an inner brace is not noticed, if the connection's end is all the framing it has."""
        return self._tail.rstrip(b" \t\r\n").endswith(b"}")
