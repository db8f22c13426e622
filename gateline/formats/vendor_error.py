"""What a vendor's failed reply says, whoever the vendor is: something to decide on, and safe to show.

An upstream's message goes on to the client, because it says what is wrong with the call; but vendors echo credentials
in it, so whatever looks like one, or is the one we sent, is cut out first.
"""

from __future__ import annotations

import email.utils
import math
import time
from collections.abc import Iterable

import msgspec

from gateline.formats.redact import redact
from gateline.formats.typed import UNREAD
from gateline.formats.vendor_words import words_of
from gateline.model.errors import UpstreamError

_MESSAGE = 4096  # characters of an upstream's message that are kept
_READ = 65_536  # characters of either that are looked at
_LONGEST_KEY = 4096  # characters of a credential, tokens included
_LABEL = 128  # characters of its type, code and param
_MAX_WAIT = 24 * 3600.0  # an upstream that asks for more waiting than this is not believed
ERROR_KEY = b'"error"'  # a reply without it reports none


class ErrorDetail(msgspec.Struct):
    """An upstream's error, safe to show. `status` is the upstream's, `retry_after` is in seconds."""

    status: int
    message: str
    type: str | None = None
    code: str | None = None
    param: str | None = None
    retry_after: float | None = None


class _Reported(msgspec.Struct):
    error: msgspec.Raw = msgspec.Raw(b"null")


_decode_reported = msgspec.json.Decoder(_Reported).decode


def read_error(
    status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes, *, secret: str = "", now: float | None = None
) -> ErrorDetail:
    """What an upstream's failed reply says. `secret` is the credential that was sent: it is cut out wherever echoed.

    Which shapes are understood is `vendor_words`' matter. `now` is the time in seconds since the epoch that an HTTP
    date in Retry-After is compared with.
    """
    fields = list(headers)
    detail = ErrorDetail(status, f"the upstream answered {status}", retry_after=retry_after(fields, now=now))
    detail.code = _aws_code(fields, secret)
    try:
        found = msgspec.json.decode(body)
    except UNREAD:
        found = _plain_text(fields, body)  # HTML of some proxy in between is nothing a client could use
    _explain(detail, found, secret)
    return detail


def _plain_text(headers: Iterable[tuple[bytes, bytes]], body: bytes) -> object:
    """What a reply of type text/plain says, if it is text."""
    kind = next((value for name, value in headers if name.lower() == b"content-type"), b"")
    if not kind.lower().startswith(b"text/plain"):
        return None
    try:
        return body[:_READ].decode()
    except UnicodeDecodeError:
        return None


def reported_error(body: bytes, *, secret: str = "") -> ErrorDetail | None:
    """What a whole reply of status 200 says went wrong: some vendors answer so. None when it has no error in it."""
    if body.find(ERROR_KEY) < 0:
        return None
    try:
        raw = _decode_reported(body).error  # the rest of a reply that only mentions the word is skipped, not built
        found = {} if len(raw) > _READ else msgspec.json.decode(raw)
    except UNREAD:
        return None
    if found is None:
        return None
    return explain({"error": found}, 502, secret=secret)


def explain(found: object, status: int, *, secret: str = "") -> ErrorDetail:
    """The same for an error that was decoded already, such as one inside a stream."""
    detail = ErrorDetail(status, "the upstream reported an error")
    _explain(detail, found, secret)
    return detail


def stream_error(data: bytes, secret: str) -> UpstreamError:
    """What an event that reports an error makes of its attempt. `data` may be no JSON."""
    try:
        found = msgspec.json.decode(data)
    except UNREAD:
        found = None
    detail = explain(found, 502, secret=secret)
    return UpstreamError(detail.message, code=detail.code, param=detail.param)


def retry_after(headers: Iterable[tuple[bytes, bytes]], *, now: float | None = None) -> float | None:
    """Seconds to wait, from `retry-after-ms`, `x-ms-retry-after-ms` or `retry-after` (seconds or an HTTP date)."""
    fields = {name.lower(): value for name, value in headers if len(name) <= 19}
    for name in (b"retry-after-ms", b"x-ms-retry-after-ms"):
        wait = _number(fields.get(name, b""))
        if wait is not None:
            return min(wait / 1000, _MAX_WAIT)
    value = fields.get(b"retry-after", b"")
    wait = _number(value)
    if wait is None and value:
        try:
            moment = email.utils.parsedate_to_datetime(value.decode("ascii")).timestamp()
        except (ValueError, OverflowError):
            return None
        wait = max(moment - (time.time() if now is None else now), 0.0)
    return None if wait is None else min(wait, _MAX_WAIT)


def _explain(detail: ErrorDetail, found: object, secret: str) -> None:
    words = words_of(found)
    detail.type = _label(words.type, secret)
    code = _label(words.code, secret)
    detail.code = detail.code if code is None else code
    detail.param = _label(words.param, secret)
    if words.message.strip():
        detail.message = _shown(words.message, _MESSAGE, secret)
    if detail.retry_after is None and words.retry_after is not None:
        detail.retry_after = min(words.retry_after, _MAX_WAIT)


def _aws_code(headers: Iterable[tuple[bytes, bytes]], secret: str) -> str | None:
    """AWS says in a header which error it is; where the error is described may follow behind a colon."""
    value = next((value for name, value in headers if name.lower() == b"x-amzn-errortype"), b"")
    return _label(value.partition(b":")[0].decode("latin-1"), secret) if value else None


def _label(value: object, secret: str) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    return _shown(str(value), _LABEL, secret)


def _shown(text: str, length: int, secret: str) -> str:
    """At most `length` characters of `text`, clean of credentials. Cut last: of a credential that lies across the cut,
    half would look like none."""
    if len(text) > _READ:
        text = text[: _READ - max(len(secret), _LONGEST_KEY)]
    return writable(redact(text, secret)[:length])


def _number(value: bytes) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def writable(text: str) -> str:
    """Lone surrogates cannot be written as UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
