"""OpenAI's error object: ours as bytes for the client."""

from __future__ import annotations

import msgspec

from gateline.formats.vendor_error import writable
from gateline.model.errors import GatewayError
from gateline.wire.sse import write_event

_encode = msgspec.json.Encoder().encode


class _Object(msgspec.Struct):
    message: str | None
    type: str | None
    param: str | None
    code: str | None


class _Envelope(msgspec.Struct):
    error: _Object


def write_error(error: GatewayError, request_id: str = "") -> bytes:
    """The body for `error`. The request id stands in the message too: people paste messages, not headers."""
    message = str(error)
    if request_id and error.status >= 500:
        message = f"{message} (request id {request_id})"
    return _encode(
        _Envelope(_Object(writable(message), error.type, error.param and writable(error.param), error.reason))
    )


def write_stream_error(error: GatewayError, request_id: str = "") -> bytes:
    """One event that ends a broken stream. No `[DONE]` may follow it: that would say the answer is whole."""
    return write_event(write_error(error, request_id))
