"""Anthropic's error object: ours as bytes for the client.

Its words by status are the vendor's (platform.claude.com/docs, "Errors").
"""

from __future__ import annotations

import msgspec

from gateline.formats.vendor_error import writable
from gateline.model.errors import GatewayError

_WORDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_KNOWN = frozenset({*_WORDS.values(), "api_error"})

_encode = msgspec.json.Encoder().encode


class _Object(msgspec.Struct):
    type: str
    message: str


class _Envelope(msgspec.Struct, omit_defaults=True, tag_field="type", tag="error"):
    error: _Object
    request_id: str | None = None


def write_error(error: GatewayError, request_id: str = "") -> bytes:
    """The body for `error`. The request id stands in the message too: people paste messages, not headers."""
    message = str(error)
    if request_id and error.status >= 500:
        message = f"{message} (request id {request_id})"
    return _encode(_Envelope(_Object(_word(error), writable(message)), request_id or None))


def write_stream_error(error: GatewayError, request_id: str = "") -> bytes:
    """One event that ends a broken stream. No `message_stop` may follow it: that would say the answer is whole."""
    return b"event: error\ndata: " + write_error(error, request_id) + b"\n\n"


def _word(error: GatewayError) -> str:
    """An error that came inside a stream has no status of its own, but the vendor's word as its reason."""
    if error.status == 502 and error.reason in _KNOWN:
        return error.reason
    return _WORDS.get(error.status, "api_error" if error.status >= 500 else "invalid_request_error")
