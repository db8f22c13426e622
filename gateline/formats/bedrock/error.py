"""Converse's errors: ours as bytes for the client, and the vendor's inside a stream as ours.

A failed reply's body has a message only; which error it is stands in a header (docs.aws.amazon.com, "Troubleshooting
Amazon Bedrock API Error Codes").
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from gateline.formats.typed import UNREAD
from gateline.formats.vendor_error import explain, writable
from gateline.model.errors import GatewayError, UpstreamBroken, UpstreamError, UpstreamRefused
from gateline.wire.eventstream import Message, write_message

_WORDS = {
    400: "ValidationException",
    401: "UnrecognizedClientException",
    402: "AccessDeniedException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    413: "ValidationException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    503: "ServiceUnavailableException",
    504: "ModelTimeoutException",
    529: "ServiceUnavailableException",
}
# What an exception in a stream would have been as a status; a model's own failure is one of the upstream.
_STATUSES = {
    "validationexception": 400,
    "accessdeniedexception": 403,
    "resourcenotfoundexception": 404,
    "modeltimeoutexception": 408,
    "throttlingexception": 429,
    "internalserverexception": 500,
    "serviceunavailableexception": 503,
}
# The exceptions that a stream can end with.
_STREAMED = {400: "validationException", 413: "validationException", 429: "throttlingException",
             502: "modelStreamErrorException", 503: "serviceUnavailableException",
             529: "serviceUnavailableException"}  # fmt: skip

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class _Body(msgspec.Struct):
    message: str


def write_error(error: GatewayError, request_id: str = "") -> bytes:
    """The body for `error`. The request id stands in the message too: people paste messages, not headers."""
    message = str(error)
    if request_id and error.status >= 500:
        message = f"{message} (request id {request_id})"
    return _encode(_Body(writable(message)))


def error_headers(error: GatewayError) -> Iterable[tuple[bytes, bytes]]:
    word = _WORDS.get(error.status, "InternalServerException" if error.status >= 500 else "ValidationException")
    return ((b"x-amzn-errortype", word.encode()),)


def write_stream_error(error: GatewayError, request_id: str = "") -> bytes:
    """One exception that ends a broken stream."""
    word = _STREAMED.get(error.status, "internalServerException" if error.status >= 500 else "validationException")
    headers = {":exception-type": word, ":content-type": "application/json", ":message-type": "exception"}
    return write_message(headers, write_error(error, request_id))


def message_error(message: Message, secret: str) -> UpstreamError:
    """What a message says that is no event."""
    headers = message.headers
    if headers.get(":message-type") == "error":  # the protocol's own, without a body
        word, found = str(headers.get(":error-code", "")), {"message": str(headers.get(":error-message", ""))}
    else:
        word = str(headers.get(":exception-type", ""))
        try:
            found = _decode(message.payload)
        except UNREAD:
            return UpstreamBroken("Bedrock ended its stream with an exception that is not its format's.")
    status = _STATUSES.get(word.lower())
    detail = explain(found, status or 502, secret=secret)
    if status is None:
        return UpstreamError(detail.message, code=word or None)
    return UpstreamRefused(detail.message, status, code=word)
