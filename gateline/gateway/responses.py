"""The state of the Responses API: calls that go on from a response, responses that are kept, and questions about them.

The store is files, so every step runs on a thread; only calls that need it take one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qsl

import msgspec

from gateline.formats.responses.continued import Continued, continued, for_others
from gateline.formats.responses.read_request import refuse_unsupported
from gateline.formats.responses.references import refuse_references
from gateline.formats.responses.stored import (
    deleted,
    input_list,
    is_kept,
    own_input,
    previous_of,
    read_kept,
    whole_of,
)
from gateline.gateway.exchange import Exchange
from gateline.gateway.plan import Ways
from gateline.gateway.recalled import Recalled
from gateline.gateway.thread import in_thread
from gateline.model.call import Call
from gateline.model.errors import BadRequest, CallTimeout, MethodNotAllowed, NotFound, Unavailable
from gateline.model.snapshot import Provider
from gateline.store.responses import Record, ResponseStore

_THREAD_FROM = 262_144  # bytes of input from which a look at its items would hold up other calls
_ASKED = re.compile(r"([A-Za-z0-9_.:-]{1,256})(?:/(cancel|input_items))?")


def holder(provider: Provider) -> str:
    """What the account is remembered by that holds a response. Empty when nobody knows which that is: keys may be of
    accounts of their own. Another address under the same name is another."""
    if len(provider.keys) > 1:
        return ""
    return f"{provider.name} {provider.scheme}://{provider.host}:{provider.port}{provider.path}"


def passing(call: Call, recalled: Recalled | None, provider: Provider) -> Call:
    """The call as it may pass to `provider`, which speaks this format, but for what others sealed."""
    if recalled is not None and recalled.holder != "" and recalled.holder == holder(provider):
        return recalled.own
    return for_others(call) if isinstance(call, Continued) else call


def preferring(ways: Ways, kept_by: str) -> Ways:
    """The same ways, those to the account `kept_by` first: it has the earlier turns already."""
    return sorted(ways, key=lambda way: holder(way[0].provider) != kept_by) if kept_by else ways


class Responses:
    """The stage. `now` gives Unix seconds."""

    def __init__(self, store: ResponseStore, now: Callable[[], float]) -> None:
        self._store = store
        self._now = now

    async def recall(self, exchange: Exchange) -> None:
        """Puts what the call goes on from into it. Raises BadRequest, also for what no call may ask."""
        call = exchange.call
        assert call is not None
        refuse_unsupported(call)
        items = call.fields.get("input")
        if items is not None and memoryview(items).nbytes >= _THREAD_FROM:
            await in_thread(exchange, lambda: refuse_references(items))
        else:
            refuse_references(items)
        previous = previous_of(call)
        if not previous:
            return
        assert exchange.key is not None
        tenant = exchange.key.tenant
        recalled = await in_thread(exchange, lambda: self._recalled(tenant, call, previous))
        if recalled is None:
            raise BadRequest(
                f"Previous response with id {previous[:256]!a} not found.",
                param="previous_response_id",
                code="previous_response_not_found",
            )
        exchange.recalled = recalled
        exchange.call = recalled.call
        exchange.body = recalled.call.body

    def _recalled(self, tenant: str, call: Call, previous: str) -> Recalled | None:
        records = self._store.chain(tenant, previous)
        if not records:
            return None
        earlier: list[msgspec.Raw] = []
        for record in records:
            kept = read_kept(bytes(record.response))
            earlier += record.input + (kept.output if kept is not None else [])
        return Recalled(records[-1].provider, call, continued(call, earlier))

    async def keep(self, exchange: Exchange) -> bool:
        """Keeps the response that the client is about to have, if it is to be kept. False: it was not, or could not be
        (the disk is full or slow, the response too large), which does no harm to the answer."""
        call, hop, target, body = exchange.call, exchange.hop, exchange.target, exchange.reply
        assert call is not None
        assert hop is not None
        assert target is not None
        assert exchange.key is not None
        if exchange.recalled is not None:
            call = exchange.recalled.own
        if not is_kept(call):
            return False
        tenant, kept_by = exchange.key.tenant, holder(target.provider) if hop.client is None else ""
        try:
            return await in_thread(exchange, lambda: self._store.put(self._record(tenant, call, body, kept_by)))
        except (CallTimeout, Unavailable):
            return False

    def _record(self, tenant: str, call: Call, body: bytes, kept_by: str) -> Record:
        response = whole_of(body)
        kept = read_kept(response)
        identifier = kept.id if kept is not None else ""
        return Record(
            tenant,
            identifier,
            int(self._now()),
            kept_by,
            previous_of(call),
            own_input(call),
            msgspec.Raw(response or b"null"),
        )

    async def answer(self, exchange: Exchange) -> None:
        """Answers a request for `/v1/responses/{rest}`. Raises BadRequest, MethodNotAllowed or NotFound."""
        request, key = exchange.connection.request, exchange.key
        assert key is not None
        rest = exchange.facts.asked.rest
        exchange.answer(200, await self._answer(exchange, key.tenant, request.method, rest, request.query))

    async def _answer(self, exchange: Exchange, tenant: str, method: bytes, rest: str, query: bytes) -> bytes:
        match = _ASKED.fullmatch(rest)
        if match is None:
            raise NotFound("No such path: a response is at /v1/responses/{id}, its input at .../input_items.")
        identifier, suffix = match[1], match[2] or ""
        allowed = (b"POST",) if suffix == "cancel" else (b"GET", b"HEAD") if suffix else (b"GET", b"HEAD", b"DELETE")
        if method not in allowed:
            raise MethodNotAllowed(f"This path takes {b', '.join(allowed).decode()}, not {method.decode()}.")
        wanted = dict(parse_qsl(query.decode("ascii", "replace"), max_num_fields=32))
        if wanted.get("stream") == "true":
            raise BadRequest(
                "`stream` is not supported here: only responses made in the background can be streamed again.",
                param="stream",
                code="unsupported_parameter",
            )
        record = await in_thread(exchange, lambda: self._store.get(tenant, identifier))
        if record is None:
            raise NotFound(f"Response with id '{identifier}' not found.", param="response_id")
        if suffix == "cancel":
            raise BadRequest("Cannot cancel a synchronous response.", param="response_id")
        if suffix == "input_items":
            return input_list(identifier, record.input, wanted)
        if method == b"DELETE":
            await in_thread(exchange, lambda: self._store.delete(tenant, identifier))
            return deleted(identifier)
        return bytes(record.response)
