"""The state of the Responses API: calls that go on from a response, responses that are kept, and questions about them.

The store is files, so every step runs on a thread; only calls that need it take one.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar
from urllib.parse import parse_qsl

import msgspec

from gateline.formats.responses.continued import Continued, continued, for_vendor
from gateline.formats.responses.read_request import refuse_unsupported
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
from gateline.model.call import Call
from gateline.model.errors import BadRequest, MethodNotAllowed, NotFound
from gateline.store.responses import Record, ResponseStore

T = TypeVar("T")

_ASKED = re.compile(r"([A-Za-z0-9_.:-]{1,256})(?:/(cancel|input_items))?")


class InThread(Protocol):
    """Runs `work` on a thread while the exchange waits; raises what it raises."""

    def __call__(self, exchange: Exchange, work: Callable[[], T], /) -> Awaitable[T]: ...


class Recalled(msgspec.Struct):
    """A call that goes on from a response. `own` is the call as its client sent it: `provider`, which holds the
    response, understands it. Every other target gets `call`, which has all earlier turns in its input. Empty: no vendor
    holds the response."""

    provider: str
    own: Call
    call: Continued


def passing(call: Call, recalled: Recalled | None, provider: str) -> Call:
    """The call as it may pass to `provider`, which speaks this format: see `for_vendor`."""
    return for_vendor(recalled.own if recalled is not None and recalled.provider == provider else call)


class Responses:
    """The stage. `now` gives Unix seconds."""

    def __init__(self, store: ResponseStore, now: Callable[[], float]) -> None:
        self._store = store
        self._now = now

    async def recall(self, exchange: Exchange, in_thread: InThread, tenant: str, call: Call) -> Recalled | None:
        """What `call` goes on from; None when from nothing. Raises BadRequest, also for what no call may ask."""
        refuse_unsupported(call)
        previous = previous_of(call)
        if not previous:
            return None
        recalled = await in_thread(exchange, lambda: self._recalled(tenant, call, previous))
        if recalled is None:
            raise BadRequest(
                f"Previous response with id {previous[:256]!a} not found.",
                param="previous_response_id",
                code="previous_response_not_found",
            )
        return recalled

    def _recalled(self, tenant: str, call: Call, previous: str) -> Recalled | None:
        records = self._store.chain(tenant, previous)
        if not records:
            return None
        earlier: list[msgspec.Raw] = []
        for record in records:
            kept = read_kept(bytes(record.response))
            earlier += record.input + (kept.output if kept is not None else [])
        return Recalled(records[-1].provider, call, continued(call, earlier))

    async def keep(
        self, exchange: Exchange, in_thread: InThread, tenant: str, call: Call, body: bytes, provider: str
    ) -> bool:
        """Keeps the response in `body`, a whole reply or the end of a stream (`Codec.last`). `call` is the client's
        own; `provider` is empty unless the reply passed untouched. False: it was not to be kept, or could not be."""
        if not is_kept(call):
            return False
        return await in_thread(exchange, lambda: self._store.put(self._record(tenant, call, body, provider)))

    def _record(self, tenant: str, call: Call, body: bytes, provider: str) -> Record:
        response = whole_of(body)
        kept = read_kept(response)
        identifier = kept.id if kept is not None else ""
        return Record(
            tenant,
            identifier,
            int(self._now()),
            provider,
            previous_of(call),
            own_input(call),
            msgspec.Raw(response or b"null"),
        )

    async def serve(
        self, exchange: Exchange, in_thread: InThread, tenant: str, method: bytes, rest: str, query: bytes
    ) -> bytes:
        """The body of the answer, with status 200, to a request for `/v1/responses/{rest}`. Raises BadRequest,
        MethodNotAllowed or NotFound."""
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
