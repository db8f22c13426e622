"""The body, whole and decoded, and the call in it."""

from __future__ import annotations

import zlib
from time import monotonic_ns
from typing import cast

from gateline.formats.openai_call import read_call
from gateline.gateway.exchange import Exchange
from gateline.model.call import Operation
from gateline.model.errors import BadRequest, TooLarge, UnsupportedCoding
from gateline.wire.inflate import CodingError, Inflater


async def receive(exchange: Exchange) -> None:
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


def peek(exchange: Exchange) -> None:
    """Sets `exchange.call` from the whole body. Raises BadRequest, TooLarge or UnsupportedCoding."""
    connection = exchange.connection
    body = connection.body
    exchange.bytes_in = len(body)
    coding = connection.request.content_encoding
    if coding and coding.lower() != b"identity":
        body = _decoded(body, coding, connection.service.limits.body_bytes)
    exchange.body = body
    exchange.call = call = read_call(body, cast("Operation", exchange.operation))
    exchange.stream = call.stream


def _decoded(body: bytes | bytearray, coding: bytes, limit: int) -> bytes:
    try:
        inflater = Inflater(coding, limit)
    except CodingError as error:
        raise UnsupportedCoding(str(error)) from None
    try:
        decoded = inflater.feed(bytes(body))
    except CodingError:
        raise TooLarge(f"The decoded body is over the limit of {limit} bytes, or out of proportion.") from None
    except zlib.error:
        raise BadRequest("The body is not the content coding its header names.") from None
    if not inflater.finished:
        raise BadRequest("The coded body ends before its coding does.")
    return decoded
