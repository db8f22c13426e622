"""The body, whole and decoded, and the call in it."""

from __future__ import annotations

import zlib
from time import monotonic_ns
from typing import cast

from msgspec import Raw

from gateline.formats.call import read_call
from gateline.formats.form import is_form, read_form
from gateline.gateway.exchange import Exchange
from gateline.gateway.thread import in_thread
from gateline.model.call import WITH_FILES, Call, Operation
from gateline.model.errors import BadRequest, Internal, ModelNotFound, TooLarge, Unavailable, UnsupportedCoding
from gateline.model.peek import Failed, Peeked, Unreadable
from gateline.net.incoming import hold
from gateline.net.peeklink import PeekLink
from gateline.net.spool import SPOOLED_FROM, Spool
from gateline.net.spool import is_available as spool_is_available
from gateline.wire.inflate import CodingError, Inflater

_PATIENCE = 10.0  # seconds for the process that looks at large bodies
_LONGEST_NAME = 2_048  # characters of a model's name, far more than any has: it must fit a question
_THREAD_FROM = 16_384  # coded bytes from which inflating them would hold up other requests


class Read:
    """The stage: `exchange.call` from the connection's body. What is large is looked at elsewhere than on the loop."""

    def __init__(self, peeker: PeekLink) -> None:
        self._peeker = peeker

    def __call__(self, exchange: Exchange) -> bool:
        """Reads the body of a usual call that is all there, plain and not large; False when it takes longer (`slowly`).
        Raises BadRequest."""
        connection = exchange.connection
        body = connection.body
        if not connection.body_complete or connection.request.content_encoding or len(body) >= SPOOLED_FROM:
            return False
        assert not isinstance(body, Spool)
        exchange.bytes_in = len(body)
        exchange.body = body
        asked = exchange.facts.asked
        operation: Operation = asked.operation  # type: ignore[assignment]  # a cast costs a frame
        exchange.call = call = read_call(body, operation, asked.model, asked.stream)
        exchange.stream = call.stream
        return True

    async def slowly(self, exchange: Exchange) -> None:
        """The same for any body. Raises BadRequest, BadWire, Internal, ModelNotFound, TooLarge, TooSlow,
        Unavailable or UnsupportedCoding."""
        connection = exchange.connection
        if not connection.body_complete:
            await _receive(exchange)
        body = connection.body
        exchange.bytes_in = len(body)
        coding = connection.request.content_encoding
        if coding and coding.lower() != b"identity":
            body = await _decoded(exchange, body, coding)
            hold(connection, len(body), len(body))
        if len(body) >= SPOOLED_FROM and spool_is_available and exchange.operation != "passthrough":
            await self._peek_apart(exchange, body)
        else:
            plain = body.view() if isinstance(body, Spool) else body
            exchange.body = plain
            exchange.call = _read_call(exchange, plain)
        assert exchange.call is not None
        exchange.stream = exchange.call.stream

    async def _peek_apart(self, exchange: Exchange, body: bytes | bytearray | Spool) -> None:
        if not isinstance(body, Spool):
            spool = Spool(len(body))
            spool.extend(body)
            exchange.connection.body = body = spool  # the heap's copy goes now
        asked = exchange.facts.asked
        if len(asked.model) > _LONGEST_NAME:
            raise ModelNotFound(f"The model {asked.model[:200]!r} does not exist.", param="model")
        form = _form_type(exchange) if asked.operation in WITH_FILES else b""
        question = self._peeker.ask(body, asked.operation, exchange.flow, asked.model, asked.stream, form)
        view = exchange.body = body.view()
        if question is None:
            exchange.call = _read_call(exchange, view)
            return
        exchange.wake_at = exchange.connection.service.clock.now + _PATIENCE
        try:
            while question.answer is None:
                await exchange.flow.park()
                exchange.check()
                if question.answer is None and exchange.connection.service.clock.now > exchange.wake_at:
                    raise Unavailable("Large bodies cannot be read at the moment: try again.", retry_after=2)
        finally:
            self._peeker.forget(question)
        answer = question.answer
        if isinstance(answer, Unreadable):
            raise BadRequest(answer.message, param=answer.param, code=answer.code)
        if isinstance(answer, Failed):
            raise Internal("The gateway could not read this body. The log has the reason.")
        assert isinstance(answer, Peeked)
        fields = {name: Raw(view[start:end]) for name, start, end in answer.spans}
        exchange.call = Call(
            cast("Operation", exchange.operation),
            answer.model,
            fields,
            answer.stream,
            answer.include_usage,
            answer.user,
            answer.max_tokens,
            answer.form,
            answer.is_hinted,
        )


def _read_call(exchange: Exchange, body: bytes | bytearray | memoryview) -> Call:
    asked = exchange.facts.asked
    if asked.operation in {"passthrough", "ollama.show"}:
        return Call("passthrough", "", {})
    operation = cast("Operation", asked.operation)  # only calls have a body
    if operation in WITH_FILES:
        form = _form_type(exchange)
        if form:
            return read_form(body, form, operation)
    return read_call(body, operation, asked.model, asked.stream)


def _form_type(exchange: Exchange) -> bytes:
    """The body's content type where that says it is a form, as it is without any; else nothing."""
    kind = exchange.connection.request.content_type
    return (kind or b"-") if is_form(kind) else b""


async def _receive(exchange: Exchange) -> None:
    """Waits for the rest of the body. Raises BadWire, TooLarge or TooSlow."""
    connection = exchange.connection
    began = monotonic_ns()
    if connection.failure is None:
        connection.want_body()
    while not connection.body_complete:
        if connection.failure is not None:
            raise connection.failure
        await exchange.flow.park()
        exchange.check()
    exchange.waited_ns = monotonic_ns() - began


async def _decoded(exchange: Exchange, body: bytes | bytearray | Spool, coding: bytes) -> bytes:
    limit = exchange.connection.service.limits.body_bytes
    coded = bytes(body.view() if isinstance(body, Spool) else body)
    if len(coded) < _THREAD_FROM:
        return _inflated(coded, coding, limit)
    return await in_thread(exchange, lambda: _inflated(coded, coding, limit))


def _inflated(coded: bytes, coding: bytes, limit: int) -> bytes:
    """Raises BadRequest, TooLarge or UnsupportedCoding."""
    try:
        inflater = Inflater(coding, limit)
    except CodingError as error:
        raise UnsupportedCoding(str(error)) from None
    try:
        decoded = inflater.feed(coded)
    except CodingError:
        raise TooLarge(f"The decoded body is over the limit of {limit} bytes, or out of proportion.") from None
    except zlib.error:
        raise BadRequest("The body is not the content coding its header names.") from None
    if not inflater.finished:
        raise BadRequest("The coded body ends before its coding does.")
    return decoded
