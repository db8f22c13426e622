"""A request that is answered with an error, in OpenAI's error object."""

from __future__ import annotations

import msgspec


class Refused(Exception):
    """`str(refusal)` tells the caller what to change. `param` names the field at fault, `retry_after` is in seconds."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        param: str | None = None,
        code: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.param = param
        self.code = code
        self.retry_after = retry_after

    def body(self) -> bytes:
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        error = {"message": str(self), "type": kind, "param": self.param, "code": self.code}
        return msgspec.json.encode({"error": error})


def not_served(path: str) -> Refused:
    return Refused(f"this model does not serve {path}", status=404, code="unsupported_endpoint")
