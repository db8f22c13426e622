"""Google's error object (google.rpc.Status over HTTP): ours as bytes for the client."""

from __future__ import annotations

import msgspec

from gateline.formats.vendor_error import writable
from gateline.model.errors import GatewayError
from gateline.wire.jsonarray import CLOSE, write_element

_encode = msgspec.json.Encoder().encode

# google.rpc.Code by HTTP status (googleapis/google/rpc/code.proto); what has no code of its own goes by its class.
STATUSES: dict[int, str] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "INVALID_ARGUMENT",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    415: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    431: "INVALID_ARGUMENT",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
    529: "UNAVAILABLE",
}


class _Violation(msgspec.Struct):
    field: str
    description: str


class _BadRequest(msgspec.Struct, rename={"kind": "@type", "violations": "fieldViolations"}):
    violations: list[_Violation]
    kind: str = "type.googleapis.com/google.rpc.BadRequest"


class _RetryInfo(msgspec.Struct, rename={"kind": "@type", "delay": "retryDelay"}):
    delay: str
    kind: str = "type.googleapis.com/google.rpc.RetryInfo"


class _Status(msgspec.Struct, omit_defaults=True):
    code: int
    message: str
    status: str
    details: list[_BadRequest | _RetryInfo] | None = None


class _Envelope(msgspec.Struct):
    error: _Status


def status_word(status: int) -> str:
    return STATUSES.get(status) or ("INVALID_ARGUMENT" if status < 500 else "INTERNAL")


def write_error(error: GatewayError, request_id: str = "") -> bytes:
    """The body for `error`. The request id stands in the message too: people paste messages, not headers."""
    message = str(error)
    if request_id and error.status >= 500:
        message = f"{message} (request id {request_id})"
    message = writable(message)
    details: list[_BadRequest | _RetryInfo] = []
    if error.param:
        details.append(_BadRequest([_Violation(writable(error.param), message)]))
    if error.retry_after is not None:
        details.append(_RetryInfo(f"{error.retry_after:g}s"))
    return _encode(_Envelope(_Status(error.status, message, status_word(error.status), details or None)))


def write_stream_error(error: GatewayError, request_id: str = "") -> bytes:
    """The event that ends a broken stream."""
    return b"data: " + write_error(error, request_id) + b"\r\n\r\n"


def write_array_error(error: GatewayError, request_id: str = "", *, is_first: bool = False) -> bytes:
    """The element that ends a broken array. It is closed, or nothing of it could be read."""
    return write_element(is_first, write_error(error, request_id)) + CLOSE
