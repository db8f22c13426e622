"""Ollama's errors: one sentence under `error`, in a failed reply as in a stream (docs.ollama.com/api/errors)."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from gateline.formats.typed import UNREAD
from gateline.formats.vendor_error import explain, reported_error, writable
from gateline.model.errors import GatewayError, UpstreamError

_NOTHING = frozenset({b"", b"null", b'""'})
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class _Object(msgspec.Struct):
    error: str


def write_error(error: GatewayError, request_id: str = "") -> bytes:
    """The body for `error`. The request id stands in the message: there is no other place."""
    message = str(error)
    if request_id and error.status >= 500:
        message = f"{message} (request id {request_id})"
    return _encode(_Object(writable(message)))


def write_stream_error(error: GatewayError, request_id: str = "") -> bytes:
    """One line that ends a broken stream. No line with `done` may follow it: that would say the answer is whole."""
    return write_error(error, request_id) + b"\n"


def raise_reported(raw: Raw, secret: str) -> None:
    """Raises UpstreamError for the error in a line or a reply, if there is one."""
    if bytes(raw) in _NOTHING:
        return
    try:
        found = _decode(raw)
    except UNREAD:
        found = None
    raise UpstreamError(explain({"error": found}, 502, secret=secret).message)


def reported(body: bytes, secret: str) -> UpstreamError | None:
    """The error in a reply that calls itself a success."""
    failed = reported_error(body, secret=secret)
    return None if failed is None else UpstreamError(failed.message)
