"""Cohere's error object: ours as bytes for the client, and the vendor's inside a stream as ours."""

from __future__ import annotations

import msgspec

from gateline.formats.typed import UNREAD
from gateline.formats.vendor_error import explain, reported_error, writable
from gateline.model.errors import GatewayError, UpstreamBroken, UpstreamError
from gateline.wire.sse import write_event

_LONGEST_ERROR = 8_192  # bytes of a body: an error has a sentence in it
_encode = msgspec.json.Encoder().encode


class _Answer(msgspec.Struct):
    """A message that is one: what is in it does not matter here."""


class _Told(msgspec.Struct):
    message: str | _Answer | None = None


_decode_told = msgspec.json.Decoder(_Told).decode


class _Object(msgspec.Struct, omit_defaults=True):
    message: str
    id: str | None = None


class _Failed(msgspec.Struct):
    error: str
    finish_reason: str = "ERROR"


class _End(msgspec.Struct, tag_field="type", tag="message-end"):
    delta: _Failed


def write_error(error: GatewayError, request_id: str = "") -> bytes:
    """The body for `error`. The request id stands in the message too: people paste messages, not headers."""
    return _encode(_Object(_message(error, request_id), request_id or None))


def write_stream_error(error: GatewayError, request_id: str = "") -> bytes:
    """The end of a message that failed. No `[DONE]` may follow it."""
    return write_event(_encode(_End(_Failed(_message(error, request_id)))), b"message-end")


def reported(body: bytes, secret: str) -> UpstreamError | None:
    """The error in a reply that calls itself a success: Cohere's own has its words where an answer has its message."""
    failed = reported_error(body, secret=secret)
    if failed is not None:
        return UpstreamError(failed.message, code=failed.code or failed.type)
    if len(body) > _LONGEST_ERROR:
        return None
    try:
        told = _decode_told(body).message
    except UNREAD:
        return UpstreamBroken("Cohere answered with what is no JSON, or no answer.")
    return event_error({"message": told}, secret) if isinstance(told, str) else None


def event_error(found: object, secret: str) -> UpstreamError:
    """What the end of a message says that failed, or an event that is an error object."""
    detail = explain({"error": found} if isinstance(found, str) else found, 502, secret=secret)
    return UpstreamError(detail.message, code=detail.code or detail.type)


def _message(error: GatewayError, request_id: str) -> str:
    message = str(error)
    if request_id and error.status >= 500:
        message = f"{message} (request id {request_id})"
    return writable(message)
