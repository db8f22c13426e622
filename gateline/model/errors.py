"""One tree of errors and the one table that turns each into a status, a type and a retry rule.

Anything may raise these; only the end of the pipeline turns them into bytes, in the caller's format.
`type` and `code` follow OpenAI's error object (platform.openai.com/docs/guides/error-codes).
"""

from __future__ import annotations

import re

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class GatewayError(Exception):
    """A failure the caller is told about. `str(error)` says what happened and what to do; it never holds a secret.

    `param` names the field at fault, `retry_after` is in seconds, `close` asks for the connection to end.
    """

    status: int = 500
    type: str = "server_error"
    code: str | None = None
    close: bool = False

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.param = param
        self.reason = code or self.code
        self.retry_after = retry_after

    @property
    def label(self) -> str:
        """What records and logs call it. `reason` and `type` may be an upstream's own words, which may quote a prompt:
        what is no name goes no further than to the caller."""
        for name in (self.reason, self.type):
            if name is not None and _NAME.fullmatch(name):
                return name
        return "upstream_error"


# --- the caller's mistakes -------------------------------------------------------------------------------------------


class BadRequest(GatewayError):
    status = 400
    type = "invalid_request_error"


class Untranslatable(BadRequest):
    """The caller would lose something of its call at this target, and wants none of that. Another may have a place for
    it."""

    code = "untranslatable"


class BadWire(BadRequest):
    """The bytes are not the HTTP we speak: answer and close, since what follows cannot be trusted."""

    code = "malformed_http"
    close = True


class Unauthenticated(GatewayError):
    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class Forbidden(GatewayError):
    status = 403
    type = "permission_error"
    code = "model_not_allowed"


class NotFound(GatewayError):
    status = 404
    type = "invalid_request_error"
    code = "not_found"


class ModelNotFound(NotFound):
    code = "model_not_found"


class MethodNotAllowed(GatewayError):
    status = 405
    type = "invalid_request_error"
    code = "method_not_allowed"


class TooSlow(GatewayError):
    """The caller did not finish its head or body in time."""

    status = 408
    type = "invalid_request_error"
    code = "request_timeout"
    close = True


class TooLarge(GatewayError):
    status = 413
    type = "invalid_request_error"
    code = "request_too_large"
    close = True


class UnsupportedCoding(GatewayError):
    status = 415
    type = "invalid_request_error"
    code = "unsupported_content_encoding"


class RateLimited(GatewayError):
    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"


class HeadTooLarge(GatewayError):
    status = 431
    type = "invalid_request_error"
    code = "headers_too_large"
    close = True


# --- our own state ---------------------------------------------------------------------------------------------------


class Unavailable(GatewayError):
    """The gateway cannot serve this now (store away, draining, journal full): always with a Retry-After."""

    status = 503
    type = "server_error"
    code = "unavailable"


class ModelLoading(Unavailable):
    code = "model_loading"


class CallTimeout(GatewayError):
    """The call's time was up while the gateway itself was still working on it: no upstream is to blame."""

    status = 504
    type = "server_error"
    code = "call_timeout"


class Internal(GatewayError):
    """A defect of ours. The message is fixed: what went wrong is in the log, under the request id."""

    status = 500
    type = "server_error"
    code = "internal_error"


# --- the upstream's --------------------------------------------------------------------------------------------------


class UpstreamError(GatewayError):
    """An attempt failed. `retryable`: another try or another target may do better.

    `cooldown`: this target is not to be asked again for `retry_after` seconds.
    """

    status = 502
    type = "upstream_error"
    code = "upstream_error"
    retryable: bool = True


class UpstreamUnreachable(UpstreamError):
    code = "upstream_unreachable"


class UpstreamStale(UpstreamUnreachable):
    """A connection used before ended without one byte of reply: the upstream had most likely closed it while it was
    idle. Another connection may be tried at once."""


class UpstreamTimeout(UpstreamError):
    status = 504
    code = "upstream_timeout"


class UpstreamOverdue(UpstreamTimeout):
    """It was still answering when its time was up: what it did until then is paid for, and would be again."""


class UpstreamBroken(UpstreamError):
    """The reply is not HTTP, not whole, too large, or not the format it claims."""

    code = "upstream_broken"


class UpstreamRefused(UpstreamError):
    """The upstream answered with a failure. Its status goes on to the client, with what it said of the reason."""

    def __init__(
        self,
        message: str,
        status: int,
        *,
        type: str | None = None,  # noqa: A002 - the field's name on the wire
        param: str | None = None,
        code: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, param=param, code=code, retry_after=retry_after)
        self.reason = code  # the upstream's, or none: ours would say less than its type does
        self.status = status
        self.type = type or type_of_status(status)
        self.retryable = status in RETRYABLE_STATUSES or status in ACCOUNT_STATUSES


class EgressRefused(UpstreamError):
    """The address policy forbids the upstream's address."""

    code = "egress_refused"


# Statuses of an upstream's reply that another try, or another target, may turn into success.
RETRYABLE_STATUSES = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
# Statuses that condemn the credential or the account, not the request: another target may do, this one will not.
ACCOUNT_STATUSES = frozenset({401, 402, 403})


def type_of_status(status: int) -> str:
    """OpenAI's error type for a status that came without one."""
    if status == 401:
        return "authentication_error"
    if status == 403:
        return "permission_error"
    if status == 429:
        return "rate_limit_error"
    return "invalid_request_error" if status < 500 else "server_error"
